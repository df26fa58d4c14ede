#include "survey.h"

#include <string.h>

#include "allocate.h"

enum { FIRST_NODES = 64 };

static surveyed_caches *caches_like(flash_survey *survey, const mcusim_flash *flash) {
    for (uint32_t i = 0; i < survey->count; ++i) {
        if (flash_caches_alike(survey->caches[i].unit.timing, flash)) {
            return &survey->caches[i];
        }
    }
    surveyed_caches *caches = &survey->caches[survey->count++];
    flash_init(&caches->unit, flash);
    caches->counters = allocate_zeroed(survey->spec->surveyed_count, sizeof *caches->counters);
    return caches;
}

void survey_init(flash_survey *survey, const mcusim_spec *spec) {
    uint32_t flashes = spec->surveyed_count;
    memset(survey, 0, sizeof *survey);
    survey->spec = spec;
    survey->nodes = FIRST_NODES;
    survey->caches = allocate_zeroed(flashes, sizeof *survey->caches);
    survey->by_node = allocate_zeroed(flashes, sizeof *survey->by_node);
    for (uint32_t i = 0; i < flashes; ++i) {
        const mcusim_flash *flash = &spec->surveyed[i];
        surveyed_caches *caches = caches_like(survey, flash);
        caches->counters[caches->count++].timing = flash;
        survey->by_node[i] = allocate_zeroed(survey->nodes, sizeof *survey->by_node[i]);
        for (int start = 0; start < MCUSIM_FLASH_STARTS; ++start) {
            uint64_t end = (uint64_t)flash->starts[start] + flash->size;
            survey->end = end > survey->end ? end : survey->end;
        }
    }
}

void survey_free(flash_survey *survey) {
    for (uint32_t i = 0; i < survey->count; ++i) {
        flash_free(&survey->caches[i].unit);
        free(survey->caches[i].counters);
    }
    for (uint32_t i = 0; i < survey->spec->surveyed_count; ++i) {
        free(survey->by_node[i]);
    }
    free(survey->caches);
    free(survey->by_node);
}

void survey_begin(flash_survey *survey, int32_t is_on) {
    survey->is_on = is_on && survey->count;
    for (uint32_t i = 0; i < survey->count; ++i) {
        flash_begin(&survey->caches[i].unit);
        survey->caches[i].constants = 0;
    }
    for (uint32_t i = 0; i < survey->spec->surveyed_count; ++i) {
        memset(survey->by_node[i], 0, survey->nodes * sizeof *survey->by_node[i]);
    }
}

void survey_read(flash_survey *survey, uint32_t address, uint32_t size) {
    if (address >= survey->end) {
        return;
    }
    for (uint32_t i = 0; i < survey->count; ++i) {
        surveyed_caches *caches = &survey->caches[i];
        for (uint32_t offset = 0; offset < size; offset += 4) {
            caches->constants += (uint32_t)flash_misses(&caches->unit, address + offset);
        }
    }
}

static void make_room(flash_survey *survey, uint32_t node) {
    uint32_t nodes = survey->nodes;
    while (node >= nodes) {
        nodes *= 2;
    }
    for (uint32_t i = 0; i < survey->spec->surveyed_count; ++i) {
        survey->by_node[i] = reallocate(survey->by_node[i], nodes, sizeof *survey->by_node[i]);
        memset(survey->by_node[i] + survey->nodes, 0, (nodes - survey->nodes) * sizeof *survey->by_node[i]);
    }
    survey->nodes = nodes;
}

void survey_commit(flash_survey *survey, uint32_t node, uint32_t start, uint32_t end, uint32_t cycles) {
    if (node >= survey->nodes) {
        make_room(survey, node);
    }
    for (uint32_t i = 0; i < survey->count; ++i) {
        surveyed_caches *caches = &survey->caches[i];
        for (uint32_t k = 0; k < caches->count; ++k) {
            uint32_t flash = (uint32_t)(caches->counters[k].timing - survey->spec->surveyed);
            caches->counters[k].by_ahead = survey->by_node[flash][node];
            caches->counters[k].by_ahead[0] += caches->constants;
        }
        caches->constants = 0;
        flash_count_fetch(&caches->unit, start, end, cycles, caches->counters, caches->count);
    }
}

void survey_copy(const flash_survey *survey, uint32_t flash, uint32_t nodes, uint64_t *reads) {
    uint32_t known = nodes < survey->nodes ? nodes : survey->nodes;
    memset(reads, 0, (size_t)nodes * MCUSIM_FLASH_AHEAD * sizeof *reads);
    memcpy(reads, survey->by_node[flash], (size_t)known * MCUSIM_FLASH_AHEAD * sizeof *reads);
}
