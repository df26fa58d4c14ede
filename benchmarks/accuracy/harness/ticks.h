/* The clock of the benchmarks of mupq: SysTick counts down from 2^24. There, its
 * interrupt counts the rounds; no run here lasts that long. */
#ifndef TICKS_H
#define TICKS_H

#include "counted.h"

#include <stdint.h>

/* ARMv7-M ARM (DDI 0403E), B3.3: SYST_CSR, SYST_RVR, SYST_CVR. */
#define SYST_CSR (*(volatile uint32_t *)0xE000E010u)
#define SYST_RVR (*(volatile uint32_t *)0xE000E014u)
#define SYST_CVR (*(volatile uint32_t *)0xE000E018u)
#define SYST_CSR_CORE_CLOCK_ON 5u
#define SYST_ROUND 0x1000000u

static volatile uint64_t rounds;

static inline void start_ticks(void) {
    SYST_RVR = SYST_ROUND - 1;
    SYST_CVR = 0;
    SYST_CSR = SYST_CSR_CORE_CLOCK_ON;
}

/* Cycles since the start. A call of its own, as there: what lies between two readings counts. */
__attribute__((noinline)) static uint64_t ticks(void) {
    while (1) {
        const uint64_t before = rounds;
        const uint64_t result = (before + 1) * SYST_ROUND - SYST_CVR;
        if (rounds == before) {
            return result;
        }
    }
}

/* Counts the call if it is the one that the build names by MEASURE. */
#define STEP(name, call)                                                                                     \
    do {                                                                                                     \
        before = ticks();                                                                                    \
        call;                                                                                                \
        after = ticks();                                                                                     \
        if ((name) == MEASURE) {                                                                             \
            spent = (uint32_t)(after - before);                                                              \
        }                                                                                                    \
    } while (0)

static volatile uint64_t before;
static volatile uint64_t after;
static uint32_t spent;

#endif
