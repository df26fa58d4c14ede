"""Lowering of ADD, SUB, MUL, PRELU, and of functions of a single element."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mcusim.compiler.lowering.gemm import clamping_fields
from mcusim.compiler.lowering.scaling import Interval, Scale, prove_scales
from mcusim.compiler.lowering.types import Constant, LoweredOp, pixelwise
from mcusim.errors import UnsupportedError
from mcusim.network.activation_constants import prelu_constants
from mcusim.network.graph import Graph, Operator, OpKind, Tensor
from mcusim.network.ops import lookup
from mcusim.network.quantise import (
    INT8_MAX,
    INT8_MIN,
    AddConstants,
    MatrixConstants,
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


ELEMENT_FUNCTIONS = (
    OpKind.RELU,
    OpKind.RELU6,
    OpKind.LOGISTIC,
    OpKind.TANH,
    OpKind.HARD_SWISH,
    OpKind.LEAKY_RELU,
    OpKind.QUANTIZE,
)
"""Operators whose output element depends on one input element alone."""


@dataclass(frozen=True, eq=False)
class ConstantOperand:
    """The operand at ``position``: int8, one value or one per channel."""

    position: int
    values: NDArray[np.int8]


def lower_add(graph: Graph, op: Operator) -> LoweredOp:
    """ADD or SUB of two tensors of one shape, of a tensor and one pixel, or of a tensor and a constant."""
    constants = add_constants(graph, op)
    sign = -1 if op.kind is OpKind.SUB else 1
    channels = channels_of(graph.output_of(op))
    fixed = find_constant(graph, op)
    if fixed is not None and fixed.values.size == 1:
        sums = reference_sums(constants, sign).clip(constants.act_min, constants.act_max)
        return lower_table(_with_operand(sums, fixed), channels)
    if fixed is not None:
        return _lower_add_channels(constants, fixed, sign)
    single = single_pixel(graph, op)
    linear = find_linear_sum(constants) if sign == 1 and single == 0 else None
    if linear is not None:
        return pixelwise("mcu_add_linear", _linear_params(linear, constants, channels))
    lowered = pixelwise("mcu_add_exact", _exact_params(constants, channels, single, sign))
    return replace(lowered, merge_rows=single == 0)


def lower_mul(graph: Graph, op: Operator) -> LoweredOp:
    """MUL of two tensors of one shape, of a tensor and one pixel, or of a tensor and a constant."""
    constants = mul_constants(graph, op)
    channels = channels_of(graph.output_of(op))
    fixed = find_constant(graph, op)
    if fixed is not None and fixed.values.size == 1:
        return lower_table(_with_operand(reference_products(constants), fixed), channels)
    if fixed is not None:
        zero_points = (constants.in1_zp, constants.in2_zp)
        return _lower_mul_channels(
            fixed.values.astype(np.int64) - zero_points[fixed.position],
            f".zero_point = {zero_points[1 - fixed.position]}, "
            f".multiplier = {constants.multiplier}, .shift = {constants.shift}, "
            ".rectified = 0, .own_multiplier = 0, .own_shift = 0, "
            f".out_zero_point = {constants.out_zp}, {_range_of(constants)}",
        )
    single = single_pixel(graph, op)
    scale = prove_product(constants)
    lowered = (
        pixelwise("mcu_mul", _mul_params(constants, channels, single))
        if scale is None
        else pixelwise("mcu_mul_packed", _packed_params(constants, scale, channels, single))
    )
    return replace(lowered, merge_rows=single == 0)


def prove_product(constants: MulConstants) -> Scale | None:
    """The fast constants of ``mul_packed.c``, or None where there are none."""
    first, second = (
        (INT8_MIN - zero_point, INT8_MAX - zero_point) for zero_point in (constants.in1_zp, constants.in2_zp)
    )
    corners = [a * b for a in first for b in second]
    channel = MatrixConstants(
        multipliers=np.array([constants.multiplier], np.int32),
        shifts=np.array([constants.shift], np.int32),
        bias=np.zeros(1, np.int32),
        in_zp=0,
        out_zp=constants.out_zp,
        act_min=constants.act_min,
        act_max=constants.act_max,
    )
    scales = prove_scales(Interval(np.array([min(corners)]), np.array([max(corners)])), channel)
    return scales[0] if scales else None


def lower_prelu(graph: Graph, op: Operator) -> LoweredOp:
    """PRELU with constant slopes, one for everything or one per channel."""
    constants = prelu_constants(graph, op)
    fixed = find_constant(graph, op)
    if fixed is None:
        raise UnsupportedError(f"operator {op.index} ({op.kind}) has slopes that are not constant")
    channels = channels_of(graph.output_of(op))
    slopes = np.broadcast_to(fixed.values.astype(np.int64) - constants.alpha_zp, channels)
    return _lower_mul_channels(
        slopes,
        f".zero_point = {constants.in_zp}, "
        f".multiplier = {constants.alpha_multiplier}, .shift = {constants.alpha_shift}, "
        f".rectified = 1, .own_multiplier = {constants.multiplier}, .own_shift = {constants.shift}, "
        f".out_zero_point = {constants.out_zp}, .act_min = {INT8_MIN}, .act_max = {INT8_MAX}",
    )


def lower_lookup(graph: Graph, op: Operator) -> LoweredOp:
    """Operators of one element: RELU, RELU6, LOGISTIC, TANH, HARD_SWISH, LEAKY_RELU, QUANTIZE of int8."""
    source, result = graph.input_of(op), graph.output_of(op)
    if (source.dtype, result.dtype) != ("int8", "int8"):
        raise UnsupportedError(
            f"operator {op.index} ({op.kind}) turns {source.dtype} into {result.dtype} inside the network"
        )
    return lower_table(lookup.table(graph, op).astype(np.int64), channels_of(result))


def _lower_add_channels(constants: AddConstants, fixed: ConstantOperand, sign: int) -> LoweredOp:
    first = (constants.in1_zp, constants.in1_multiplier, constants.in1_shift)
    second = (constants.in2_zp, constants.in2_multiplier, constants.in2_shift)
    own, other = (first, second) if fixed.position == 1 else (second, first)
    wide = (fixed.values.astype(np.int64) - other[0]) << constants.left_shift
    addends = multiply_by_quantised_multiplier(wide, other[1], other[2])
    signs = (sign, 1) if fixed.position == 0 else (1, sign)
    return pixelwise(
        "mcu_add_channels",
        f"{{.addends = $addends, .channels = {len(addends)}, "
        f".zero_point = {own[0]}, .multiplier = {own[1]}, .shift = {own[2]}, .sign = {signs[0]}, "
        f".out_zero_point = {constants.out_zp}, "
        f".out_multiplier = {constants.out_multiplier}, .out_shift = {constants.out_shift}, "
        f"{_range_of(constants)}}}",
        constants=(_words("addends", signs[1] * addends),),
    )


def _lower_mul_channels(factors: Int64Array, fields: str) -> LoweredOp:
    return pixelwise(
        "mcu_mul_channels",
        f"{{.factors = $factors, .channels = {len(factors)}, {fields}}}",
        constants=(_words("factors", factors),),
    )


def _words(name: str, values: Int64Array) -> Constant:
    return Constant(name, values.astype("<i4").tobytes(), 4, "int32_t")


def _range_of(constants: AddConstants | MulConstants) -> str:
    return f".act_min = {constants.act_min}, .act_max = {constants.act_max}"


def channels_of(tensor: Tensor) -> int:
    """Elements of one pixel."""
    return tensor.shape[-1]


def find_constant(graph: Graph, op: Operator) -> ConstantOperand | None:
    """The constant operand, if there is one; raises UnsupportedError unless it has one value for
    everything or one per channel."""
    for position in (0, 1):
        tensor = graph.input_of(op, position)
        if tensor.data is None:
            continue
        channels = channels_of(graph.output_of(op))
        per_channel = tensor.elements == channels and tensor.shape[-1:] == (channels,)
        if tensor.elements != 1 and not per_channel:
            raise UnsupportedError(
                f"operator {op.index} ({op.kind}) has a constant of the shape {list(tensor.shape)}, "
                "which is neither one value nor one per channel"
            )
        return ConstantOperand(position, tensor.data.reshape(-1).astype(np.int8, copy=False))
    return None


def single_pixel(graph: Graph, op: Operator) -> int:
    """Which operand (1 or 2) is one pixel that all others are combined with; 0 if both have one shape.

    Raises UnsupportedError for any other way to broadcast.
    """
    shape = graph.output_of(op).shape
    first, second = graph.input_of(op, 0).shape, graph.input_of(op, 1).shape
    if first == second:
        return 0
    pixel = (*[1] * (len(shape) - 1), shape[-1])
    if pixel in (first, second) and shape in (first, second):
        return 1 if first == pixel else 2
    raise UnsupportedError(
        f"operator {op.index} ({op.kind}) broadcasts {list(first)} and {list(second)} in a way that no "
        "kernel does"
    )


def _with_operand(outputs: Int64Array, fixed: ConstantOperand) -> Int64Array:
    """Of the outputs of all pairs of operands those where one has its constant value."""
    place = int(fixed.values[0]) - INT8_MIN
    return outputs[:, place] if fixed.position == 1 else outputs[place]


def lower_table(table: Int64Array, channels: int) -> LoweredOp:
    """Any function of one element, by its 256 outputs."""
    constant = Constant("table", table.astype(np.int8).tobytes(), 4, "int8_t")
    return pixelwise("mcu_lookup", f"{{.table = $table, .channels = {channels}}}", constants=(constant,))


def reference_products(constants: MulConstants) -> Int64Array:
    """The reference's output for all pairs of operands: int64 [256, 256]."""
    stored = np.arange(INT8_MIN, INT8_MAX + 1, dtype=np.int64)
    exact = (stored - constants.in1_zp)[:, None] * (stored - constants.in2_zp)[None, :]
    rescaled = multiply_by_quantised_multiplier(exact, constants.multiplier, constants.shift)
    return (rescaled + constants.out_zp).clip(constants.act_min, constants.act_max)


