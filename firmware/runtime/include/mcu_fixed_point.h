/* Exponential and reciprocal in gemmlowp's 32-bit fixed point, step by step as its fixedpoint.h has them,
 * since every step rounds; Qi.f has i integer and f fractional bits. */
#ifndef MCU_FIXED_POINT_H
#define MCU_FIXED_POINT_H

#include "mcu_requantise.h"

static inline int32_t mcu_saturating_shift_left(int32_t value, int32_t bits) {
    const int32_t limit = INT32_MAX >> bits;
    return value > limit ? INT32_MAX : value < -limit - 1 ? INT32_MIN : mcu_shift_left(value, bits);
}

/* exp(a) for a in [-1/4, 0), both Q0.31: a Taylor series of four terms around -1/8. */
static inline int32_t mcu_exp_of_quarter(int32_t a) {
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
static inline int32_t mcu_exp_of_negative(int32_t a) {
    static const int32_t factors[] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
    const int32_t quarter = 1 << 24;
    if (a == 0) {
        return INT32_MAX;
    }
    const int32_t remainder = (a & (quarter - 1)) - quarter;
    const int32_t quarters = remainder - a;
    int32_t result = mcu_exp_of_quarter(mcu_shift_left(remainder, 5));
    for (int32_t i = 0; i < 7; i++) {
        if ((quarters & (quarter << i)) != 0) {
            result = mcu_doubling_high(result, factors[i]);
        }
    }
    return result;
}

/* 1 / (1 + a) for a in [0, 1), both Q0.31. */
static inline int32_t mcu_reciprocal(int32_t a) {
    const int32_t one_q2 = 1 << 29, start = 1515870810, slope = -1010580540; /* 48/17, -32/17 */
    const int32_t half = (int32_t)(((int64_t)a + INT32_MAX + 1) / 2);
    int32_t x = start + mcu_doubling_high(half, slope);
    for (int32_t i = 0; i < 3; i++) {
        const int32_t error = one_q2 - mcu_doubling_high(half, x);
        x += mcu_saturating_shift_left(mcu_doubling_high(x, error), 2);
    }
    return mcu_saturating_shift_left(x, 1);
}

#endif
