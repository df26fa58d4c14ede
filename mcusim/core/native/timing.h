/* The pipeline model: twin of mcusim/timing/hazards.py and pipeline.py. */
#ifndef MCUSIM_TIMING_H
#define MCUSIM_TIMING_H

#include "decode.h"

/* Cycles of a decoded run; `taken` unless it ended without a branch. */
uint64_t run_cycles(const mcusim_timing *timing, const instruction_list *run, int taken);

#endif
