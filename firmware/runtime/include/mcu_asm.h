/* Whole functions in assembly, for inner loops that need all fourteen registers. */
#ifndef MCU_ASM_H
#define MCU_ASM_H

#if defined(__ARM_FEATURE_DSP) && defined(__ARM_FP)
#define MCU_TARGET 1
#else
#define MCU_TARGET 0
#endif

/* The body is assembly alone; arguments are in registers as the procedure call standard has them. */
#define MCU_NAKED __attribute__((naked, noinline, aligned(4)))
#define MCU_IN_REGISTER __attribute__((unused))

#endif
