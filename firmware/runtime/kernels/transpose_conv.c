/* Transposed convolution: every output element gathers the taps that fall on it.
 *
 * Sees whole tensors. Weights are int8 [out][ky][kx][in] as stored; a tap (ky, kx) of output pixel (y, x)
 * reads input pixel ((y + pad - ky) / stride, ...) where the division has no remainder. Sums wrap at 32 bits;
 * rounding is that of mcu_requantise for every multiplier and shift. No scratch. About six cycles a product.
 */
#include "mcu_kernels.h"
#include "mcu_requantise.h"

/* Sum over one input pixel. */
static int32_t dot(const int8_t *pixel, const int8_t *weight, int32_t count, int32_t zero_point) {
    int32_t sum = 0;
    for (; count > 0; count--) {
        sum += (*pixel++ - zero_point) * *weight++;
    }
    return sum;
}

static int32_t gather(const mcu_transpose_conv_params *p, const int8_t *in, int32_t y, int32_t x,
                      const int8_t *weights) {
    const int32_t channels = p->in_channels;
    int32_t sum = 0;
    int32_t row = (y + p->pad_top) / p->stride_h;
    for (int32_t ky = (y + p->pad_top) % p->stride_h; ky < p->kernel_h; ky += p->stride_h, row--) {
        int32_t column = (x + p->pad_left) / p->stride_w;
        for (int32_t kx = (x + p->pad_left) % p->stride_w; kx < p->kernel_w; kx += p->stride_w, column--) {
            if (row >= 0 && row < p->in_height && column >= 0 && column < p->in_width) {
                const int8_t *pixel = in + (row * p->in_width + column) * channels;
                const int8_t *weight = weights + (ky * p->kernel_w + kx) * channels;
                sum = mcu_add(sum, dot(pixel, weight, channels, p->in_zero_point));
            }
        }
    }
    return sum;
}

void mcu_transpose_conv(const void *params, const mcu_rows *rows) {
    const mcu_transpose_conv_params *p = params;
    const int32_t filter = p->kernel_h * p->kernel_w * p->in_channels;
    int8_t *out = rows->out[0];
    for (int32_t y = 0; y < p->out_height; y++) {
        for (int32_t x = 0; x < p->out_width; x++) {
            for (int32_t c = 0; c < p->out_channels; c++) {
                const int32_t sum =
                    mcu_add(p->bias[c], gather(p, rows->in[0], y, x, p->weights + c * filter));
                const int32_t value =
                    mcu_add(mcu_requantise(sum, p->multipliers[c], p->shifts[c]), p->out_zero_point);
                *out++ = (int8_t)mcu_clamp(value, p->act_min, p->act_max);
            }
        }
    }
}
