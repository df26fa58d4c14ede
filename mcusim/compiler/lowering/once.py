"""One rounding that gives the outputs of two.

The reference rounds twice, to the product's high word and to the output. Together that is a staircase: each
output has a least accumulator. A single rounding, (offset + (x multiplier >> 32)) >> bits, is one too, and
there are enough choices of multiplier, offset and bias that one with the same steps can mostly be found where
negative values are cut off (elsewhere the reference treats signs differently). Only the steps that the
accumulator can reach count. What is found is checked step by step, so it holds for every accumulator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcusim.compiler.lowering.scaling import Interval, Scale
from mcusim.compiler.lowering.types import Rounding
from mcusim.network.quantise import MatrixConstants

Int64Array = NDArray[np.int64]
Float64Array = NDArray[np.float64]

REGISTER = 1 << 31
GREATEST_EXPONENT = 20
"""From here on the steps do not fit 64 bits."""

OFFSETS = 4096
"""Offsets that are tried: each moves the steps by another fraction of an accumulator."""


@dataclass(frozen=True)
class Lane:
    """Where an accumulator lies in its register, ``unit`` times itself, and the final shift (see gemm.c)."""

    unit: int
    bits: int


@dataclass(frozen=True)
class Kind:
    """A variant of kernels by its name: lanes of channels with even and with odd numbers."""

    name: str
    low: Lane
    high: Lane

    def lane(self, channel: int) -> Lane:
        return self.high if channel % 2 else self.low


FINE = Kind("fine", Lane(unit=1, bits=3), Lane(unit=256, bits=11))
COARSE = Kind("coarse", Lane(unit=1, bits=1), Lane(unit=256, bits=9))
DEPTHWISE = Kind("once", Lane(unit=2, bits=3), Lane(unit=2, bits=3))
"""Of the depthwise kernels, whose accumulators are doubled (see ``mcu_depthwise.h``)."""


@dataclass(frozen=True)
class Line:
    """output = (offset + ((unit * acc + bias) * multiplier >> 32)) >> bits, for the ``unit`` and ``bits`` of
    a lane."""

    multiplier: int
    offset: int
    bias: int


NOTHING = Line(multiplier=0, offset=0, bias=0)


@dataclass(frozen=True, eq=False)
class Steps:
    """``outputs`` are reached from the accumulators ``least`` on, both ascending, of those in [low, high]."""

    outputs: Int64Array
    least: Int64Array
    low: int
    high: int


def find_lines(
    constants: MatrixConstants,
    interval: Interval,
    scales: Sequence[Scale],
    kind: Kind,
    rounding: Rounding = "double",
) -> tuple[Line, ...] | None:
    """A line for every channel, whose accumulator lies within ``interval``, or None if one has none; with the
    rounding "single" the one that is meant where exactness is not wanted."""
    lines: list[Line] = []
    for channel, scale in enumerate(scales):
        lane = kind.lane(channel)
        line: Line | None
        if scale.constant:
            line = constant_line(scale.output, lane)
        elif rounding == "single":
            line = nearest_line(constants, channel, lane)
        else:
            ends = int(interval.low[channel]), int(interval.high[channel])
            line = prove_line(constants, channel, *ends, lane)
        if line is None:
            return None
        lines.append(line)
    return tuple(lines)


def constant_line(output: int, lane: Lane) -> Line:
    """A channel that is always ``output``."""
    return Line(multiplier=0, offset=output << lane.bits, bias=0)


def nearest_line(constants: MatrixConstants, channel: int, lane: Lane) -> Line | None:
    """The single rounding that is meant where exactness is not wanted: to the nearest, halves upwards. None
    where the scale is too large for the lane."""
    exponent = -int(constants.shifts[channel])
    multiplier = _multiplier(int(constants.multipliers[channel]), exponent, lane)
    if multiplier is None:
        return None
    return Line(multiplier, (constants.out_zp << lane.bits) + (1 << (lane.bits - 1)), 0)


def prove_line(constants: MatrixConstants, channel: int, low: int, high: int, lane: Lane) -> Line | None:
    """A line with the reference's outputs for all accumulators from ``low`` to ``high``, None if none is
    found.

    Outputs beyond the activation's range may differ as long as clamping makes them equal.
    """
    mantissa, exponent = int(constants.multipliers[channel]), -int(constants.shifts[channel])
    multiplier = _multiplier(mantissa, exponent, lane)
    if multiplier is None or exponent > GREATEST_EXPONENT or mantissa == 0:
        return None
    steps = _steps(constants, mantissa, exponent, low, high)
    for candidate in (multiplier, multiplier + 1, multiplier - 1, multiplier + 2, multiplier - 2):
        if not 0 < candidate < REGISTER:
            continue
        for offset, bias in _candidates(steps, candidate, constants.out_zp << lane.bits, lane):
            line = Line(candidate, offset, bias)
            if _is_exact(line, steps, lane):
                return line
    return None


def _multiplier(mantissa: int, exponent: int, lane: Lane) -> int | None:
    """The scale mantissa * 2^(-31 - exponent) as the lane takes it, for unit * acc."""
    shift = exponent + lane.unit.bit_length() - 2 - lane.bits
    if not 0 <= shift <= 31:
        return None
    return (mantissa + (1 << shift >> 1)) >> shift


def _steps(constants: MatrixConstants, mantissa: int, exponent: int, low: int, high: int) -> Steps:
    """Of the reference: v = (acc * mantissa + 2^30) >> 31, then v / 2^exponent with ties away from zero."""
    outputs = np.arange(constants.act_min + 1, constants.act_max + 1, dtype=np.int64)
    above = outputs - constants.out_zp
    least_high = (above << exponent) - (1 << exponent >> 1) + ((above <= 0) & (exponent > 0))
    least = -((-(least_high * REGISTER - (1 << 30))) // mantissa)
    return Steps(outputs, least.clip(low, high + 1), low, high)


def _candidates(steps: Steps, multiplier: int, zero: int, lane: Lane) -> list[tuple[int, int]]:
    """Offsets and biases that should do, found in floating point.

    With offset C the line reaches an output k at ((k << bits) - C) 2^32 / multiplier, in units of the lane;
    the bias must bring that to at most unit * least, and to more than unit * (least - 1).
    """
    reached = (steps.least > steps.low) & (steps.least <= steps.high)
    if not reached.any():
        return [(zero, _bias_without_steps(steps, multiplier, zero, lane))]
    ratio = 2.0**32 / multiplier
    places = (steps.outputs[reached] << lane.bits) * ratio - lane.unit * steps.least[reached]
    offsets = zero + np.arange(OFFSETS, dtype=np.int64)
    biases: Float64Array = np.ceil(places.max() - offsets * ratio)
    fits = np.flatnonzero(biases < places.min() + lane.unit - offsets * ratio)
    return [(int(offsets[i]), int(biases[i])) for i in fits[:4]]


def _bias_without_steps(steps: Steps, multiplier: int, zero: int, lane: Lane) -> int:
    """A bias that puts the middle of the range half way between the steps around it."""
    below = steps.outputs[steps.least <= steps.low].max(initial=steps.outputs[0] - 1)
    middle = ((int(below) << lane.bits) + (1 << (lane.bits - 1)) - zero) * 2.0**32 / multiplier
    return int(middle - lane.unit * (steps.low + steps.high) / 2)


def _is_exact(line: Line, steps: Steps, lane: Lane) -> bool:
    """Whether the line has exactly these steps and its input stays within a register."""
    ends = lane.unit * steps.low + line.bias, lane.unit * steps.high + line.bias
    if min(ends) < -REGISTER or max(ends) >= REGISTER:
        return False
    numerators = ((steps.outputs << lane.bits) - line.offset) << 32
    first = -((-numerators) // line.multiplier) - line.bias
    at_least = (first <= lane.unit * steps.least) | (steps.least > steps.high)
    at_most = (first > lane.unit * (steps.least - 1)) | (steps.least <= steps.low)
    return bool((at_least & at_most).all())
