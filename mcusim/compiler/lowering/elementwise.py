"""Lowering of ADD and MUL."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mcusim.compiler.lowering.gemm import bytes_of
from mcusim.compiler.lowering.types import Constant, LoweredOp, pixelwise
from mcusim.errors import UnsupportedError
from mcusim.network.graph import Graph, Operator
from mcusim.network.quantise import (
    INT8_MAX,
    INT8_MIN,
    AddConstants,
    MulConstants,
    add_constants,
    mul_constants,
    multiply_by_quantised_multiplier,
)

Int64Array = NDArray[np.int64]

FRACTION_BITS = 20
"""Fractional bits of the sums in ``add_linear.c``."""
FACTOR_BITS = 8
"""Further bits of the factors; SMLAW drops them after multiplying an operand in the upper byte."""


@dataclass(frozen=True)
class LinearSum:
    """out = saturate((offset + (factor1 * x1 >> 8) + (factor2 * x2 >> 8)) >> 20)."""

    factor1: int
    factor2: int
    offset: int


def lower_add(graph: Graph, op: Operator) -> LoweredOp:
    """ADD of two tensors of one shape, or of a tensor and a single constant."""
    constants = add_constants(graph, op)
    channels = graph.output_of(op).shape[-1]
    fixed = _constant_operand(graph, op)
    if fixed is not None:
        sums = reference_sums(constants).clip(constants.act_min, constants.act_max)
        return _lookup(_with_operand(sums, *fixed), channels)
    if graph.input_of(op, 0).shape != graph.input_of(op, 1).shape:
        raise UnsupportedError(f"operator {op.index} ({op.kind}) broadcasts an operand")
    linear = find_linear_sum(constants)
    if linear is None:
        return pixelwise("mcu_add_exact", _exact_params(constants, channels))
    return pixelwise("mcu_add_linear", _linear_params(linear, constants, channels))


def lower_mul(graph: Graph, op: Operator) -> LoweredOp:
    """MUL of two tensors of one shape, of a tensor and one pixel, or of a tensor and a single constant."""
    constants = mul_constants(graph, op)
    first, second = graph.input_of(op, 0), graph.input_of(op, 1)
    channels = graph.output_of(op).shape[-1]
    fixed = _constant_operand(graph, op)
    if fixed is not None:
        position, value = fixed
        products = reference_products(constants)
        return _lookup(
            products[:, value - INT8_MIN] if position == 1 else products[value - INT8_MIN], channels
        )
    per_channel = second.elements == channels and first.elements != channels
    if first.is_constant or second.is_constant or not (per_channel or first.shape == second.shape):
        raise UnsupportedError(f"operator {op.index} ({op.kind}) broadcasts an operand")
    lowered = pixelwise(
        "mcu_mul",
        f"{{.channels = {channels}, .per_channel = {int(per_channel)}, "
        f".zero_point1 = {constants.in1_zp}, .zero_point2 = {constants.in2_zp}, "
        f".multiplier = {constants.multiplier}, .shift = {constants.shift}, "
        f".out_zero_point = {constants.out_zp}, "
        f".act_min = {constants.act_min}, .act_max = {constants.act_max}}}",
    )
    return replace(lowered, merge_rows=not per_channel)


def _constant_operand(graph: Graph, op: Operator) -> tuple[int, int] | None:
    """Position and stored value of an operand that is a single constant."""
    for position in (0, 1):
        data = graph.input_of(op, position).data
        if data is not None and data.size == 1:
            return position, int(data.reshape(-1)[0])
    return None


def _with_operand(outputs: Int64Array, position: int, value: int) -> Int64Array:
    """Of the outputs of all pairs of operands those where the one at ``position`` is ``value``."""
    return outputs[:, value - INT8_MIN] if position == 1 else outputs[value - INT8_MIN]


def _lookup(table: Int64Array, channels: int) -> LoweredOp:
    constant = Constant("table", table.astype(np.int8).tobytes(), 4, "int8_t")
    return pixelwise("mcu_lookup", f"{{.table = $table, .channels = {channels}}}", constants=(constant,))


def reference_products(constants: MulConstants) -> Int64Array:
    """The reference's output for all pairs of operands: int64 [256, 256]."""
    stored = np.arange(INT8_MIN, INT8_MAX + 1, dtype=np.int64)
    exact = (stored - constants.in1_zp)[:, None] * (stored - constants.in2_zp)[None, :]
    rescaled = multiply_by_quantised_multiplier(exact, constants.multiplier, constants.shift)
    return (rescaled + constants.out_zp).clip(constants.act_min, constants.act_max)


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


