"""Requantisation constants for the fast kernels, and the proofs that they suffice.

The fast path of ``mcu_requantise.h`` has no left shift and no protection against overflow. Whether a
channel may use it follows from the interval that its accumulator can take.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcusim.network.quantise import INT8_MAX, INT8_MIN, MatrixConstants, multiply_by_quantised_multiplier

Int64Array = NDArray[np.int64]

ACCUMULATOR_LIMIT = 1 << 30
"""Accumulators are doubled before the multiplication, so they must be below this."""

INT32_MAX = (1 << 31) - 1


@dataclass(frozen=True, eq=False)
class Interval:
    """Least and greatest accumulator of every channel over all int8 inputs; int64 [channels]."""

    low: Int64Array
    high: Int64Array


@dataclass(frozen=True)
class Scale:
    """``mcu_scale`` of one channel; ``constant``: the output does not depend on the accumulator."""

    multiplier: int
    offset: int
    exponent: int
    constant: bool = False

    @property
    def output(self) -> int:
        """Of a constant channel."""
        return self.offset >> self.exponent


def folded_bias(weights: NDArray[np.int8], constants: MatrixConstants) -> Int64Array:
    """Biases with the input's zero point folded in: int64 [channels] for weights [channels, products]."""
    sums = weights.astype(np.int64).sum(axis=1)
    folded: Int64Array = constants.bias.astype(np.int64) - constants.in_zp * sums
    return folded


def accumulator_interval(weights: NDArray[np.int8], bias: Int64Array) -> Interval:
    """Exact range of bias + sum(x * weight) over int8 x; weights [channels, products]."""
    wide = weights.astype(np.int64)
    positive = wide.clip(min=0).sum(axis=1)
    negative = wide.clip(max=0).sum(axis=1)
    return Interval(
        low=bias + INT8_MIN * positive + INT8_MAX * negative,
        high=bias + INT8_MAX * positive + INT8_MIN * negative,
    )


def prove_scales(interval: Interval, constants: MatrixConstants) -> list[Scale] | None:
    """The fast constants of every channel, or None if one of them has none."""
    scales = []
    for channel in range(len(interval.low)):
        scale = _prove_scale(int(interval.low[channel]), int(interval.high[channel]), constants, channel)
        if scale is None:
            return None
        scales.append(scale)
    return scales


def _prove_scale(low: int, high: int, constants: MatrixConstants, channel: int) -> Scale | None:
    if low < -INT32_MAX or high > INT32_MAX:
        return None
    mantissa, shift = int(constants.multipliers[channel]), int(constants.shifts[channel])
    zero_point = constants.out_zp
    first, last = (int(multiply_by_quantised_multiplier(end, mantissa, shift)) for end in (low, high))
    outputs = {min(max(v + zero_point, constants.act_min), constants.act_max) for v in (first, last)}
    if shift <= 0 and len(outputs) == 1:
        # Requantisation is monotone, so an equal output at both ends is the output everywhere.
        return Scale(multiplier=0, offset=2 * outputs.pop() + 1, exponent=1, constant=True)
    exponent = -shift
    # Without a second rounding the sign, which the kernels take off it, would show in negative values; an
    # activation that cuts those off hides it.
    least = 0 if constants.act_min >= zero_point else 1
    if exponent < least or max(-low, high) >= ACCUMULATOR_LIMIT:
        return None
    offset = (1 << exponent >> 1) + (zero_point << exponent)
    # The product's high word is at most half of the doubled accumulator.
    greatest = max(abs(low), abs(high)) + 1
    if abs(offset) + greatest > INT32_MAX:
        return None
    return Scale(multiplier=mantissa, offset=offset, exponent=exponent)
