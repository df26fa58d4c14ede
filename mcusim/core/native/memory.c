#include "memory.h"

#include <string.h>

#include "allocate.h"

enum { CHUNK = 256 };

void sram_init(sram_memory *memory, const mcusim_region *regions, uint32_t count) {
    memory->areas = allocate_zeroed(count, sizeof *memory->areas);
    memory->count = count;
    memory->total_bytes = 0;
    for (uint32_t i = 0; i < count; ++i) {
        sram_area *area = &memory->areas[i];
        area->region = regions[i];
        area->shadow = allocate_zeroed(regions[i].size, 1);
        area->first_bit = memory->total_bytes;
        memory->total_bytes += regions[i].size;
    }
}

void sram_free(sram_memory *memory) {
    for (uint32_t i = 0; i < memory->count; ++i) {
        free(memory->areas[i].shadow);
    }
    free(memory->areas);
}

void sram_begin(sram_memory *memory) {
    for (uint32_t i = 0; i < memory->count; ++i) {
        sram_area *area = &memory->areas[i];
        memcpy(area->shadow, area->region.data, area->region.size);
        area->high_water = 0;
    }
}

static void add_byte(touched_set *set, uint32_t bit) {
    uint8_t mask = (uint8_t)(1u << (bit & 7));
    if (!(set->bits[bit >> 3] & mask)) {
        set->bits[bit >> 3] |= mask;
        ++set->members;
    }
}

static void compare_chunk(sram_area *area, uint32_t first, uint32_t size, touched_set *const *sets,
                          uint32_t count) {
    for (uint32_t i = first; i < first + size; ++i) {
        if (area->shadow[i] == area->region.data[i]) {
            continue;
        }
        area->shadow[i] = area->region.data[i];
        if (area->high_water <= i) {
            area->high_water = i + 1;
        }
        for (uint32_t set = 0; set < count; ++set) {
            add_byte(sets[set], area->first_bit + i);
        }
    }
}

void sram_compare(sram_memory *memory, touched_set *const *sets, uint32_t count) {
    for (uint32_t i = 0; i < memory->count; ++i) {
        sram_area *area = &memory->areas[i];
        for (uint32_t first = 0; first < area->region.size; first += CHUNK) {
            uint32_t left = area->region.size - first;
            uint32_t size = left < CHUNK ? left : CHUNK;
            if (memcmp(area->shadow + first, area->region.data + first, size)) {
                compare_chunk(area, first, size, sets, count);
            }
        }
    }
}

void touched_init(touched_set *set, const sram_memory *memory) {
    set->bits = allocate_zeroed(memory->total_bytes / 8 + 1, 1);
    set->members = 0;
}

void touched_clear(touched_set *set, const sram_memory *memory) {
    memset(set->bits, 0, memory->total_bytes / 8 + 1);
    set->members = 0;
}
