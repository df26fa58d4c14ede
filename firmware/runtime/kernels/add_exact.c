/* Element-wise sum with the reference's three steps, each with its double rounding: both operands,
 * widened by 20 bits, are brought to a common scale, added, and brought to the output's scale.
 *
 * Any constants; in place on either operand; no scratch. About 60 cycles an element: the lowering takes
 * add_linear.c where it proves that kernel equal. */
#include "mcu_kernels.h"
#include "mcu_requantise.h"

enum { ADD_LEFT_SHIFT = 20 };

void mcu_add_exact(const void *params, const mcu_rows *rows) {
    const mcu_add_exact_params *p = params;
    const int32_t first = rows->in_x0 * p->channels;
    const int8_t *in1 = rows->in[0] + first;
    const int8_t *in2 = rows->in2[0] + first;
    int8_t *out = rows->out[0];
    for (int32_t left = rows->out_width * p->channels; left > 0; left--) {
        const int32_t wide1 = mcu_shift_left(*in1++ - p->zero_point1, ADD_LEFT_SHIFT);
        const int32_t wide2 = mcu_shift_left(*in2++ - p->zero_point2, ADD_LEFT_SHIFT);
        const int32_t sum = mcu_add(mcu_requantise(wide1, p->multiplier1, p->shift1),
                                    mcu_requantise(wide2, p->multiplier2, p->shift2));
        const int32_t value = mcu_requantise(sum, p->out_multiplier, p->out_shift) + p->out_zero_point;
        *out++ = (int8_t)mcu_clamp(value, p->act_min, p->act_max);
    }
}
