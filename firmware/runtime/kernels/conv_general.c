/* Convolution or dense layer with nothing assumed about its constants: the fallback where the lowering cannot
 * prove the bounds that gemm.c relies on, or where taps or channels do not lie beside each other. Groups and
 * dilation are free.
 *
 * Weights are int8, [out][ky][kx][in], as stored in the model. Inputs are taken less their zero point, so
 * that taps on padding are left out; sums wrap at 32 bits; rounding is that of mcu_requantise for every
 * multiplier and shift. No scratch.
 *
 * Bound: for four products side by side 2 loads, 4 extensions and 2 SMLAD, 3 cycles a product with the loop;
 * 8 for each that is left over. Products are side by side over the taps of a row, or, in groups or dilated,
 * over the channels of a tap, which takes 12 cycles more; 25 an output to requantise. */
#include "mcu_general.h"

#include <stddef.h>

/* What an output takes of each row: `pieces` of `length` bytes that are `step` apart; their weights follow
 * each other. */
typedef struct span {
    int32_t in;
    int32_t weight;
    int32_t pieces;
    int32_t length;
    int32_t step;
} span;

static span find_span(const mcu_conv_general_params *p, const mcu_rows *rows, int32_t x0) {
    const mcu_reach reach = mcu_find_reach(p, rows, x0);
    const int32_t weight = reach.first * p->depth;
    const span joined = {reach.in, weight, reach.taps > 0, reach.taps * p->depth, 0};
    const span apart = {reach.in, weight, reach.taps, p->depth, reach.step};
    return reach.step == p->depth ? joined : apart;
}

static inline int32_t multiply(const int8_t *in, const int8_t *weights, int32_t count, int32_t minus_zeros,
                               int32_t sum) {
    for (; count >= 4; count -= 4, in += 4, weights += 4) {
        const int32_t x = mcu_load32(in), w = mcu_load32(weights);
        sum = mcu_smlad(mcu_sxtab16(minus_zeros, x), mcu_sxtb16(w), sum);
        sum = mcu_smlad(mcu_sxtab16_ror8(minus_zeros, x), mcu_sxtb16_ror8(w), sum);
    }
    for (; count > 0; count--) {
        sum = mcu_smlabb(mcu_add(*in++, minus_zeros), *weights++, sum);
    }
    return sum;
}

/* The sum of one output, whose group's channels begin at `first`, on top of its bias. */
static int32_t convolve(const mcu_conv_general_params *p, const mcu_rows *rows, const span *each,
                        int32_t first, const int8_t *weights, int32_t sum) {
    const int32_t row_weights = p->kernel_w * p->depth, minus_zeros = mcu_minus_zeros(p);
    for (int32_t ky = 0; ky < p->kernel_h; ky++, weights += row_weights) {
        const int8_t *row = rows->in[ky * p->dilation_h];
        if (row == NULL) {
            continue;
        }
        const int8_t *in = row + each->in + first, *weight = weights + each->weight;
        for (int32_t left = each->pieces; left > 0; left--) {
            sum = multiply(in, weight, each->length, minus_zeros, sum);
            in += each->step;
            weight += each->length;
        }
    }
    return sum;
}

void mcu_conv_general(const void *params, const mcu_rows *rows) {
    const mcu_conv_general_params *p = params;
    const int32_t filter = p->kernel_h * p->kernel_w * p->depth;
    int8_t *out = rows->out[0];
    for (int32_t i = 0; i < rows->out_width; i++) {
        const span each = find_span(p, rows, rows->in_x0 + i * p->stride_w);
        const int8_t *weights = p->weights;
        int32_t channel = 0;
        for (int32_t first = 0; channel < p->out_channels; first += p->depth) {
            for (int32_t left = p->group_outputs; left > 0; left--, channel++, weights += filter) {
                const int32_t sum = convolve(p, rows, &each, first, weights, p->bias[channel]);
                *out++ = mcu_general_output(p, channel, sum);
            }
        }
    }
}
