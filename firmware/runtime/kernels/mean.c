/* Mean over a whole row or a whole column of pixels: the steps in which a spatial MEAN is done.
 *
 * The window is kernel_h rows of kernel_w pixels, without padding. The sum less count times the zero point is
 * requantised by a multiplier that contains the division; rounding is that of mcu_requantise. No scratch.
 * About 5 cycles an element. */
#include "mcu_kernels.h"
#include "mcu_requantise.h"

static int32_t window_sum(const mcu_mean_params *p, const mcu_rows *rows, int32_t offset) {
    int32_t sum = 0;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        const int8_t *element = rows->in[ky] + offset;
        for (int32_t kx = 0; kx < p->kernel_w; kx++) {
            sum += *element;
            element += p->channels;
        }
    }
    return sum;
}

void mcu_mean(const void *params, const mcu_rows *rows) {
    const mcu_mean_params *p = params;
    int8_t *out = rows->out[0];
    for (int32_t i = 0; i < rows->out_width; i++) {
        const int32_t x = rows->in_x0 + i * p->kernel_w;
        for (int32_t c = 0; c < p->channels; c++) {
            const int32_t sum = window_sum(p, rows, x * p->channels + c) - p->zero_points;
            const int32_t value = mcu_requantise(sum, p->multiplier, p->shift) + p->out_zero_point;
            *out++ = (int8_t)mcu_clamp(value, INT8_MIN, INT8_MAX);
        }
    }
}
