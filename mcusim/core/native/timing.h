/* The pipeline model: twin of mcusim/timing/hazards.py and pipeline.py. */
#ifndef MCUSIM_TIMING_H
#define MCUSIM_TIMING_H

#include "decode.h"

/* Cycles of a decoded run; `taken` unless it ended without a branch. */
uint64_t run_cycles(const mcusim_timing *timing, const instruction_list *run, int taken);

/* Cycles from the start of a run to the first execute cycle of the instruction at `address`, which is in it.
 */
uint64_t run_cycles_at(const mcusim_timing *timing, const instruction_list *run, uint32_t address);

#endif
