/* Cycles beyond those of linear runs, by the instruction that took them. */
#ifndef MCUSIM_WAITS_H
#define MCUSIM_WAITS_H

#include "mcusim_core.h"

typedef struct {
    mcusim_wait *slots; /* open addressing; a slot without cycles is free */
    uint32_t size;      /* a power of two */
    uint32_t count;
} wait_table;

void waits_init(wait_table *waits);
void waits_free(wait_table *waits);
void waits_clear(wait_table *waits);

/* `cycles` are not 0. */
void waits_add_some(wait_table *waits, uint32_t pc, uint32_t cycles);

static inline void waits_add(wait_table *waits, uint32_t pc, uint32_t cycles) {
    if (cycles) {
        waits_add_some(waits, pc, cycles);
    }
}

/* As many rows as `count`, in no order. */
void waits_copy(const wait_table *waits, mcusim_wait *rows);

#endif