def linear_sums(linear: LinearSum) -> Int64Array:
    """What ``add_linear.c`` makes of all pairs of operands: int64 [256, 256]."""
    stored = np.arange(INT8_MIN, INT8_MAX + 1, dtype=np.int64)
    first = (linear.factor1 * stored) >> FACTOR_BITS
    second = (linear.factor2 * stored) >> FACTOR_BITS
    sums = (first[:, None] + second[None, :] + linear.offset) >> FRACTION_BITS
    return sums.clip(INT8_MIN, INT8_MAX)


def find_linear_sum(constants: AddConstants) -> LinearSum | None:
    """Factors and offset that give the reference's saturated output for every pair of operands.

    Tries the real factors, rounded to 28 fractional bits, and their neighbours with offsets around the
    exact one. None if no choice passes on all 65,536 pairs (as where equal scales make ties).
    """
    unit = 2.0 ** (constants.left_shift + constants.out_shift - 31) * constants.out_multiplier
    real1 = unit * constants.in1_multiplier * 2.0 ** (constants.in1_shift - 31)
    real2 = unit * constants.in2_multiplier * 2.0 ** (constants.in2_shift - 31)
    factor1 = round(real1 * 2 ** (FRACTION_BITS + FACTOR_BITS))
    factor2 = round(real2 * 2 ** (FRACTION_BITS + FACTOR_BITS))
    greatest = (real1 + real2) * 256 + abs(constants.out_zp) + 1
    if max(factor1, factor2) >= (1 << 31) - SEARCH_REACH or greatest * 2**FRACTION_BITS >= 1 << 31:
        return None
    real_offset = constants.out_zp + 0.5 - real1 * constants.in1_zp - real2 * constants.in2_zp
    offset = round(real_offset * 2**FRACTION_BITS)
    expected = reference_sums(constants).clip(INT8_MIN, INT8_MAX)
    doubtful = _doubtful_pairs(LinearSum(factor1, factor2, offset), expected)
    for nudge1, nudge2, nudge in _NUDGES:
        linear = LinearSum(factor1 + nudge1, factor2 + nudge2, offset + nudge)
        if _fits(linear, doubtful, expected) and np.array_equal(linear_sums(linear), expected):
            return linear
    return None


SEARCH_REACH = 4
"""How far factors and offset are moved from their exact values, in units of their last place."""

_NUDGES = sorted(
    itertools.product(range(-SEARCH_REACH, SEARCH_REACH + 1), repeat=3),
    key=lambda nudge: (sum(map(abs, nudge)), nudge),
)


def _doubtful_pairs(linear: LinearSum, expected: Int64Array) -> NDArray[np.bool_]:
    """Pairs whose output some choice within reach may change, and those that are wrong already."""
    stored = np.arange(INT8_MIN, INT8_MAX + 1, dtype=np.int64)
    first = (linear.factor1 * stored) >> FACTOR_BITS
    second = (linear.factor2 * stored) >> FACTOR_BITS
    fraction = (first[:, None] + second[None, :] + linear.offset) & ((1 << FRACTION_BITS) - 1)
    margin = 4 * SEARCH_REACH
    near = (fraction < margin) | (fraction >= (1 << FRACTION_BITS) - margin)
    doubtful: NDArray[np.bool_] = near | (linear_sums(linear) != expected)
    return doubtful


def _fits(linear: LinearSum, pairs: NDArray[np.bool_], expected: Int64Array) -> bool:
    """Whether the linear form is right on the pairs selected."""
    row, column = np.nonzero(pairs)
    first = (linear.factor1 * (row + INT8_MIN)) >> FACTOR_BITS
    second = (linear.factor2 * (column + INT8_MIN)) >> FACTOR_BITS
    sums = (first + second + linear.offset) >> FRACTION_BITS
    return bool((sums.clip(INT8_MIN, INT8_MAX) == expected[row, column]).all())


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
