/* Depthwise 3x3 convolution, stride 2, channels a multiple of four.
 *
 * Four channels at a time: a strip of columns is transposed in the scratch. A column's rows (0, 1) of
 * one channel make a word; row 2 is paired with that of the next column, since a window uses columns
 * 0 and 1 together and column 2 alone. An output is five multiplications.
 *
 * Stream: for each channel 3 words (w0, w1) of each column of the kernel, row 2 of columns (0, 1) and of
 * column (2, -), its bias with the input's zero point folded in, a zero, and its mcu_scale.
 * Scratch: 48 bytes for two columns, for at most MCU_STRIP output columns and one more.
 *
 * Bound: for an output 5 multiplications, 6 cycles of loads, about 10 of requantisation and 11 for the strip:
 * about 32 cycles. */
#include "mcu_depthwise.h"

static int32_t element(const mcu_depthwise_params *p, const mcu_rows *rows, int32_t row, int32_t x,
                       int32_t channel) {
    const int8_t *in = rows->in[row];
    const int inside = in != NULL && x >= 0 && x < rows->in_width;
    return inside ? mcu_load32(in + x * p->channels + channel) : p->zero_point;
}

/* Pair two words of four channels: to[0], to[step], ... hold (first, second) of channels 0, 1, ... */
static void transpose_pair(int32_t first, int32_t second, int32_t *to, int32_t step) {
    const int32_t first02 = mcu_sxtb16(first), first13 = mcu_sxtb16_ror8(first);
    const int32_t second02 = mcu_sxtb16(second), second13 = mcu_sxtb16_ror8(second);
    to[0] = mcu_pkhbt(first02, second02);
    to[step] = mcu_pkhbt(first13, second13);
    to[2 * step] = mcu_pkhtb(second02, first02);
    to[3 * step] = mcu_pkhtb(second13, first13);
}

/* For each of `pairs` pairs of columns three words a channel: rows (0, 1) of either, row 2 of both. */
static void fill_strip(const mcu_depthwise_params *p, const mcu_rows *rows, int32_t channel, int32_t x,
                       int32_t pairs) {
    int32_t *strip = rows->scratch;
    const int32_t step = 3 * pairs;
    for (int32_t i = 0; i < pairs; i++) {
        transpose_pair(element(p, rows, 0, x, channel), element(p, rows, 1, x, channel), strip, step);
        transpose_pair(element(p, rows, 0, x + 1, channel), element(p, rows, 1, x + 1, channel), strip + 1,
                       step);
        transpose_pair(element(p, rows, 2, x, channel), element(p, rows, 2, x + 1, channel), strip + 2, step);
        strip += 3;
        x += 2;
    }
}

static void convolve_channel(const mcu_depthwise_params *p, const int32_t *stream, const int32_t *strip,
                             int8_t *out, int32_t width) {
    const mcu_scale *scale = (const mcu_scale *)(stream + 7);
    for (; width > 0; width--) {
        int32_t sum = stream[5];
        sum = mcu_smlad(strip[0], stream[0], sum);
        sum = mcu_smlad(strip[1], stream[1], sum);
        sum = mcu_smlad(strip[3], stream[2], sum);
        sum = mcu_smlad(strip[2], stream[3], sum);
        sum = mcu_smlabb(strip[5], stream[4], sum);
        *out = mcu_depthwise_output(p, sum, scale);
        out += p->channels;
        strip += 3;
    }
}

void mcu_depthwise_3x3_s2(const void *params, const mcu_rows *rows) {
    const mcu_depthwise_params *p = params;
    for (int32_t x = 0; x < rows->out_width; x += MCU_STRIP) {
        const int32_t left = rows->out_width - x;
        const int32_t width = left < MCU_STRIP ? left : MCU_STRIP;
        const int32_t *stream = p->stream;
        for (int32_t channel = 0; channel < p->channels; channel += 4) {
            fill_strip(p, rows, channel, rows->in_x0 + 2 * x, width + 1);
            const int32_t *strip = rows->scratch;
            for (int32_t i = channel; i < channel + 4; i++) {
                convolve_channel(p, stream, strip, rows->out[0] + x * p->channels + i, width);
                stream += MCU_DEPTHWISE_3X3_WORDS;
                strip += 3 * (width + 1);
            }
        }
    }
}
