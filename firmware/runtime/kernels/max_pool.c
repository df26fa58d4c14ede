/* Max pooling of any window up to 32 rows and any stride; taps outside the input do not count.
 *
 * Four channels at a time by SSUB8 and SEL; channels left over one at a time. No scratch. About 1.5 cycles an
 * element of the window. */
#include "mcu_kernels.h"
#include "mcu_simd.h"

#include <stddef.h>

/* The greatest of four channels, or of the one channel of each byte, in the columns [x0, x1) of all rows. */
static int32_t greatest(const mcu_pool_params *p, const mcu_rows *rows, int32_t x0, int32_t x1,
                        int32_t channel, int four) {
    int32_t result = (int32_t)0x80808080;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        const int8_t *row = rows->in[ky];
        for (int32_t x = x0; row != NULL && x < x1; x++) {
            const int8_t *pixel = row + x * p->channels + channel;
            result = mcu_max8(result, four ? mcu_load32(pixel) : *pixel);
        }
    }
    return result;
}

void mcu_max_pool(const void *params, const mcu_rows *rows) {
    const mcu_pool_params *p = params;
    int8_t *out = rows->out[0];
    for (int32_t i = 0; i < rows->out_width; i++) {
        const int32_t x = rows->in_x0 + i * p->stride_w;
        const int32_t x0 = x < 0 ? 0 : x;
        const int32_t end = x + p->kernel_w;
        const int32_t x1 = end < rows->in_width ? end : rows->in_width;
        int32_t channel = 0;
        for (; channel + 4 <= p->channels; channel += 4) {
            mcu_store32(out + channel, greatest(p, rows, x0, x1, channel, 1));
        }
        for (; channel < p->channels; channel++) {
            out[channel] = (int8_t)(greatest(p, rows, x0, x1, channel, 0) & 0xFF);
        }
        out += p->channels;
    }
    if (p->clamped) {
        mcu_clamp_row(rows->out[0], rows->out_width * p->channels, p->act_min, p->act_max);
    }
}
