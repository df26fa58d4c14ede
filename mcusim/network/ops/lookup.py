"""Operators whose output element depends on one input element alone: RELU, RELU6, LOGISTIC, TANH,
HARD_SWISH, LEAKY_RELU and QUANTIZE between integers.

Each is a table of 256 bytes, which is also the cheapest way to run it on a chip.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from mcusim.network.activation_constants import (
    LOGISTIC_INTEGER_BITS,
    LogisticConstants,
    hard_swish_constants,
    leaky_relu_constants,
    logistic_constants,
    requantise_constants,
)
from mcusim.network.graph import Activation as Fused
from mcusim.network.graph import Graph, Operator, OpKind
from mcusim.network.ops import Activation
from mcusim.network.ops.fixed_point import logistic, tanh
from mcusim.network.quantise import (
    Int64Array,
    activation_range,
    multiply_by_quantised_multiplier,
    quantisation_of,
    rounding_divide_by_pot,
)

INT16_MIN, INT16_MAX = -(1 << 15), (1 << 15) - 1


def lookup(graph: Graph, op: Operator, operands: Sequence[Activation]) -> Activation:
    """Every element through ``table``."""
    index = operands[0].astype(np.int64) - np.iinfo(graph.input_of(op).dtype).min
    return table(graph, op)[index]


def table(graph: Graph, op: Operator) -> NDArray[np.int8] | NDArray[np.uint8]:
    """The outputs for the 256 stored inputs in ascending order, in the output's type.

    Raises UnsupportedError for scales that the reference's arithmetic cannot express.
    """
    limits = np.iinfo(graph.input_of(op).dtype)
    out = np.iinfo(graph.output_of(op).dtype)
    stored = np.arange(limits.min, limits.max + 1, dtype=np.int64)
    values = _TABLES[op.kind](graph, op, stored)
    return values.clip(out.min, out.max).astype(out.dtype)


def _logistic(graph: Graph, op: Operator, stored: Int64Array) -> Int64Array:
    constants = logistic_constants(graph, op)
    x, inner, argument = _argument(constants, stored)
    result = rounding_divide_by_pot(logistic(argument, LOGISTIC_INTEGER_BITS), 31 - 8) - 128
    return np.where(inner, result, np.where(x > 0, 127, -128))


def _tanh(graph: Graph, op: Operator, stored: Int64Array) -> Int64Array:
    constants = logistic_constants(graph, op)
    x, inner, argument = _argument(constants, stored)
    result = rounding_divide_by_pot(tanh(argument, LOGISTIC_INTEGER_BITS), 31 - 7)
    return np.where(inner, result, np.where(x > 0, 127, -128))


def _argument(
    constants: LogisticConstants, stored: Int64Array
) -> tuple[Int64Array, NDArray[np.bool_], Int64Array]:
    """Inputs less their zero point, whether they lie within the radius, and rescaled where they do."""
    x = stored - constants.in_zp
    inner = np.abs(x) < constants.radius
    argument = multiply_by_quantised_multiplier(np.where(inner, x, 0), constants.multiplier, constants.shift)
    return x, inner, argument


def _hard_swish(graph: Graph, op: Operator, stored: Int64Array) -> Int64Array:
    """x * relu6(x + 3) / 6, both factors with 15 fractional bits."""
    c = hard_swish_constants(graph, op)
    fine = (stored - c.in_zp) << 7
    unshifted = _high_mul_16(fine, c.output_multiplier)
    gate = fine
    if c.reluish_exponent > 0:
        # The last bit of the shift comes after the product, so that saturation before it cannot show.
        gate = _saturate_16(gate << (c.reluish_exponent - 1))
    gate = _high_mul_16(gate, c.reluish_multiplier)
    if c.reluish_exponent > 0:
        gate = _saturate_16(gate << 1)
    else:
        gate = rounding_divide_by_pot(gate, -c.reluish_exponent)
    gate = (gate + (1 << 15)) >> 1
    # This product truncates, which cancels the bias of the roundings before.
    product = gate * unshifted
    product = np.sign(product) * (np.abs(product) >> 15)
    return rounding_divide_by_pot(product, -c.output_exponent) + c.out_zp


def _leaky_relu(graph: Graph, op: Operator, stored: Int64Array) -> Int64Array:
    c = leaky_relu_constants(graph, op)
    x = stored - c.in_zp
    positive = multiply_by_quantised_multiplier(x, c.multiplier, c.shift)
    negative = multiply_by_quantised_multiplier(x, c.alpha_multiplier, c.alpha_shift)
    return np.where(x >= 0, positive, negative) + c.out_zp


def _rectified(graph: Graph, op: Operator, stored: Int64Array) -> Int64Array:
    """RELU and RELU6 as activations of their own, which clamp behind the rescaling."""
    act_min, act_max = activation_range(Fused(op.kind.value), quantisation_of(graph.output_of(op)))
    return _quantise(graph, op, stored).clip(act_min, act_max)


def _quantise(graph: Graph, op: Operator, stored: Int64Array) -> Int64Array:
    c = requantise_constants(graph, op)
    return multiply_by_quantised_multiplier(stored - c.in_zp, c.multiplier, c.shift) + c.out_zp


def _high_mul_16(a: Int64Array, b: int) -> Int64Array:
    """High halfword of 2*a*b for int16 values, rounded to nearest, ties upwards; b is not negative."""
    return (a * b + (1 << 14)) >> 15


def _saturate_16(x: Int64Array) -> Int64Array:
    return x.clip(INT16_MIN, INT16_MAX)


_TABLES: dict[OpKind, Callable[[Graph, Operator, Int64Array], Int64Array]] = {
    OpKind.RELU: _rectified,
    OpKind.RELU6: _rectified,
    OpKind.LOGISTIC: _logistic,
    OpKind.TANH: _tanh,
    OpKind.HARD_SWISH: _hard_swish,
    OpKind.LEAKY_RELU: _leaky_relu,
    OpKind.QUANTIZE: _quantise,
}
