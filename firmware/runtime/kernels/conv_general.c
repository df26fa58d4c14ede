/* Convolution, depthwise convolution or dense layer with nothing assumed about their constants: the
 * fallback where the lowering cannot prove the bounds that the fast kernels rely on, or where there is
 * no fast kernel for the shape. Groups and dilation are free.
 *
 * Weights are int8: [out][ky][kx][in] for a convolution, [ky][kx][out] for a depthwise one, as stored in
 * the model. The input's zero point is folded into the biases; sums wrap at 32 bits; rounding is that of
 * mcu_requantise for every multiplier and shift. No scratch. About ten cycles a product. */
#include "mcu_kernels.h"
#include "mcu_requantise.h"

#include <stddef.h>

static int32_t convolve(const mcu_conv_general_params *p, const mcu_rows *rows, int32_t x0, int32_t channel) {
    const int32_t first = channel / p->group_outputs * p->depth;
    const int8_t *weight = p->weights + channel * p->filter_step;
    int32_t sum = p->bias[channel];
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        const int8_t *row = rows->in[ky * p->dilation_h];
        int32_t x = x0;
        for (int32_t kx = 0; kx < p->kernel_w; kx++, x += p->dilation_w) {
            const int inside = row != NULL && x >= 0 && x < rows->in_width;
            const int8_t *pixel = inside ? row + x * p->in_channels + first : NULL;
            for (int32_t i = 0; i < p->depth; i++) {
                const int32_t value = inside ? pixel[i] : p->in_zero_point;
                sum = mcu_add(sum, value * *weight);
                weight += p->weight_step;
            }
        }
    }
    return sum;
}

void mcu_conv_general(const void *params, const mcu_rows *rows) {
    const mcu_conv_general_params *p = params;
    int8_t *out = rows->out[0];
    for (int32_t i = 0; i < rows->out_width; i++) {
        for (int32_t channel = 0; channel < p->out_channels; channel++) {
            const int32_t sum = convolve(p, rows, rows->in_x0 + i * p->stride_w, channel);
            const int32_t value =
                mcu_add(mcu_requantise(sum, p->multipliers[channel], p->shifts[channel]), p->out_zero_point);
            *out++ = (int8_t)mcu_clamp(value, p->act_min, p->act_max);
        }
    }
}
