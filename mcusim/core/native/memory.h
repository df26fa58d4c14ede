/* Changes of SRAM, found by comparison with a shadow copy at layer boundaries. */
#ifndef MCUSIM_MEMORY_H
#define MCUSIM_MEMORY_H

#include "mcusim_core.h"

typedef struct {
    mcusim_region region;
    uint8_t *shadow;     /* content at the last comparison */
    uint32_t high_water; /* end of the highest byte that ever changed */
    uint32_t first_bit;  /* of this region in a touched set */
} sram_area;

typedef struct {
    sram_area *areas;
    uint32_t count;
    uint32_t total_bytes;
} sram_memory;

/* A set of SRAM bytes, one bit each. */
typedef struct {
    uint8_t *bits;
    uint64_t members;
} touched_set;

void sram_init(sram_memory *memory, const mcusim_region *regions, uint32_t count);
void sram_free(sram_memory *memory);

/* The present content is what changes are measured against from now on. */
void sram_begin(sram_memory *memory);

/* Add the bytes that changed since the last comparison to `count` sets. */
void sram_compare(sram_memory *memory, touched_set *const *sets, uint32_t count);

void touched_init(touched_set *set, const sram_memory *memory);
void touched_clear(touched_set *set, const sram_memory *memory);

#endif
