/* Depthwise 7x7 convolution, stride 2: see depthwise_planes.c. Windows begin in even rows alone; even and
 * odd columns of a kernel each slide over columns two apart.
 *
 * Bound: for five outputs of four pairs of rows 224 cycles of taps and 32 of first columns, 36 of
 * requantisation and stores, 23 with one rounding. */
#include "mcu_planes.h"

/* clang-format off */

#define TAPS                            \
    MCU_PRELOAD("0", "32", "64", "96")  \
    MCU_WINDOW_1(".w", "128", "0")      \
    MCU_WINDOW_2(".w", "160", "8")      \
    MCU_WINDOW_3(".w", "192", "16")     \
    MCU_WINDOW_4(".w", "224", "24")     \
    MCU_PRELOAD("16", "48", "80", "112") \
    MCU_WINDOW_1(".w", "144", "4")      \
    MCU_WINDOW_2(".w", "176", "12")     \
    MCU_WINDOW_3(".w", "208", "20")

MCU_PLANE_KERNELS(7, 2, "adds r0, #112\n\t", TAPS, "28")