def reference_sums(constants: AddConstants, sign: int = 1) -> Int64Array:
    """The reference's output, before the activation's range, for all pairs: int64 [256, 256]; ``sign`` is -1
    for differences."""
    stored = np.arange(INT8_MIN, INT8_MAX + 1, dtype=np.int64)
    first = multiply_by_quantised_multiplier(
        (stored - constants.in1_zp) << constants.left_shift, constants.in1_multiplier, constants.in1_shift
    )
    second = multiply_by_quantised_multiplier(
        (stored - constants.in2_zp) << constants.left_shift, constants.in2_multiplier, constants.in2_shift
    )
    sums = first[:, None] + sign * second[None, :]
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
    return (
        f"{{.channels = {channels}, .factor1 = {linear.factor1}, .factor2 = {linear.factor2}, "
        f".offset = {linear.offset}, {clamping_fields(constants.act_min, constants.act_max)}}}"
    )


def _mul_params(constants: MulConstants, channels: int, single: int) -> str:
    return (
        f"{{.channels = {channels}, .single = {single}, "
        f".zero_point1 = {constants.in1_zp}, .zero_point2 = {constants.in2_zp}, "
        f".multiplier = {constants.multiplier}, .shift = {constants.shift}, "
        f".out_zero_point = {constants.out_zp}, {_range_of(constants)}}}"
    )


