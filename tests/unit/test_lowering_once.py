"""One rounding in place of two, where it is proved to give the same outputs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcusim.compiler.lowering.once import (
    COARSE,
    DEPTHWISE,
    FINE,
    Kind,
    Lane,
    Line,
    constant_line,
    nearest_line,
    prove_line,
)
from mcusim.network.quantise import MatrixConstants, multiply_by_quantised_multiplier

LANES = [lane for kind in (FINE, COARSE) for lane in (kind.low, kind.high)] + [DEPTHWISE.low]
MANTISSAS = st.integers(1 << 30, (1 << 31) - 1)


def constants_of(mantissa: int, exponent: int, zero_point: int, act_min: int = -128) -> MatrixConstants:
    return MatrixConstants(
        multipliers=np.array([mantissa], np.int32),
        shifts=np.array([-exponent], np.int32),
        bias=np.zeros(1, np.int32),
        in_zp=0,
        out_zp=zero_point,
        act_min=act_min,
        act_max=127,
    )


def expected(constants: MatrixConstants, acc: np.ndarray) -> np.ndarray:
    value = multiply_by_quantised_multiplier(acc, constants.multipliers[0], constants.shifts[0])
    return (value + constants.out_zp).clip(constants.act_min, constants.act_max)


def computed(line: Line, unit: int, bits: int, acc: np.ndarray) -> np.ndarray:
    """As the kernels have it: a product's high word, a shift, saturation."""
    word = unit * acc + line.bias
    assert (np.abs(word) < 1 << 31).all()
    return ((line.offset + (word * line.multiplier >> 32)) >> bits).clip(-128, 127)


@pytest.mark.parametrize("lane", LANES)
@given(MANTISSAS, st.integers(1, 12), st.integers(-128, 60), st.integers(0, 1 << 13))
@settings(max_examples=60, deadline=None)
def test_what_is_proved_holds_for_every_accumulator(
    lane: Lane, mantissa: int, exponent: int, zero_point: int, reach: int
) -> None:
    constants = constants_of(mantissa, exponent, zero_point, act_min=zero_point)
    line = prove_line(constants, 0, -reach, 3 * reach, lane)
    if line is None:
        return
    acc = np.arange(-reach, 3 * reach + 1, dtype=np.int64)
    found = computed(line, lane.unit, lane.bits, acc).clip(constants.act_min, constants.act_max)
    np.testing.assert_array_equal(found, expected(constants, acc))


def test_one_is_found_for_nearly_all_rectified_channels() -> None:
    rng = np.random.default_rng(0)
    found = 0
    for channel in range(200):
        constants = constants_of(int(rng.integers(1 << 30, 1 << 31)), int(rng.integers(5, 10)), -128)
        found += prove_line(constants, 0, -(1 << 17), 1 << 17, FINE.lane(channel)) is not None
    assert found >= 198


def test_signs_stand_in_the_way_where_negative_values_matter() -> None:
    constants = constants_of(0x60000001, 7, 0)
    assert prove_line(constants, 0, -(1 << 15), 1 << 15, FINE.low) is None
    assert prove_line(constants, 0, 0, 1 << 15, FINE.low) is not None


@pytest.mark.parametrize("kind", [FINE, COARSE])
def test_scales_that_leave_the_register_have_none(kind: Kind) -> None:
    constants = constants_of(3 << 29, kind.low.bits, -128, act_min=-128)
    assert prove_line(constants, 0, -100, 100, kind.low) is None
    assert nearest_line(constants, 0, kind.low) is None


@given(MANTISSAS, st.integers(5, 12), st.integers(-128, 127), st.sampled_from(LANES))
@settings(max_examples=60, deadline=None)
def test_the_nearest_line_is_off_by_one_at_most(
    mantissa: int, exponent: int, zero_point: int, lane: Lane
) -> None:
    constants = constants_of(mantissa, exponent, zero_point)
    line = nearest_line(constants, 0, lane)
    assert line is not None
    acc = np.arange(-5000, 5000, dtype=np.int64)
    off = computed(line, lane.unit, lane.bits, acc) - expected(constants, acc)
    assert np.abs(off).max() <= 1


@given(st.integers(-128, 127), st.sampled_from(LANES))
def test_constant_lines_forget_the_accumulator(output: int, lane: Lane) -> None:
    line = constant_line(output, lane)
    assert (computed(line, lane.unit, lane.bits, np.array([-9, 0, 1 << 20])) == output).all()
