/* Average pooling over a whole tensor that comes row by row, of up to 255 columns.
 *
 * The scratch holds an int32 count of the rows that have come, which is 0 before the first one, and an int32
 * sum of every channel. The call with the last row writes the output. Within a row, four channels at a time
 * are added up in two words of two int16 sums, which hold 255 int8 values. Rounding is that of
 * average_pool.c.
 *
 * Bound: as average_pool.c, and for every row 4 loads and 4 stores of sums for four channels. */
#include "mcu_kernels.h"
#include "mcu_requantise.h"

static void add4(const int8_t *pixel, int32_t width, int32_t step, int32_t *sums) {
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

static void add1(const int8_t *pixel, int32_t width, int32_t step, int32_t *sum) {
    for (int32_t x = 0; x < width; x++) {
        *sum += pixel[x * step];
    }
}

static void write_means(const mcu_pool_params *p, const int32_t *sums, int8_t *out) {
    const int32_t count = p->kernel_h * p->kernel_w;
    const int32_t half = count / 2;
    for (int32_t c = 0; c < p->channels; c++) {
        const int32_t value = (sums[c] > 0 ? sums[c] + half : sums[c] - half) / count;
        out[c] = (int8_t)mcu_clamp(value, p->act_min, p->act_max);
    }
}

void mcu_average_pool_row(const void *params, const mcu_rows *rows) {
    const mcu_pool_params *p = params;
    int32_t *count = rows->scratch;
    int32_t *sums = count + 1;
    if (*count == 0) {
        for (int32_t c = 0; c < p->channels; c++) {
            sums[c] = 0;
        }
    }
    int32_t channel = 0;
    for (; channel + 4 <= p->channels; channel += 4) {
        add4(rows->in[0] + channel, rows->in_width, p->channels, sums + channel);
    }
    for (; channel < p->channels; channel++) {
        add1(rows->in[0] + channel, rows->in_width, p->channels, sums + channel);
    }
    if (++*count == p->kernel_h) {
        write_means(p, sums, rows->out[0]);
    }
}
