/* Softmax over the channels of each pixel, int8 in, int8 out with scale 1/256 and zero point -128.
 *
 * The reference's fixed point: differences to the maximum as Q5.26, exponentials as Q0.31, their sum as
 * Q12.19, its reciprocal by three Newton-Raphson steps; every step rounds as gemmlowp's fixedpoint.h does,
 * whose constants these are. No scratch. About 150 cycles an element; rows are a few elements long. */
#include "mcu_kernels.h"
#include "mcu_requantise.h"

enum { SUM_INTEGER_BITS = 12, OUTPUT_BITS = 8 };

static int32_t saturating_shift_left(int32_t value, int32_t bits) {
    const int32_t limit = INT32_MAX >> bits;
    return value > limit ? INT32_MAX : value < -limit - 1 ? INT32_MIN : mcu_shift_left(value, bits);
}

/* exp(a) for a in [-1/4, 0), both Q0.31: a Taylor series of four terms around -1/8. */
static int32_t exp_of_quarter(int32_t a) {
    const int32_t exp_minus_eighth = 1895147668, third = 715827883;
    const int32_t x = a + (1 << 28);
    const int32_t x2 = mcu_doubling_high(x, x);
    const int32_t x3 = mcu_doubling_high(x2, x);
    const int32_t x4 = mcu_doubling_high(x2, x2);
    const int32_t cubic = mcu_doubling_high(mcu_divide_pot(x4, 2) + x3, third);
    const int32_t series = x + mcu_divide_pot(cubic + x2, 1);
    return exp_minus_eighth + mcu_doubling_high(exp_minus_eighth, series);
}

/* exp(a) as Q0.31 for a <= 0 as Q5.26: exp of the quarter's remainder times exp(-2^k) for every set bit. */
static int32_t exp_of_negative(int32_t a) {
    static const int32_t factors[] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
    const int32_t quarter = 1 << 24;
    if (a == 0) {
        return INT32_MAX;
    }
    const int32_t remainder = (a & (quarter - 1)) - quarter;
    const int32_t quarters = remainder - a;
    int32_t result = exp_of_quarter(mcu_shift_left(remainder, 5));
    for (int32_t i = 0; i < 7; i++) {
        if ((quarters & (quarter << i)) != 0) {
            result = mcu_doubling_high(result, factors[i]);
        }
    }
    return result;
}

/* 1 / (1 + a) for a in [0, 1), both Q0.31. */
static int32_t reciprocal(int32_t a) {
    const int32_t one_q2 = 1 << 29, start = 1515870810, slope = -1010580540; /* 48/17, -32/17 */
    const int32_t half = (int32_t)(((int64_t)a + INT32_MAX + 1) / 2);
    int32_t x = start + mcu_doubling_high(half, slope);
    for (int32_t i = 0; i < 3; i++) {
        const int32_t error = one_q2 - mcu_doubling_high(half, x);
        x += saturating_shift_left(mcu_doubling_high(x, error), 2);
    }
    return saturating_shift_left(x, 1);
}

static int32_t exponential(const mcu_softmax_params *p, int32_t difference) {
    return exp_of_negative(mcu_doubling_high(mcu_shift_left(difference, p->shift), p->multiplier));
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
    const int32_t scale = reciprocal((int32_t)(((uint32_t)sum << headroom) - (1U << 31)));
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
