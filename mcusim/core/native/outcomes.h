/* What a pass through a run did where that depends on data: twin of mcusim/timing/outcomes.py. */
#ifndef MCUSIM_OUTCOMES_H
#define MCUSIM_OUTCOMES_H

#include "decode.h"

enum { OUTCOME_EXECUTED, OUTCOME_SKIPPED };
enum { DIVISION_UNKNOWN, DIVISION_ZERO, DIVISION_SHORT, DIVISION_LONG, DIVISION_SKIPPED = 15 };

/* The outcomes of a run so far, first instruction in the low bits. */
typedef struct {
    uint32_t value;
    uint32_t bits;
} outcome_list;

/* How many bits tell what the instruction did, 0 for those that always cost the same. */
uint32_t outcome_bits(const mcusim_instruction *instruction);

/* Outcome of a division of two register values. */
uint32_t division_outcome(uint32_t dividend, uint32_t divisor, int is_signed);

/* Append an outcome of `bits` bits, unless there is no room any more. */
void outcome_append(outcome_list *list, uint32_t outcome, uint32_t bits);

/* Make the run what was executed in passes of that outcome; `taken` unless it ended without a branch. */
void apply_outcomes(instruction_list *run, uint32_t outcome, int taken);

#endif