def _packed_params(constants: MulConstants, scale: Scale, channels: int, single: int) -> str:
    return (
        f"{{.channels = {channels}, .single = {single}, "
        f".minus_zero_points1 = {halfwords_of(-constants.in1_zp)}, "
        f".minus_zero_points2 = {halfwords_of(-constants.in2_zp)}, "
        f".scale = {{.multiplier = {scale.multiplier}, .offset = {scale.offset}, "
        f".exponent = {scale.exponent}}}, {clamping_fields(constants.act_min, constants.act_max)}}}"
    )


def halfwords_of(value: int) -> int:
    """An int16 in both halves of an int32."""
    word = (value & 0xFFFF) * 0x00010001
    return word - (1 << 32) if word >= 1 << 31 else word


def _exact_params(constants: AddConstants, channels: int, single: int, sign: int) -> str:
    return (
        f"{{.channels = {channels}, .single = {single}, .zero_point1 = {constants.in1_zp}, "
        f".multiplier1 = {constants.in1_multiplier}, .shift1 = {constants.in1_shift}, "
        f".zero_point2 = {constants.in2_zp}, "
        f".multiplier2 = {constants.in2_multiplier}, .shift2 = {constants.in2_shift}, .sign2 = {sign}, "
        f".out_zero_point = {constants.out_zp}, "
        f".out_multiplier = {constants.out_multiplier}, .out_shift = {constants.out_shift}, "
        f"{_range_of(constants)}}}"
    )
