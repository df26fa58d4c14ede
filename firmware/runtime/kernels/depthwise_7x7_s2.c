/* Depthwise 7x7 convolution, stride 2: see depthwise_planes.c. Windows begin in even rows alone; even and
 * odd columns of a kernel each slide over columns two apart.
 *
 * Bound: for five outputs of four pairs of rows 224 cycles of taps and 32 of first columns, 36 of
 * requantisation and stores. */
#include "mcu_planes.h"

#if MCU_TARGET
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

MCU_NAKED static void channels(const int32_t *stream MCU_IN_REGISTER, const int32_t *strip MCU_IN_REGISTER,
                               const mcu_plane_job *job MCU_IN_REGISTER) {
    __asm__(MCU_PLANE_CHANNELS("adds r0, #112\n\t", TAPS, "28"));
}

/* clang-format on */
#else

static void channels(const int32_t *stream, const int32_t *strip, const mcu_plane_job *job) {
    mcu_plane_channels(stream, strip, job, 7, 2);
}

#endif

void mcu_depthwise_7x7_s2(const void *params, const mcu_rows *rows) {
    mcu_depthwise_planes(params, rows, channels);
}
