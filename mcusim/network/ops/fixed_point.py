"""Exponential, logistic, tanh, reciprocal and logarithm in gemmlowp's 32-bit fixed point.

A value with i integer bits is the stored integer times 2^(i - 31). Algorithms and constants are those of
gemmlowp's fixedpoint.h and of the reference's common.h, step by step, since every step rounds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcusim.network.quantise import (
    Int64Array,
    rounding_divide_by_pot,
    saturating_rounding_doubling_high_mul,
)

INT32_MIN, INT32_MAX = -(1 << 31), (1 << 31) - 1
ONE = INT32_MAX
"""1 without integer bits, as near as it gets."""

EXP_MINUS_ONE_EIGHTH = 1895147668
ONE_THIRD = 715827883
EXP_MINUS_POWERS = (
    (-2, 1672461947),
    (-1, 1302514674),
    (0, 790015084),
    (1, 290630308),
    (2, 39332535),
    (3, 720401),
    (4, 242),
)
"""(e, exp(-2^e)) with no integer bits."""
FORTY_EIGHT_SEVENTEENTHS = 1515870810
"""48/17 with two integer bits."""
MINUS_THIRTY_TWO_SEVENTEENTHS = -1010580540

LOG_2 = 1488522236
SQRT_SQRT_HALF = 1805811301
SQRT_HALF = 1518500250
ONE_QUARTER = 1 << 29
LOG_ALPHA_N, LOG_ALPHA_D, LOG_ALPHA_I, LOG_ALPHA_F = 117049297, 127690142, 1057819769, 638450708
"""Coefficients of the rational approximation of the logarithm around sqrt(sqrt(1/2))."""

_Mul = saturating_rounding_doubling_high_mul


def exp_on_negative_values(a: Int64Array, integer_bits: int) -> Int64Array:
    """exp(a) for a <= 0 with ``integer_bits`` of at most 5; the result has none."""
    fractional_bits = 31 - integer_bits
    quarter = 1 << (fractional_bits - 2)
    fraction = (a & (quarter - 1)) - quarter
    result = _exp_between_minus_one_quarter_and_zero(fraction << integer_bits)
    remainder = fraction - a
    for exponent, factor in EXP_MINUS_POWERS:
        if exponent < integer_bits:
            bit = (remainder >> (fractional_bits + exponent)) & 1
            result = np.where(bit == 1, _Mul(result, factor), result)
    return np.where(a == 0, ONE, result)


def _exp_between_minus_one_quarter_and_zero(a: Int64Array) -> Int64Array:
    """Taylor expansion of exp around -1/8, no integer bits."""
    x = a + (1 << 28)
    x2 = _Mul(x, x)
    x3 = _Mul(x2, x)
    x4_over_4 = rounding_divide_by_pot(_Mul(x2, x2), 2)
    tail = rounding_divide_by_pot(_Mul(x4_over_4 + x3, ONE_THIRD) + x2, 1)
    return EXP_MINUS_ONE_EIGHTH + _Mul(EXP_MINUS_ONE_EIGHTH, x + tail)


def one_over_one_plus_x(x: Int64Array) -> Int64Array:
    """1 / (1 + x) for x in [0, 1), no integer bits."""
    return (_twice_reciprocal(x) << 1).clip(max=INT32_MAX)


def one_minus_x_over_one_plus_x(x: Int64Array) -> Int64Array:
    """(1 - x) / (1 + x) for x in [0, 1], no integer bits."""
    return ((_twice_reciprocal(x) - (1 << 29)) << 2).clip(INT32_MIN, INT32_MAX)


def _twice_reciprocal(x: Int64Array) -> Int64Array:
    """2 / (1 + x) with two integer bits, by three Newton-Raphson steps."""
    half_denominator = (x + ONE + 1) >> 1
    estimate = FORTY_EIGHT_SEVENTEENTHS + _Mul(half_denominator, MINUS_THIRTY_TWO_SEVENTEENTHS)
    for _ in range(3):
        error = (1 << 29) - _Mul(half_denominator, estimate)
        estimate = estimate + (_Mul(estimate, error) << 2)
    return estimate


def logistic(a: Int64Array, integer_bits: int) -> Int64Array:
    """1 / (1 + exp(-a)) with ``integer_bits`` in the argument and none in the result."""
    positive = one_over_one_plus_x(exp_on_negative_values(-np.abs(a), integer_bits))
    result = np.where(a > 0, positive, ONE - positive)
    return np.where(a == 0, 1 << 30, result)


def tanh(a: Int64Array, integer_bits: int) -> Int64Array:
    """tanh(a) with ``integer_bits`` of at most 4 in the argument and none in the result."""
    # One integer bit more reads the same number as twice the argument.
    magnitude = one_minus_x_over_one_plus_x(exp_on_negative_values(-np.abs(a), integer_bits + 1))
    return np.where(a == 0, 0, np.where(a > 0, magnitude, -magnitude))


def reciprocal(x: Int64Array, integer_bits: int) -> tuple[Int64Array, Int64Array]:
    """1 / x as (mantissa without integer bits, bits that x lies above one), for positive x."""
    headroom = 32 - bit_length(x)
    normalised = (x << headroom) - (1 << 31)
    return one_over_one_plus_x(normalised), integer_bits - headroom


def log_of_one_or_more(x: Int64Array, integer_bits: int, result_bits: int) -> Int64Array:
    """log(x) for x >= 1; ``integer_bits`` in the argument, ``result_bits`` in the result."""
    accumulator_bits = result_bits + 1
    quarter = int(rounding_divide_by_pot(ONE_QUARTER, accumulator_bits))
    headroom_a = 31 - bit_length(x)
    ratio_a = _saturating_shift(_Mul(x << headroom_a, SQRT_HALF), 1)
    power_a = _saturate(_saturating_shift(integer_bits - headroom_a - 1, 31 - accumulator_bits) + quarter)
    headroom_b = 31 - bit_length(_Mul(x, SQRT_HALF))
    ratio_b = _saturating_shift(x, headroom_b)
    power_b = _saturate(_saturating_shift(integer_bits - headroom_b, 31 - accumulator_bits) - quarter)
    r = np.minimum(ratio_a, ratio_b)
    p = (r + SQRT_SQRT_HALF + 1) >> 1
    q = 2 * (r - SQRT_SQRT_HALF)
    square = _Mul(q, q)
    numerator = _Mul(q, r) + _Mul(_Mul(q, square), LOG_ALPHA_N)
    denominator = _Mul(p, LOG_ALPHA_I + q + _Mul(LOG_ALPHA_D, square)) + _Mul(LOG_ALPHA_F, q)
    scaled = rounding_divide_by_pot(numerator, accumulator_bits)
    total = _Mul(np.maximum(power_a, power_b), LOG_2) + _Mul(scaled, one_over_one_plus_x(denominator))
    return _saturating_shift(total, 1)


def bit_length(x: Int64Array) -> Int64Array:
    """Position of the highest bit set, counted from 1, of values from 0 to below 2^53."""
    # frexp is exact below 2^53.
    exponents: NDArray[Any] = np.frexp(x.astype(np.float64))[1]
    return exponents.astype(np.int64)


def _saturate(x: Int64Array) -> Int64Array:
    return x.clip(INT32_MIN, INT32_MAX)


def _saturating_shift(x: Int64Array, bits: Int64Array | int) -> Int64Array:
    return _saturate(x << bits)
