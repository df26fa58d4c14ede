#include "survey.h"

#include <string.h>

#include "allocate.h"

enum { FIRST_NODES = 64 };

void survey_init(flash_survey *survey, const mcusim_spec *spec) {
    survey->count = spec->surveyed_count;
    survey->nodes = FIRST_NODES;
    survey->is_on = 0;
    survey->end = 0;
    survey->flashes = allocate_zeroed(survey->count, sizeof *survey->flashes);
    for (uint32_t i = 0; i < survey->count; ++i) {
        surveyed_flash *flash = &survey->flashes[i];
        flash_init(&flash->unit, &spec->surveyed[i]);
        flash->by_node = allocate_zeroed(survey->nodes, sizeof *flash->by_node);
        for (int start = 0; start < MCUSIM_FLASH_STARTS; ++start) {
            uint64_t end = (uint64_t)spec->surveyed[i].starts[start] + spec->surveyed[i].size;
            survey->end = end > survey->end ? end : survey->end;
        }
    }
}

void survey_free(flash_survey *survey) {
    for (uint32_t i = 0; i < survey->count; ++i) {
        flash_free(&survey->flashes[i].unit);
        free(survey->flashes[i].by_node);
    }
    free(survey->flashes);
}

void survey_begin(flash_survey *survey, int32_t is_on) {
    survey->is_on = is_on && survey->count;
    for (uint32_t i = 0; i < survey->count; ++i) {
        surveyed_flash *flash = &survey->flashes[i];
        flash_begin(&flash->unit);
        flash->constants = 0;
        memset(flash->by_node, 0, survey->nodes * sizeof *flash->by_node);
    }
}

void survey_read(flash_survey *survey, uint32_t address, uint32_t size) {
    if (address >= survey->end) {
        return;
    }
    for (uint32_t i = 0; i < survey->count; ++i) {
        surveyed_flash *flash = &survey->flashes[i];
        for (uint32_t offset = 0; offset < size; offset += 4) {
            flash->constants += (uint32_t)flash_misses(&flash->unit, address + offset);
        }
    }
}

static void make_room(flash_survey *survey, uint32_t node) {
    uint32_t nodes = survey->nodes;
    while (node >= nodes) {
        nodes *= 2;
    }
    for (uint32_t i = 0; i < survey->count; ++i) {
        surveyed_flash *flash = &survey->flashes[i];
        flash->by_node = reallocate(flash->by_node, nodes, sizeof *flash->by_node);
        memset(flash->by_node + survey->nodes, 0, (nodes - survey->nodes) * sizeof *flash->by_node);
    }
    survey->nodes = nodes;
}

void survey_commit(flash_survey *survey, uint32_t node, uint32_t start, uint32_t end, uint32_t cycles) {
    if (node >= survey->nodes) {
        make_room(survey, node);
    }
    for (uint32_t i = 0; i < survey->count; ++i) {
        surveyed_flash *flash = &survey->flashes[i];
        flash->by_node[node][0] += flash->constants;
        flash->constants = 0;
        flash_count_fetch(&flash->unit, start, end, cycles, flash->by_node[node]);
    }
}

void survey_copy(const flash_survey *survey, uint32_t flash, uint32_t nodes, uint64_t *reads) {
    uint32_t known = nodes < survey->nodes ? nodes : survey->nodes;
    memset(reads, 0, (size_t)nodes * MCUSIM_FLASH_AHEAD * sizeof *reads);
    memcpy(reads, survey->flashes[flash].by_node, (size_t)known * MCUSIM_FLASH_AHEAD * sizeof *reads);
}
