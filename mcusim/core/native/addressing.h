/* Decoder of memory accesses, driven by the table of mcusim/timing/addressing.py. */
#ifndef MCUSIM_ADDRESSING_H
#define MCUSIM_ADDRESSING_H

#include "mcusim_core.h"

enum { MAXIMUM_TARGETS = 16 };

/* `count` elements of `unit` bytes from base + (index << shift) + offset upwards; see Access there. */
typedef struct {
    int32_t offset;
    int32_t write_back;
    uint8_t store;
    uint8_t unit;
    uint8_t count;
    uint8_t is_signed;
    int8_t base;
    int8_t index;  /* -1 for none */
    int8_t status; /* register that an exclusive store sets to 0 if it stores, else -1 */
    uint8_t shift;
    uint8_t aligned;
    uint8_t target_count;
    uint8_t targets[MAXIMUM_TARGETS];
} memory_access;

/* Whether the instruction (first halfword on top if it is wide) accesses memory. */
int decode_access(const mcusim_access_table *table, uint32_t word, int is_wide, memory_access *access);

#endif
