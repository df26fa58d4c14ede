/* Element-wise product of two tensors of one shape, or of a tensor and a single pixel.
 *
 * The single pixel is handed in as such for every row. The product of two 9-bit differences is exact;
 * rounding is that of mcu_requantise for every multiplier and shift. In place on an operand of full size; no
 * scratch. About 25 cycles an element. */
#include "mcu_elementwise.h"
#include "mcu_requantise.h"

static int8_t product(const void *params, int32_t x1, int32_t x2) {
    const mcu_mul_params *p = params;
    const int32_t exact = (x1 - p->zero_point1) * (x2 - p->zero_point2);
    const int32_t value = mcu_requantise(exact, p->multiplier, p->shift) + p->out_zero_point;
    return (int8_t)mcu_clamp(value, p->act_min, p->act_max);
}

void mcu_mul(const void *params, const mcu_rows *rows) {
    const mcu_mul_params *p = params;
    mcu_operate(p, rows, p->channels, p->single, product);
}
