"""Lowering of ADD."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcusim.compiler.lowering.gemm import bytes_of
from mcusim.compiler.lowering.types import HEADER, LoweredOp, no_scratch
from mcusim.errors import UnsupportedError
from mcusim.network.graph import Graph, Operator
from mcusim.network.quantise import (
    INT8_MAX,
    INT8_MIN,
    AddConstants,
    add_constants,
    multiply_by_quantised_multiplier,
)

Int64Array = NDArray[np.int64]

FRACTION_BITS = 20
"""ADD_FRACTION_BITS of ``add_linear.c``."""
FACTOR_BITS = 16
"""Further bits of the factors, dropped by SMLAW."""


@dataclass(frozen=True)
class LinearSum:
    """out = saturate((offset + (factor1 * x1 >> 16) + (factor2 * x2 >> 16)) >> 20)."""

    factor1: int
    factor2: int
    offset: int


def lower_add(graph: Graph, op: Operator) -> LoweredOp:
    """ADD of two tensors of one shape; raises UnsupportedError where one is broadcast or constant."""
    first, second = graph.input_of(op, 0), graph.input_of(op, 1)
    if first.shape != second.shape or first.is_constant or second.is_constant:
        raise UnsupportedError(f"operator {op.index} ({op.kind}) broadcasts an operand")
    constants = add_constants(graph, op)
    channels = graph.output_of(op).shape[-1]
    linear = find_linear_sum(constants)
    name = "mcu_add_exact" if linear is None else "mcu_add_linear"
    params = (
        _exact_params(constants, channels) if linear is None else _linear_params(linear, constants, channels)
    )
    return LoweredOp(
        kernel=name,
        source=f"{name.removeprefix('mcu_')}.c",
        header=HEADER,
        params_type=f"{name}_params",
        params=params,
        constants=(),
        kernel_h=1,
        stride_h=1,
        pad_top=0,
        stride_w=1,
        pad_left=0,
        rows_per_call=1,
        scratch_bytes=no_scratch,
        alias_ok=True,
        merge_rows=True,
    )


def reference_sums(constants: AddConstants) -> Int64Array:
    """The reference's output, before the activation's range, for all pairs: int64 [256, 256]."""
    stored = np.arange(INT8_MIN, INT8_MAX + 1, dtype=np.int64)
    first = multiply_by_quantised_multiplier(
        (stored - constants.in1_zp) << constants.left_shift, constants.in1_multiplier, constants.in1_shift
    )
    second = multiply_by_quantised_multiplier(
        (stored - constants.in2_zp) << constants.left_shift, constants.in2_multiplier, constants.in2_shift
    )
    sums = first[:, None] + second[None, :]
    rescaled = multiply_by_quantised_multiplier(sums, constants.out_multiplier, constants.out_shift)
    return rescaled + constants.out_zp


def find_linear_sum(constants: AddConstants) -> LinearSum | None:
    """Factors and offset that give the reference's saturated output for every pair of operands.

    The real factors are rounded to 36 fractional bits; the offsets tried lie around the exact one. None if
    none of them passes on all 65,536 pairs (ties, as equal scales make them, cannot be met).
    """
    unit = 2.0 ** (constants.left_shift + constants.out_shift - 31) * constants.out_multiplier
    real1 = unit * constants.in1_multiplier * 2.0 ** (constants.in1_shift - 31)
    real2 = unit * constants.in2_multiplier * 2.0 ** (constants.in2_shift - 31)
    factor1 = round(real1 * 2 ** (FRACTION_BITS + FACTOR_BITS))
    factor2 = round(real2 * 2 ** (FRACTION_BITS + FACTOR_BITS))
    greatest = (real1 + real2) * 256 + abs(constants.out_zp) + 1
    if max(factor1, factor2) >= 1 << 31 or greatest * 2**FRACTION_BITS >= 1 << 31:
        return None
    real_offset = constants.out_zp + 0.5 - real1 * constants.in1_zp - real2 * constants.in2_zp
    expected = reference_sums(constants).clip(INT8_MIN, INT8_MAX)
    stored = np.arange(INT8_MIN, INT8_MAX + 1, dtype=np.int64)
    terms = ((factor1 * stored) >> FACTOR_BITS)[:, None] + ((factor2 * stored) >> FACTOR_BITS)[None, :]
    for nudge in (1, 0, 2, -1, 3, -2, 4):
        offset = round(real_offset * 2**FRACTION_BITS) + nudge
        found = ((terms + offset) >> FRACTION_BITS).clip(INT8_MIN, INT8_MAX)
        if np.array_equal(found, expected):
            return LinearSum(factor1, factor2, offset)
    return None


def _linear_params(linear: LinearSum, constants: AddConstants, channels: int) -> str:
    clamped = int(constants.act_min > INT8_MIN or constants.act_max < INT8_MAX)
    return (
        f"{{.channels = {channels}, .factor1 = {linear.factor1}, .factor2 = {linear.factor2}, "
        f".offset = {linear.offset}, .clamped = {clamped}, "
        f".act_min = {bytes_of(constants.act_min)}, .act_max = {bytes_of(constants.act_max)}}}"
    )


def _exact_params(constants: AddConstants, channels: int) -> str:
    return (
        f"{{.channels = {channels}, .zero_point1 = {constants.in1_zp}, "
        f".multiplier1 = {constants.in1_multiplier}, .shift1 = {constants.in1_shift}, "
        f".zero_point2 = {constants.in2_zp}, "
        f".multiplier2 = {constants.in2_multiplier}, .shift2 = {constants.in2_shift}, "
        f".out_zero_point = {constants.out_zp}, "
        f".out_multiplier = {constants.out_multiplier}, .out_shift = {constants.out_shift}, "
        f".act_min = {constants.act_min}, .act_max = {constants.act_max}}}"
    )
