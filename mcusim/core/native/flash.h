/* Flash with wait states, caches and prefetch: twin of mcusim/timing/flash.py. */
#ifndef MCUSIM_FLASH_H
#define MCUSIM_FLASH_H

#include "mcusim_core.h"

typedef struct {
    mcusim_cache shape;
    uint32_t *lines; /* by set, the most recently used first */
} flash_cache;

typedef struct {
    const mcusim_flash *timing; /* no wait states: nothing is modelled */
    flash_cache code;
    flash_cache data;
    uint32_t line; /* the present one of each */
    uint32_t data_line;
    uint32_t data_start;   /* addresses of the present line of constants, as it was read last */
    uint32_t data_bytes;   /* 0: there is none */
    uint32_t steady_start; /* the last run, if fetching it once more would change nothing */
    uint32_t steady_end;
} flash_unit;

/* What a flash with the caches of another hides of the waiting that both have. */
typedef struct {
    const mcusim_flash *timing;
    uint64_t *by_ahead; /* lines that have to be read, by the cycles that are hidden */
} flash_counter;

void flash_init(flash_unit *flash, const mcusim_flash *timing);
void flash_free(flash_unit *flash);

/* Nothing is cached. */
void flash_begin(flash_unit *flash);

/* Whether reads of both miss at the same moments. */
int flash_caches_alike(const mcusim_flash *one, const mcusim_flash *other);

/* Count the lines of code of a run that have to be read in each of `counters`, whose caches are those of
 * `flash`; the last place of one is for as many hidden cycles or more. */
void flash_count_fetch(flash_unit *flash, uint32_t start, uint32_t end, uint32_t cycles,
                       const flash_counter *counters, uint32_t count);

/* As flash_misses, where the address is in flash and the line not the present one. */
int flash_misses_line(flash_unit *flash, uint32_t address);

static inline int flash_covers(const mcusim_flash *timing, uint32_t address) {
    return address - timing->starts[0] < timing->size || address - timing->starts[1] < timing->size;
}

/* Whether the line of a constant has to be read. */
static inline int flash_misses(flash_unit *flash, uint32_t address) {
    return address - flash->data_start >= flash->data_bytes && flash_covers(flash->timing, address) &&
           flash_misses_line(flash, address);
}

/* Cycles of waiting for the code of a run [start, end) that takes `cycles` otherwise. */
uint32_t flash_fetch(flash_unit *flash, uint32_t start, uint32_t end, uint32_t cycles);

/* Cycles of waiting for a constant. */
static inline uint32_t flash_read(flash_unit *flash, uint32_t address) {
    return flash_misses(flash, address) ? flash->timing->wait_states : 0;
}

#endif
