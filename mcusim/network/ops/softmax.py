"""SOFTMAX on int8 in gemmlowp's 32-bit fixed point.

A value with i integer bits is the stored integer times 2^(i - 31). The constants are those of
gemmlowp's fixedpoint.h (exp_on_negative_values, one_over_one_plus_x_for_x_in_0_1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcusim.network.graph import Graph, Operator
from mcusim.network.ops import Activation
from mcusim.network.quantise import (
    INT8_MAX,
    INT8_MIN,
    SOFTMAX_INTEGER_BITS,
    Int64Array,
    SoftmaxConstants,
    rounding_divide_by_pot,
    saturating_rounding_doubling_high_mul,
    softmax_constants,
)

ACCUMULATION_INTEGER_BITS = 12
"""Integer bits of the sum of exponentials."""

EXP_MINUS_ONE_EIGHTH = 1895147668
ONE_THIRD = 715827883
EXP_MINUS_POWERS = ((-2, 1672461947), (-1, 1302514674), (0, 790015084), (1, 290630308), (2, 39332535))
"""(e, exp(-2^e)) with no integer bits; the pairs for e = 3 and 4 follow."""
EXP_MINUS_LARGE_POWERS = ((3, 720401), (4, 242))
FORTY_EIGHT_SEVENTEENTHS = 1515870810
"""48/17 with two integer bits."""
MINUS_THIRTY_TWO_SEVENTEENTHS = -1010580540

_FRACTIONAL_BITS = 31 - SOFTMAX_INTEGER_BITS
_INT32_MAX = (1 << 31) - 1
_Mul = saturating_rounding_doubling_high_mul


def softmax(graph: Graph, op: Operator, operands: Sequence[Activation]) -> Activation:
    """Softmax over the last dimension, output scale 1/256 and zero point -128."""
    constants = softmax_constants(graph, op)
    x = operands[0].astype(np.int64)
    differences = x - x.max(axis=-1, keepdims=True)
    counted = differences >= constants.diff_min
    exponentials = exponential_table(constants)[-differences]
    rescaled = rounding_divide_by_pot(exponentials, ACCUMULATION_INTEGER_BITS)
    total = np.where(counted, rescaled, 0).sum(axis=-1, keepdims=True)
    scale, bits_over_unit = reciprocal(total)
    probabilities = rounding_divide_by_pot(_Mul(scale, exponentials), bits_over_unit + 31 - 8)
    out = np.where(counted, probabilities + INT8_MIN, INT8_MIN)
    return out.clip(INT8_MIN, INT8_MAX).astype(np.int8)


def exponential_table(constants: SoftmaxConstants) -> Int64Array:
    """exp(-beta * scale * d) for the differences d = 0..255 to the maximum, no integer bits.

    Entries beyond -diff_min are 0 and never used.
    """
    differences = -np.arange(256, dtype=np.int64)
    usable = differences >= constants.diff_min
    shifted = np.where(usable, differences, 0) << max(constants.shift, 0)
    scaled = _Mul(shifted, constants.multiplier)
    return np.where(usable, exp_on_negative_values(scaled), 0)


def exp_on_negative_values(a: Int64Array) -> Int64Array:
    """exp(a) for a <= 0 with five integer bits; the result has none."""
    quarter = 1 << (_FRACTIONAL_BITS - 2)
    fraction = (a & (quarter - 1)) - quarter
    result = _exp_between_minus_one_quarter_and_zero(fraction << SOFTMAX_INTEGER_BITS)
    remainder = fraction - a
    for exponent, factor in (*EXP_MINUS_POWERS, *EXP_MINUS_LARGE_POWERS):
        bit = (remainder >> (_FRACTIONAL_BITS + exponent)) & 1
        result = np.where(bit == 1, _Mul(result, factor), result)
    return np.where(a == 0, _INT32_MAX, result)


def _exp_between_minus_one_quarter_and_zero(a: Int64Array) -> Int64Array:
    """Taylor expansion of exp around -1/8, no integer bits."""
    x = a + (1 << 28)
    x2 = _Mul(x, x)
    x3 = _Mul(x2, x)
    x4_over_4 = rounding_divide_by_pot(_Mul(x2, x2), 2)
    tail = rounding_divide_by_pot(_Mul(x4_over_4 + x3, ONE_THIRD) + x2, 1)
    return EXP_MINUS_ONE_EIGHTH + _Mul(EXP_MINUS_ONE_EIGHTH, x + tail)


def reciprocal(total: Int64Array) -> tuple[Int64Array, Int64Array]:
    """1 / total as (mantissa without integer bits, bits that the total lies above one).

    ``total`` is positive and has twelve integer bits (GetReciprocal in the reference's common.h).
    """
    headroom = 32 - _bit_length(total)
    normalised = (total << headroom) - (1 << 31)
    return _one_over_one_plus_x(normalised), ACCUMULATION_INTEGER_BITS - headroom


def _bit_length(x: Int64Array) -> Int64Array:
    # frexp is exact below 2^53 and gives the position of the highest bit set.
    exponents: NDArray[Any] = np.frexp(x.astype(np.float64))[1]
    return exponents.astype(np.int64)


def _one_over_one_plus_x(x: Int64Array) -> Int64Array:
    """1 / (1 + x) for x in [0, 1) by three Newton-Raphson steps on two integer bits."""
    half_denominator = (x + _INT32_MAX + 1) >> 1
    estimate = FORTY_EIGHT_SEVENTEENTHS + _Mul(half_denominator, MINUS_THIRTY_TWO_SEVENTEENTHS)
    for _ in range(3):
        error = (1 << 29) - _Mul(half_denominator, estimate)
        estimate = estimate + (_Mul(estimate, error) << 2)
    return (estimate << 1).clip(max=_INT32_MAX)
