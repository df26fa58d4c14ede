/* Depthwise 5x5 convolution, stride 1: see depthwise_planes.c.
 *
 * Bound: for five outputs of three pairs of rows 121 cycles of taps and 12 of first columns, 36 of
 * requantisation and stores, 23 with one rounding. */
#include "mcu_planes.h"

/* clang-format off */

#define SHIFT                           \
    "cbz r1, 6f\n\t"                    \
    "movs r3, #0\n\t"                   \
    "movs r4, #0\n\t"                   \
    "movs r5, #0\n\t"                   \
    "movs r6, #0\n\t"                   \
    "movs r7, #0\n\t"                   \
    "mov.w lr, #3\n"                    \
    "5:\n\t"                            \
    "ldmia r0!, {r8-r12}\n\t"           \
    MCU_SHIFT_IN("r3", "r8")            \
    MCU_SHIFT_IN("r4", "r9")            \
    MCU_SHIFT_IN("r5", "r10")           \
    MCU_SHIFT_IN("r6", "r11")           \
    MCU_SHIFT_IN("r7", "r12")           \
    "stmia r1!, {r3-r7}\n\t"            \
    MCU_SHIFT_OUT("r3", "r8")           \
    MCU_SHIFT_OUT("r4", "r9")           \
    MCU_SHIFT_OUT("r5", "r10")          \
    MCU_SHIFT_OUT("r6", "r11")          \
    MCU_SHIFT_OUT("r7", "r12")          \
    "subs lr, lr, #1\n\t"               \
    "bne 5b\n\t"                        \
    "b 7f\n"                            \
    "6:\n\t"                            \
    "adds r0, #60\n"                    \
    "7:\n\t"

MCU_PLANE_KERNELS(5, 1, SHIFT, MCU_FIVE_TAPS, "20")
