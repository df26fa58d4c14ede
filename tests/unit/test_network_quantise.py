"""Requantisation arithmetic against literal transcriptions of the C reference."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mcusim.network.graph import Activation, Quantisation
from mcusim.network.quantise import (
    activation_range,
    multiply_by_quantised_multiplier,
    quantise_multiplier,
    rounding_divide_by_pot,
    saturating_rounding_doubling_high_mul,
)

INT32 = st.integers(-(1 << 31), (1 << 31) - 1)
MANTISSA = st.integers(1 << 30, (1 << 31) - 1)


def c_division(a: int, b: int) -> int:
    """Division that truncates, as C's does."""
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def reference_high_mul(a: int, b: int) -> int:
    if a == b == -(1 << 31):
        return (1 << 31) - 1
    product = a * b
    nudge = 1 << 30 if product >= 0 else 1 - (1 << 30)
    return c_division(product + nudge, 1 << 31)


def reference_divide_by_pot(x: int, exponent: int) -> int:
    mask = (1 << exponent) - 1
    threshold = (mask >> 1) + (1 if x < 0 else 0)
    return (x >> exponent) + (1 if (x & mask) > threshold else 0)


@given(INT32, INT32)
@example(-(1 << 31), -(1 << 31))
@example(1 << 15, -(1 << 15))
def test_high_multiplication(a: int, b: int) -> None:
    assert int(saturating_rounding_doubling_high_mul(a, b)) == reference_high_mul(a, b)


@given(INT32, st.integers(0, 31))
@example(-2, 2)
@example(2, 2)
@example(-1, 0)
def test_division_by_a_power_of_two(x: int, exponent: int) -> None:
    assert int(rounding_divide_by_pot(x, exponent)) == reference_divide_by_pot(x, exponent)


@given(INT32, MANTISSA, st.integers(-31, 0))
def test_requantisation_rounds_twice(x: int, mantissa: int, shift: int) -> None:
    expected = reference_divide_by_pot(reference_high_mul(x, mantissa), -shift)
    assert int(multiply_by_quantised_multiplier(x, mantissa, shift)) == expected


@given(st.integers(-1000, 1000), MANTISSA, st.integers(1, 20))
def test_left_shifts_come_before_the_product(x: int, mantissa: int, shift: int) -> None:
    assert int(multiply_by_quantised_multiplier(x, mantissa, shift)) == reference_high_mul(
        x << shift, mantissa
    )


def test_double_rounding_is_not_single_rounding() -> None:
    # 5 * 0.75 / 8 = 0.46875, but 3.75 rounds to 4 first and 4 / 8 is a tie away from zero.
    mantissa, shift = quantise_multiplier(0.75 / 8)
    assert int(multiply_by_quantised_multiplier(5, mantissa, shift)) == 1


@given(st.floats(2.0**-31, 2.0**20))
def test_multiplier_is_within_half_a_unit(real: float) -> None:
    mantissa, shift = quantise_multiplier(real)
    assert 1 << 30 <= mantissa < 1 << 31
    error = abs(Fraction(mantissa) * Fraction(2) ** (shift - 31) - Fraction(real))
    assert error <= Fraction(2) ** (shift - 31) / 2


@pytest.mark.parametrize(("real", "pair"), [(0.0, (0, 0)), (2.0**-33, (0, 0)), (2.0**-32, (1 << 30, -31))])
def test_multipliers_of_dead_channels_vanish(real: float, pair: tuple[int, int]) -> None:
    assert quantise_multiplier(real) == pair


def test_a_mantissa_that_rounds_up_to_one_is_renormalised() -> None:
    assert quantise_multiplier(math.nextafter(1.0, 0.0)) == (1 << 30, 1)


@pytest.mark.parametrize(
    ("activation", "scale", "zero_point", "expected"),
    [
        (Activation.NONE, 0.1, 3, (-128, 127)),
        (Activation.RELU, 0.1, 3, (3, 127)),
        (Activation.RELU6, 6 / 255, -128, (-128, 127)),
        (Activation.RELU6, 0.1, 3, (3, 63)),
        (Activation.RELU_N1_TO_1, 0.1, 3, (-7, 13)),
        (Activation.RELU_N1_TO_1, 0.4, 0, (-3, 3)),
    ],
)
def test_activation_ranges(
    activation: Activation, scale: float, zero_point: int, expected: tuple[int, int]
) -> None:
    stored = Quantisation((float(np.float32(scale)),), (zero_point,))
    assert activation_range(activation, stored) == expected
