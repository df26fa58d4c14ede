/* Symbolic values: sums of registers and other sources, each times a constant, modulo 2^32. */
#ifndef MCUSIM_AFFINE_H
#define MCUSIM_AFFINE_H

#include <stdint.h>

#include "mcusim_core.h"

enum { MAXIMUM_TERMS = 3 };

typedef struct {
    uint32_t constant;
    uint32_t factor[MAXIMUM_TERMS];
    uint16_t source[MAXIMUM_TERMS]; /* ascending; behind the terms factor and source are 0 */
    uint8_t terms;
} affine;

/* What an instruction that is not a load leaves in a register. */
typedef struct {
    affine value;
    int8_t target; /* -1: the value is not affine in what was there before */
} register_effect;

affine affine_constant(uint32_t constant);
affine affine_source(uint16_t source);

/* sum += factor * other; 0 if that needs too many terms, `sum` is then undefined. */
int affine_add(affine *sum, const affine *other, uint32_t factor);

/* Whether the two differ by a constant; `difference` receives a - b. */
int affine_difference(const affine *a, const affine *b, int32_t *difference);

/* Effect of the instruction at `address` on registers with these values; register 15 is not among them. */
register_effect affine_effect(uint32_t word, int is_wide, uint32_t address, const affine *registers);

#endif
