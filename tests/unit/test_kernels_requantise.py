"""The fast requantisation equals the reference's wherever the lowering allows it."""

from __future__ import annotations

import ctypes

import numpy as np
from host_kernels import library
from hypothesis import given, settings
from hypothesis import strategies as st

from mcusim.compiler.lowering.scaling import Interval, prove_scales
from mcusim.network.quantise import MatrixConstants, multiply_by_quantised_multiplier

MANTISSAS = st.one_of(
    st.integers(1 << 30, (1 << 31) - 1), st.sampled_from([1 << 30, (1 << 31) - 1, 3 << 29, 0x60000001])
)
ZERO_POINTS = st.integers(-128, 127)


def constants_of(mantissa: int, shift: int, zero_point: int, act_min: int, act_max: int) -> MatrixConstants:
    return MatrixConstants(
        multipliers=np.array([mantissa], np.int32),
        shifts=np.array([shift], np.int32),
        bias=np.zeros(1, np.int32),
        in_zp=0,
        out_zp=zero_point,
        act_min=act_min,
        act_max=act_max,
    )


def expected(acc: int, mantissa: int, shift: int, zero_point: int) -> int:
    return int(multiply_by_quantised_multiplier(acc, mantissa, shift)) + zero_point


def accumulators_near_ties(mantissa: int, shift: int, output: int) -> list[int]:
    """Accumulators around the one whose output lies half way between two integers."""
    centre = round((output + 0.5) * 2.0 ** (31 - shift) / mantissa)
    return [centre + i for i in range(-3, 4)]


@given(MANTISSAS, st.integers(-31, -1), ZERO_POINTS, st.integers(-(1 << 30) + 1, (1 << 30) - 1))
@settings(max_examples=400, deadline=None)
def test_fast_scale_equals_the_reference(mantissa: int, shift: int, zero_point: int, acc: int) -> None:
    interval = Interval(np.array([-abs(acc)]), np.array([abs(acc)]))
    scales = prove_scales(interval, constants_of(mantissa, shift, zero_point, -128, 127))
    if scales is None:
        return
    scale = scales[0]
    result = library().probe_scale(acc, scale.multiplier, scale.offset, scale.exponent)
    clamped = min(max(result, -128), 127)
    assert clamped == min(max(expected(acc, mantissa, shift, zero_point), -128), 127)


@given(MANTISSAS, st.integers(-20, -1), ZERO_POINTS, st.integers(-300, 300))
@settings(max_examples=300, deadline=None)
def test_fast_scale_equals_the_reference_around_ties(
    mantissa: int, shift: int, zero_point: int, output: int
) -> None:
    offset = (1 << (-shift - 1)) + (zero_point << -shift)
    for acc in accumulators_near_ties(mantissa, shift, output):
        if abs(acc) < 1 << 30:
            result = library().probe_scale(acc, mantissa, offset, -shift)
            assert result == expected(acc, mantissa, shift, zero_point), acc


@given(MANTISSAS, st.integers(-20, -1), ZERO_POINTS, st.integers(-300, 300))
@settings(max_examples=300, deadline=None)
def test_rectified_scale_differs_only_below_the_zero_point(
    mantissa: int, shift: int, zero_point: int, output: int
) -> None:
    offset = (1 << (-shift - 1)) + (zero_point << -shift)
    for acc in accumulators_near_ties(mantissa, shift, output):
        if abs(acc) < 1 << 30:
            result = library().probe_scale_rectified(acc, mantissa, offset, -shift)
            assert max(result, zero_point) == max(expected(acc, mantissa, shift, zero_point), zero_point)


@given(MANTISSAS, st.integers(-128, 126), st.integers(-4000, 4000))
@settings(max_examples=400, deadline=None)
def test_no_shift_is_exact_where_negative_values_are_cut_off(
    mantissa: int, zero_point: int, acc: int
) -> None:
    interval = Interval(np.array([-4000]), np.array([4000]))
    assert (
        prove_scales(interval, constants_of(mantissa, 0, zero_point, -128, 127)) is None or zero_point == -128
    )
    scales = prove_scales(interval, constants_of(mantissa, 0, zero_point, zero_point, 127))
    assert scales is not None
    wanted = min(max(expected(acc, mantissa, 0, zero_point), zero_point), 127)
    for probe in (library().probe_scale, library().probe_scale_rectified):
        result = probe(acc, scales[0].multiplier, scales[0].offset, scales[0].exponent)
        assert min(max(result, zero_point), 127) == wanted


@given(st.integers(-(1 << 31), (1 << 31) - 1), st.integers(0, (1 << 31) - 1), st.integers(-31, 8))
@settings(max_examples=400, deadline=None)
def test_general_requantisation_equals_the_reference(acc: int, mantissa: int, shift: int) -> None:
    result = library().probe_requantise(acc, mantissa, shift)
    assert result == int(multiply_by_quantised_multiplier(acc, mantissa, shift))


def test_channels_with_one_output_become_constants() -> None:
    interval = Interval(np.array([(1 << 30) - 9]), np.array([(1 << 30) + 9]))
    scales = prove_scales(interval, constants_of(1 << 30, -28, -5, -128, 127))
    assert scales is not None
    assert scales[0].constant
    assert library().probe_scale(12345, 0, scales[0].offset, scales[0].exponent) == 2 - 5


def test_left_shifts_and_large_sums_are_not_proved() -> None:
    wide = Interval(np.array([-1000]), np.array([1000]))
    assert prove_scales(wide, constants_of(1 << 30, 1, 0, -128, 127)) is None
    huge = Interval(np.array([-(1 << 30)]), np.array([1 << 30]))
    assert prove_scales(huge, constants_of(1 << 30, -20, 0, -128, 127)) is None


def test_means_by_multiplication_equal_those_by_division() -> None:
    """For every count up to some beyond the largest that is multiplied: around all sums at which the mean
    changes, and at both ends. Between them it is constant, as either is monotone."""
    steps = np.arange(-129, 129)[:, np.newaxis]
    for count in range(1, 4200):
        edges = (2 * steps + 1) * count // 2 + np.arange(-1, 2)
        sums = np.append(edges.clip(-128 * count, 127 * count), (-128 * count, 127 * count)).astype(np.int32)
        expected = np.sign(sums) * ((2 * np.abs(sums) + count) // (2 * count))
        means = np.empty(sums.size, np.int8)
        library().probe_divide(
            count, ctypes.c_void_p(sums.ctypes.data), sums.size, ctypes.c_void_p(means.ctypes.data)
        )
        np.testing.assert_array_equal(means, expected, err_msg=f"{count} elements")
