/* Depthwise convolution with nothing assumed about its constants: the fallback where the lowering cannot
 * prove the bounds that the other kernels rely on, where channels are no multiple of four, where there are
 * several outputs of a channel, or where the window is dilated or larger than theirs.
 *
 * Weights are int8, [ky][kx][out], as stored in the model. Four outputs side by side are summed up at a time;
 * the last four may be some of those before them again. Inputs are taken less their zero point, so that taps
 * on padding are left out; sums wrap at 32 bits; rounding is that of mcu_requantise for every multiplier and
 * shift. No scratch.
 *
 * Bound: for four outputs 14 cycles a tap (20 with several outputs of a channel), 10 a row of the window and
 * 25 an output to requantise; of less than four outputs 11 cycles a tap and output. */
#include "mcu_general.h"

#include <stddef.h>

/* Four outputs: where they begin, and the bytes from a pixel to the channel of each. */
typedef struct block {
    int32_t output;
    int32_t channel[4];
} block;

static inline void multiply_side_by_side(const int8_t *in, int32_t w, int32_t minus_zeros, int32_t *sums) {
    const int32_t x = mcu_load32(in), w02 = mcu_sxtb16(w), w13 = mcu_sxtb16_ror8(w);
    const int32_t x02 = mcu_sxtab16(minus_zeros, x), x13 = mcu_sxtab16_ror8(minus_zeros, x);
    sums[0] = mcu_smlabb(x02, w02, sums[0]);
    sums[1] = mcu_smlabb(x13, w13, sums[1]);
    sums[2] = mcu_smlatt(x02, w02, sums[2]);
    sums[3] = mcu_smlatt(x13, w13, sums[3]);
}

static inline void multiply_spread(const int8_t *pixel, const block *at, int32_t w, int32_t minus_zeros,
                                   int32_t *sums) {
    const int32_t w02 = mcu_sxtb16(w), w13 = mcu_sxtb16_ror8(w);
    sums[0] = mcu_smlabb(mcu_add(pixel[at->channel[0]], minus_zeros), w02, sums[0]);
    sums[1] = mcu_smlabb(mcu_add(pixel[at->channel[1]], minus_zeros), w13, sums[1]);
    sums[2] = mcu_smlabt(mcu_add(pixel[at->channel[2]], minus_zeros), w02, sums[2]);
    sums[3] = mcu_smlabt(mcu_add(pixel[at->channel[3]], minus_zeros), w13, sums[3]);
}

/* `spread`: whether the outputs' channels are others than four side by side. Inlined, so that the loops know.
 */
__attribute__((always_inline)) static inline void convolve_block(const mcu_conv_general_params *p,
                                                                 const mcu_rows *rows, const mcu_reach *reach,
                                                                 const block *at, int spread, int8_t *out) {
    const int32_t outputs = p->out_channels, step = reach->step, minus_zeros = mcu_minus_zeros(p);
    const int8_t *weights = p->weights + reach->first * outputs + at->output;
    const int32_t *bias = p->bias + at->output;
    int32_t sums[4] = {bias[0], bias[1], bias[2], bias[3]};
    for (int32_t ky = 0; ky < p->kernel_h; ky++, weights += p->kernel_w * outputs) {
        const int8_t *row = rows->in[ky * p->dilation_h], *weight = weights;
        if (row == NULL) {
            continue;
        }
        row += reach->in + (spread ? 0 : at->channel[0]);
        for (int32_t left = reach->taps; left > 0; left--, row += step, weight += outputs) {
            if (spread) {
                multiply_spread(row, at, mcu_load32(weight), minus_zeros, sums);
            } else {
                multiply_side_by_side(row, mcu_load32(weight), minus_zeros, sums);
            }
        }
    }
    /* Not a loop: sums would go through memory, in the loops above too. */
    out += at->output;
    out[0] = mcu_general_output(p, at->output, sums[0]);
    out[1] = mcu_general_output(p, at->output + 1, sums[1]);
    out[2] = mcu_general_output(p, at->output + 2, sums[2]);
    out[3] = mcu_general_output(p, at->output + 3, sums[3]);
}

static void convolve_one(const mcu_conv_general_params *p, const mcu_rows *rows, const mcu_reach *reach,
                         int32_t output, int8_t *out) {
    const int32_t outputs = p->out_channels, step = reach->step, minus_zeros = mcu_minus_zeros(p);
    const int8_t *weights = p->weights + reach->first * outputs + output;
    int32_t sum = p->bias[output];
    for (int32_t ky = 0; ky < p->kernel_h; ky++, weights += p->kernel_w * outputs) {
        const int8_t *row = rows->in[ky * p->dilation_h], *weight = weights;
        if (row == NULL) {
            continue;
        }
        row += reach->in + output / p->group_outputs;
        for (int32_t left = reach->taps; left > 0; left--, row += step, weight += outputs) {
            sum = mcu_smlabb(mcu_add(*row, minus_zeros), *weight, sum);
        }
    }
    out[output] = mcu_general_output(p, output, sum);
}

static void convolve_pixel(const mcu_conv_general_params *p, const mcu_rows *rows, const mcu_reach *reach,
                           int8_t *out) {
    const int32_t outputs = p->out_channels, group = p->group_outputs;
    for (int32_t i = 0; outputs < 4 && i < outputs; i++) {
        convolve_one(p, rows, reach, i, out);
    }
    for (int32_t done = 0; outputs >= 4 && done < outputs; done += 4) {
        const int32_t i = done + 4 <= outputs ? done : outputs - 4;
        if (group == 1) {
            const block at = {i, {i}};
            convolve_block(p, rows, reach, &at, 0, out);
        } else {
            const block at = {i, {i / group, (i + 1) / group, (i + 2) / group, (i + 3) / group}};
            convolve_block(p, rows, reach, &at, 1, out);
        }
    }
}

void mcu_depthwise_general(const void *params, const mcu_rows *rows) {
    const mcu_conv_general_params *p = params;
    for (int32_t i = 0; i < rows->out_width; i++) {
        const mcu_reach reach = mcu_find_reach(p, rows, rows->in_x0 + i * p->stride_w);
        convolve_pixel(p, rows, &reach, rows->out[0] + i * p->out_channels);
    }
}
