/* Depthwise 3x3 convolution, stride 1, channels a multiple of four, two output rows a call.
 *
 * Four channels at a time: a strip of columns is transposed in the scratch into words that hold one
 * channel's rows (0, 1) and (2, 3) of the four input rows of a pair of output rows. Two output rows and
 * two output columns are then computed at once; each column costs four multiplications for two outputs.
 * Padding is written into the strip, so that the inner loop has no bounds tests.
 *
 * Stream: for each channel 6 words of weights, (w0, w1) and (w1, w2) of each column of the kernel from left
 * to right, its bias with the input's zero point folded in, and its mcu_scale.
 * Scratch: 32 bytes a column, for at most MCU_STRIP output columns and 2 more.
 *
 * Bound: for four outputs 24 multiplications, 12 cycles of loads, about 10 cycles of requantisation each,
 * and 7 cycles a column and channel for the strip: about 23 cycles an output. */
#include "mcu_depthwise.h"

/* Transpose one row pair of a column: four channels, `step` words apart. */
static void transpose_pair(int32_t top, int32_t bottom, int32_t *to, int32_t step) {
    const int32_t top02 = mcu_sxtb16(top), top13 = mcu_sxtb16_ror8(top);
    const int32_t bottom02 = mcu_sxtb16(bottom), bottom13 = mcu_sxtb16_ror8(bottom);
    to[0] = mcu_pkhbt(top02, bottom02);
    to[step] = mcu_pkhbt(top13, bottom13);
    to[2 * step] = mcu_pkhtb(bottom02, top02);
    to[3 * step] = mcu_pkhtb(bottom13, top13);
}

static void fill_strip(const mcu_depthwise_params *p, const mcu_rows *rows, int32_t channel, int32_t x0,
                       int32_t columns) {
    int32_t *strip = rows->scratch;
    const int32_t rows_in = rows->rows + 2;
    for (int32_t x = x0; x < x0 + columns; x++) {
        int32_t word[4];
        for (int32_t i = 0; i < 4; i++) {
            const int8_t *row = i < rows_in ? rows->in[i] : NULL;
            const int inside = row != NULL && x >= 0 && x < rows->in_width;
            word[i] = inside ? mcu_load32(row + x * p->channels + channel) : p->zero_point;
        }
        transpose_pair(word[0], word[1], strip, 2 * columns);
        transpose_pair(word[2], word[3], strip + 1, 2 * columns);
        strip += 2;
    }
}

typedef struct outputs {
    int8_t *top;
    int8_t *bottom;
} outputs;

/* One channel of `width` output columns (and of one more where width is odd, not stored). */
static void convolve_channel(const mcu_depthwise_params *p, const int32_t *stream, const int32_t *strip,
                             outputs out, int32_t width) {
    const int32_t bias = stream[6];
    const mcu_scale *scale = (const mcu_scale *)(stream + 7);
    for (; width > 0; width -= 2) {
        int32_t left_top = bias, left_bottom = bias, right_top = bias, right_bottom = bias;
        for (int32_t kx = 0; kx < 3; kx++) {
            const int32_t w01 = stream[2 * kx], w12 = stream[2 * kx + 1];
            const int32_t p0 = strip[2 * kx], q0 = strip[2 * kx + 1];
            const int32_t p1 = strip[2 * kx + 2], q1 = strip[2 * kx + 3];
            left_top = mcu_smlabt(q0, w12, mcu_smlad(p0, w01, left_top));
            left_bottom = mcu_smlatb(p0, w01, mcu_smlad(q0, w12, left_bottom));
            right_top = mcu_smlabt(q1, w12, mcu_smlad(p1, w01, right_top));
            right_bottom = mcu_smlatb(p1, w01, mcu_smlad(q1, w12, right_bottom));
        }
        out.bottom[0] = mcu_depthwise_output(p, left_bottom, scale);
        out.top[0] = mcu_depthwise_output(p, left_top, scale);
        if (width > 1) {
            out.bottom[p->channels] = mcu_depthwise_output(p, right_bottom, scale);
            out.top[p->channels] = mcu_depthwise_output(p, right_top, scale);
        }
        out.top += 2 * p->channels;
        out.bottom += 2 * p->channels;
        strip += 4;
    }
}

void mcu_depthwise_3x3_s1(const void *params, const mcu_rows *rows) {
    const mcu_depthwise_params *p = params;
    for (int32_t x = 0; x < rows->out_width; x += MCU_STRIP) {
        const int32_t left = rows->out_width - x;
        const int32_t width = left < MCU_STRIP ? left : MCU_STRIP;
        const int32_t columns = ((width + 1) & ~1) + 2;
        const int32_t *stream = p->stream;
        for (int32_t channel = 0; channel < p->channels; channel += 4) {
            fill_strip(p, rows, channel, rows->in_x0 + x, columns);
            const int32_t *strip = rows->scratch;
            for (int32_t i = channel; i < channel + 4; i++) {
                outputs out;
                out.top = rows->out[0] + x * p->channels + i;
                /* Of a single row the bottom one is written to the top one's place, before it. */
                out.bottom = rows->rows > 1 ? rows->out[1] + x * p->channels + i : out.top;
                convolve_channel(p, stream, strip, out, width);
                stream += MCU_DEPTHWISE_3X3_WORDS;
                strip += 2 * columns;
            }
        }
    }
}
