/* Element-wise sum or difference with the reference's three steps, each with its double rounding: both
 * operands, widened by 20 bits, are brought to a common scale, added, and brought to the output's scale.
 *
 * One of the operands may be a single pixel, which is handed in as such for every row. Any constants; in
 * place on an operand of full size; no scratch. About 60 cycles an element: the lowering takes add_linear.c
 * where it proves that kernel equal. */
#include "mcu_elementwise.h"
#include "mcu_requantise.h"

enum { ADD_LEFT_SHIFT = 20 };

static int8_t sum_of(const void *params, int32_t x1, int32_t x2) {
    const mcu_add_exact_params *p = params;
    const int32_t wide1 = mcu_shift_left(x1 - p->zero_point1, ADD_LEFT_SHIFT);
    const int32_t wide2 = mcu_shift_left(x2 - p->zero_point2, ADD_LEFT_SHIFT);
    const int32_t addend = mcu_requantise(wide2, p->multiplier2, p->shift2);
    const int32_t sum = mcu_add(mcu_requantise(wide1, p->multiplier1, p->shift1), p->sign2 * addend);
    const int32_t value = mcu_requantise(sum, p->out_multiplier, p->out_shift) + p->out_zero_point;
    return (int8_t)mcu_clamp(value, p->act_min, p->act_max);
}

void mcu_add_exact(const void *params, const mcu_rows *rows) {
    const mcu_add_exact_params *p = params;
    mcu_operate(p, rows, p->channels, p->single, sum_of);
}
