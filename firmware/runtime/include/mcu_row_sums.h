/* Sums of the columns of a row, channel by channel, for averages of tensors that come row by row.
 *
 * Four channels at a time are added up in two words of two int16 sums, which hold 255 int8 values. */
#ifndef MCU_ROW_SUMS_H
#define MCU_ROW_SUMS_H

#include "mcu_kernels.h"
#include "mcu_simd.h"

static inline void mcu_add_four(const int8_t *pixel, int32_t width, int32_t step, int32_t *sums) {
    int32_t even = 0, odd = 0;
    for (int32_t x = 0; x < width; x++) {
        const int32_t word = mcu_load32(pixel);
        even = mcu_sxtab16(even, word);
        odd = mcu_sxtab16_ror8(odd, word);
        pixel += step;
    }
    sums[0] += (int16_t)(even & 0xFFFF);
    sums[1] += (int16_t)(odd & 0xFFFF);
    sums[2] += even >> 16;
    sums[3] += odd >> 16;
}

static inline void mcu_add_one(const int8_t *pixel, int32_t width, int32_t step, int32_t *sum) {
    for (int32_t x = 0; x < width; x++) {
        *sum += pixel[x * step];
    }
}

/* Begin with a row if it is the first: `count` is how many came before. */
static inline void mcu_add_row(const mcu_rows *rows, int32_t channels, int32_t count, int32_t *sums) {
    if (count == 0) {
        for (int32_t c = 0; c < channels; c++) {
            sums[c] = 0;
        }
    }
    int32_t channel = 0;
    for (; channel + 4 <= channels; channel += 4) {
        mcu_add_four(rows->in[0] + channel, rows->in_width, channels, sums + channel);
    }
    for (; channel < channels; channel++) {
        mcu_add_one(rows->in[0] + channel, rows->in_width, channels, sums + channel);
    }
}

#endif
