"""What the kernels cannot do without, as their sources state it: cycles for loads, multiplications,
requantisation and the widening of inputs. Loops, calls, borders and instruction fetch are left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

WIDENING = 1.6
"""Cycles to widen an int8 element for a product, in pairs of pixels (widen.c)."""


@dataclass(frozen=True)
class Work:
    """What an operator has to do: elements in and out, multiply-accumulates, pixels out, rows of its window,
    and whether its outputs take two roundings."""

    inputs: int
    outputs: int
    macs: int
    pixels: int
    window_rows: int
    rounds_twice: bool


@dataclass(frozen=True)
class Bound:
    """Cycles for bringing inputs into shape, for loads in the inner loop, for multiplications with what they
    need to unpack weights, and for requantisation with stores."""

    inputs: float
    loads: float
    multiplies: float
    requantisation: float

    @property
    def cycles(self) -> float:
        return self.inputs + self.loads + self.multiplies + self.requantisation


def matrix(work: Work) -> Bound:
    """gemm.c: for 16 MACs of two pixels 4 loads in a row (5 cycles), 8 SMLAD and 2 SXTB16; of a single pixel
    6 loads (7 cycles), 8 SMLAD and 4 SXTB16. 4 or 8 cycles for an output's rounding."""
    loads, multiplies = (5, 10) if work.pixels > 1 else (7, 12)
    channels = work.outputs / work.pixels
    return Bound(
        WIDENING * work.macs / channels,
        loads / 16 * work.macs,
        multiplies / 16 * work.macs,
        work.outputs * (8 if work.rounds_twice else 4),
    )


def depthwise_3x3_s1(work: Work) -> Bound:
    """For four outputs 24 multiplications for 36 MACs, 12 cycles of loads, 15 of requantisation (10 with one
    rounding), 6 of stores; for the strip at least 2.6 cycles an output."""
    return _per_output(work, 2.6, 12 / 4, 24 / 4, (21 if work.rounds_twice else 16) / 4)


def depthwise_3x3_s2(work: Work) -> Bound:
    """For four outputs 20 multiplications, 19 cycles of loads, 15 of requantisation (10 with one
    rounding), 10 of stores; for the strip 12 cycles an output."""
    return _per_output(work, 12, 19 / 4, 20 / 4, (25 if work.rounds_twice else 20) / 4)


def planes(size: int, stride: int) -> Callable[[Work], Bound]:
    """depthwise_planes.c: for five outputs, a tap is 3 cycles of loads and 5 SMLAD for a pair of
    rows, 4 columns come first in each pair (twice with a stride of 2), 36 are requantisation and stores (25
    with one rounding); 2 cycles an element of the strip."""
    pairs = (size + 1) // 2

    def bound(work: Work) -> Bound:
        rounding = 36 if work.rounds_twice else 25
        loads = pairs * (3 * size + 4 * stride)
        return _per_output(work, 2 * stride**2, loads / 5, pairs * size, rounding / 5)

    return bound


def depthwise_column(work: Work) -> Bound:
    """slide.c: for four outputs a tap of a pair of rows is 3 cycles of loads and 4 SMLAD; 24 are
    requantisation, 9 stores; 2 cycles an element of either strip."""
    taps = (work.window_rows + 1) // 2
    bound = _per_output(work, 0, 3 * taps / 4, taps, 33 / 4)
    return Bound(4.0 * work.inputs, bound.loads, bound.multiplies, bound.requantisation)


def add_linear(work: Work) -> Bound:
    """For four elements 2 loads in a row, 8 SMLAW and 4 maskings, 4 SSAT, 3 BFI and a store."""
    return _per_output(work, 0, 3 / 4, 12 / 4, 8 / 4)


def average_pool(work: Work) -> Bound:
    """For 16 elements 4 loads in a row and 8 SXTAB16; for four means 16 cycles and a store."""
    return Bound(0, 5 / 16 * work.inputs, 8 / 16 * work.inputs, 17 / 4 * work.outputs)


def _per_output(work: Work, inputs: float, loads: float, multiplies: float, rounding: float) -> Bound:
    figures = (inputs, loads, multiplies, rounding)
    return Bound(*(figure * work.outputs for figure in figures))


@dataclass(frozen=True)
class Kernel:
    """Its bound, if one is stated, and the sources that its code comes from."""

    bound: Callable[[Work], Bound] | None
    sources: tuple[str, ...]


_MATRIX = ("gemm", "widen", "clamp_row")
_PLANES = ("depthwise_planes", "strip", "clamp_row")

KERNELS = {
    "mcu_conv": Kernel(matrix, ("conv", "widen_nines", *_MATRIX)),
    "mcu_conv_1x1": Kernel(matrix, ("conv_1x1", *_MATRIX)),
    "mcu_depthwise_3x3_s1": Kernel(depthwise_3x3_s1, ("depthwise_3x3_s1", "strip", "clamp_row")),
    "mcu_depthwise_3x3_s2": Kernel(depthwise_3x3_s2, ("depthwise_3x3_s2", "strip", "clamp_row")),
    "mcu_depthwise_5x5_s1": Kernel(planes(5, 1), ("depthwise_5x5_s1", *_PLANES)),
    "mcu_depthwise_5x5_s2": Kernel(planes(5, 2), ("depthwise_5x5_s2", *_PLANES)),
    "mcu_depthwise_7x7_s1": Kernel(planes(7, 1), ("depthwise_7x7_s1", *_PLANES)),
    "mcu_depthwise_7x7_s2": Kernel(planes(7, 2), ("depthwise_7x7_s2", *_PLANES)),
    "mcu_depthwise_column": Kernel(depthwise_column, ("depthwise_column", "slide", "strip", "clamp_row")),
    "mcu_add_linear": Kernel(add_linear, ("add_linear", "clamp_row")),
    "mcu_average_pool": Kernel(average_pool, ("average_pool", "clamp_row")),
}


def kernel_of(name: str) -> Kernel:
    """What is known of a kernel, whichever its rounding; one without a bound is its own source alone."""
    plain = name.removesuffix("_once")
    return KERNELS.get(plain) or Kernel(None, (plain.removeprefix("mcu_"),))
