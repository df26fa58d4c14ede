/* From a 32-bit accumulator to an int8 output, exactly as the TensorFlow Lite Micro reference does it:
 * a doubling high multiplication that rounds (ties upwards), then a division by a power of two that rounds
 * again (ties away from zero), zero point, saturation. */
#ifndef MCU_REQUANTISE_H
#define MCU_REQUANTISE_H

#include "mcu_simd.h"

/* Requantisation of one channel where the lowering has proved that it needs no left shift and that
 * nothing below overflows: multiplier is a Q31 mantissa (or 0), exponent e is 1 to 31 and offset is
 * (1 << (e - 1)) + (output zero point << e). Where the activation cuts off what lies below the zero point,
 * e may be 0, with the zero point as its offset. */
typedef struct mcu_scale {
    int32_t multiplier;
    int32_t offset;
    int32_t exponent;
} mcu_scale;

/* Both roundings with five instructions, for |acc| < 2^30, without saturation to int8.
 *
 * With v = round(acc * multiplier / 2^31), the reference adds 2^(e-1) - (v < 0) and shifts by e. The sign
 * of acc may stand for that of v: they differ only where v is 0, and then 2^(e-1) - 1 >= 0 shifts to 0
 * as 2^(e-1) does. SMMLAR adds the offset into the high word, so its rounding is that of v alone.
 *
 * The sign matters only to ties of negative values. Where the activation cuts off everything below the
 * output's zero point ("rectified": RELU, RELU6), negative values come out as its lower end either way, and
 * kernels leave the sign out. */
static inline int32_t mcu_scale_apply(int32_t acc, const mcu_scale *scale) {
    const int32_t offset = mcu_add(scale->offset, acc >> 31);
    return mcu_smmlar(mcu_shift_left(acc, 1), scale->multiplier, offset) >> scale->exponent;
}

/* round(a * b / 2^31), ties upwards; a and b are not both -2^31. */
static inline int32_t mcu_doubling_high(int32_t a, int32_t b) {
    return (int32_t)(((int64_t)a * b + (1 << 30)) >> 31);
}

/* value / 2^exponent, ties away from zero; exponent 0 to 31. */
static inline int32_t mcu_divide_pot(int32_t value, int32_t exponent) {
    const int32_t mask = (int32_t)((1U << exponent) - 1U);
    const int32_t remainder = value & mask;
    const int32_t threshold = (int32_t)((uint32_t)mask >> 1) + (value < 0);
    return (value >> exponent) + (remainder > threshold);
}

/* value * multiplier * 2^(shift - 31) for every value, multiplier and shift (-31 to 30). */
static inline int32_t mcu_requantise(int32_t value, int32_t multiplier, int32_t shift) {
    const int32_t left = shift > 0 ? shift : 0;
    return mcu_divide_pot(mcu_doubling_high(mcu_shift_left(value, left), multiplier), left - shift);
}

static inline int32_t mcu_clamp(int32_t value, int32_t low, int32_t high) {
    return value < low ? low : value > high ? high : value;
}

#endif
