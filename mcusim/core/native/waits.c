#include "waits.h"

#include <string.h>

#include "allocate.h"

enum { FIRST_SIZE = 256 };

void waits_init(wait_table *waits) {
    waits->size = FIRST_SIZE;
    waits->count = 0;
    waits->slots = allocate_zeroed(waits->size, sizeof *waits->slots);
}

void waits_free(wait_table *waits) {
    free(waits->slots);
}

void waits_clear(wait_table *waits) {
    memset(waits->slots, 0, waits->size * sizeof *waits->slots);
    waits->count = 0;
}

static mcusim_wait *find(const wait_table *waits, uint32_t pc) {
    uint32_t slot = (pc >> 1) * 0x9E3779B1u & (waits->size - 1);
    while (waits->slots[slot].cycles && waits->slots[slot].pc != pc) {
        slot = (slot + 1) & (waits->size - 1);
    }
    return &waits->slots[slot];
}

static void grow(wait_table *waits) {
    wait_table larger = {allocate_zeroed(2 * waits->size, sizeof *waits->slots), 2 * waits->size,
                         waits->count};
    for (uint32_t i = 0; i < waits->size; ++i) {
        if (waits->slots[i].cycles) {
            *find(&larger, waits->slots[i].pc) = waits->slots[i];
        }
    }
    free(waits->slots);
    *waits = larger;
}

void waits_add_some(wait_table *waits, uint32_t pc, uint32_t cycles) {
    mcusim_wait *row = find(waits, pc);
    if (!row->cycles) {
        if (2 * (waits->count + 1) > waits->size) {
            grow(waits);
            row = find(waits, pc);
        }
        row->pc = pc;
        ++waits->count;
    }
    row->cycles += cycles;
}

void waits_copy(const wait_table *waits, mcusim_wait *rows) {
    for (uint32_t i = 0; i < waits->size; ++i) {
        if (waits->slots[i].cycles) {
            *rows++ = waits->slots[i];
        }
    }
}
