/* Element-wise product of two tensors of one shape, or of a tensor and one value per channel.
 *
 * A second operand of one pixel (per_channel) is handed in as such for every row. The product of two 9-bit
 * differences is exact; rounding is that of mcu_requantise for every multiplier and shift. In place on the
 * first operand, and on the second of the same shape; no scratch. About 25 cycles an element. */
#include "mcu_kernels.h"
#include "mcu_requantise.h"

static int8_t product(const mcu_mul_params *p, int32_t x1, int32_t x2) {
    const int32_t exact = (x1 - p->zero_point1) * (x2 - p->zero_point2);
    const int32_t value = mcu_requantise(exact, p->multiplier, p->shift) + p->out_zero_point;
    return (int8_t)mcu_clamp(value, p->act_min, p->act_max);
}

void mcu_mul(const void *params, const mcu_rows *rows) {
    const mcu_mul_params *p = params;
    const int32_t first = rows->in_x0 * p->channels;
    const int8_t *in1 = rows->in[0] + first;
    const int8_t *in2 = rows->in2[0] + (p->per_channel ? 0 : first);
    int8_t *out = rows->out[0];
    for (int32_t x = 0; x < rows->out_width; x++) {
        for (int32_t c = 0; c < p->channels; c++) {
            *out++ = product(p, *in1++, in2[c]);
        }
        in2 += p->per_channel ? 0 : p->channels;
    }
}
