/* Softmax over the channels of each pixel, int8 in, int8 out with scale 1/256 and zero point -128.
 *
 * The reference's fixed point: differences to the maximum as Q5.26, exponentials as Q0.31, their sum as
 * Q12.19, its reciprocal by three Newton-Raphson steps; every step rounds (mcu_fixed_point.h). No
 * scratch. About 150 cycles an element; rows are a few elements long. */
#include "mcu_fixed_point.h"
#include "mcu_kernels.h"

enum { SUM_INTEGER_BITS = 12, OUTPUT_BITS = 8 };

static int32_t exponential(const mcu_softmax_params *p, int32_t difference) {
    return mcu_exp_of_negative(mcu_requantise(difference, p->multiplier, p->shift));
}

static void softmax_pixel(const mcu_softmax_params *p, const int8_t *in, int8_t *out) {
    int32_t greatest = INT8_MIN, sum = 0;
    for (int32_t c = 0; c < p->channels; c++) {
        greatest = in[c] > greatest ? in[c] : greatest;
    }
    for (int32_t c = 0; c < p->channels; c++) {
        if (in[c] - greatest >= p->diff_min) {
            sum += mcu_divide_pot(exponential(p, in[c] - greatest), SUM_INTEGER_BITS);
        }
    }
    const int32_t headroom = __builtin_clz((uint32_t)sum);
    const int32_t scale = mcu_reciprocal((int32_t)(((uint32_t)sum << headroom) - (1U << 31)));
    const int32_t shift = SUM_INTEGER_BITS - headroom + 31 - OUTPUT_BITS;
    for (int32_t c = 0; c < p->channels; c++) {
        int32_t value = INT8_MIN;
        if (in[c] - greatest >= p->diff_min) {
            value += mcu_divide_pot(mcu_doubling_high(scale, exponential(p, in[c] - greatest)), shift);
        }
        out[c] = (int8_t)mcu_clamp(value, INT8_MIN, INT8_MAX);
    }
}

void mcu_softmax(const void *params, const mcu_rows *rows) {
    const mcu_softmax_params *p = params;
    const int8_t *in = rows->in[0] + rows->in_x0 * p->channels;
    int8_t *out = rows->out[0];
    for (int32_t i = 0; i < rows->out_width; i++) {
        softmax_pixel(p, in, out);
        in += p->channels;
        out += p->channels;
    }
}
