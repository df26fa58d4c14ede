/* Depthwise 7x7 convolution, stride 1: see depthwise_planes.c.
 *
 * Bound: for five outputs of four pairs of rows 224 cycles of taps and 16 of first columns, 36 of
 * requantisation and stores, 23 with one rounding. */
#include "mcu_planes.h"

/* clang-format off */

#define SHIFT                           \
    "cbz r1, 6f\n\t"                    \
    "movs r2, #0\n\t"                   \
    "movs r3, #0\n\t"                   \
    "movs r4, #0\n\t"                   \
    "movs r5, #0\n\t"                   \
    "movs r6, #0\n\t"                   \
    "movs r7, #0\n\t"                   \
    "mov.w r8, #0\n\t"                  \
    "mov.w lr, #4\n"                    \
    "5:\n\t"                            \
    "ldmia r0!, {r9-r12}\n\t"           \
    MCU_SHIFT_IN("r2", "r9")            \
    MCU_SHIFT_IN("r3", "r10")           \
    MCU_SHIFT_IN("r4", "r11")           \
    MCU_SHIFT_IN("r5", "r12")           \
    "stmia r1!, {r2-r5}\n\t"            \
    MCU_SHIFT_OUT("r2", "r9")           \
    MCU_SHIFT_OUT("r3", "r10")          \
    MCU_SHIFT_OUT("r4", "r11")          \
    MCU_SHIFT_OUT("r5", "r12")          \
    "ldmia r0!, {r9-r11}\n\t"           \
    MCU_SHIFT_IN("r6", "r9")            \
    MCU_SHIFT_IN("r7", "r10")           \
    MCU_SHIFT_IN("r8", "r11")           \
    "stmia r1!, {r6-r8}\n\t"            \
    MCU_SHIFT_OUT("r6", "r9")           \
    MCU_SHIFT_OUT("r7", "r10")          \
    MCU_SHIFT_OUT("r8", "r11")          \
    "subs lr, lr, #1\n\t"               \
    "bne 5b\n\t"                        \
    "b 7f\n"                            \
    "6:\n\t"                            \
    "adds r0, #112\n"                   \
    "7:\n\t"

#define TAPS                            \
    MCU_FIVE_TAPS                       \
    MCU_WINDOW_1(".w", "144", "20")     \
    MCU_WINDOW_2(".w", "160", "24")

MCU_PLANE_KERNELS(7, 1, SHIFT, TAPS, "28")
