"""SOFTMAX and LOG_SOFTMAX over the last dimension of int8 tensors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcusim.network.activation_constants import log_softmax_constants
from mcusim.network.graph import Graph, Operator
from mcusim.network.ops import Activation
from mcusim.network.ops.fixed_point import INT32_MIN, exp_on_negative_values, log_of_one_or_more, reciprocal
from mcusim.network.quantise import (
    INT8_MAX,
    INT8_MIN,
    SOFTMAX_INTEGER_BITS,
    Int64Array,
    SoftmaxConstants,
    multiply_by_quantised_multiplier,
    rounding_divide_by_pot,
    saturating_rounding_doubling_high_mul,
    softmax_constants,
)

ACCUMULATION_INTEGER_BITS = 12
"""Integer bits of the sum of exponentials."""

LOG_OUTPUT_INTEGER_BITS = 4
"""Integer bits of LOG_SOFTMAX's output: logarithms from -16 to 0."""

_Mul = saturating_rounding_doubling_high_mul


def softmax(graph: Graph, op: Operator, operands: Sequence[Activation]) -> Activation:
    """Softmax over the last dimension, output scale 1/256 and zero point -128."""
    constants = softmax_constants(graph, op)
    differences, exponentials, total = _exponentials(operands[0], constants)
    scale, bits_over_unit = reciprocal(total, ACCUMULATION_INTEGER_BITS)
    probabilities = rounding_divide_by_pot(_Mul(scale, exponentials), bits_over_unit + 31 - 8)
    out = np.where(differences >= constants.diff_min, probabilities + INT8_MIN, INT8_MIN)
    return out.clip(INT8_MIN, INT8_MAX).astype(np.int8)


def log_softmax(graph: Graph, op: Operator, operands: Sequence[Activation]) -> Activation:
    """Logarithm of the softmax over the last dimension, output scale 1/16 and zero point 127."""
    constants = log_softmax_constants(graph, op)
    scaling = constants.scaling
    differences, _, total = _exponentials(operands[0], scaling)
    log_sum = log_of_one_or_more(total, ACCUMULATION_INTEGER_BITS, SOFTMAX_INTEGER_BITS)
    # The least difference whose logarithm is still representable, found from the sum by division.
    least = multiply_by_quantised_multiplier(
        log_sum + INT32_MIN, constants.reverse_multiplier, constants.reverse_shift
    )
    counted = differences > np.maximum(scaling.diff_min - 1, least)
    scaled = multiply_by_quantised_multiplier(
        np.where(counted, differences, 0), scaling.multiplier, scaling.shift
    )
    logs = rounding_divide_by_pot(scaled - log_sum, 31 - SOFTMAX_INTEGER_BITS - LOG_OUTPUT_INTEGER_BITS)
    out = np.where(counted, logs + INT8_MAX, INT8_MIN)
    return out.clip(INT8_MIN, INT8_MAX).astype(np.int8)


def _exponentials(x: Activation, constants: SoftmaxConstants) -> tuple[Int64Array, Int64Array, Int64Array]:
    """Differences to the row's maximum, their exponentials without integer bits, and the row's sum."""
    wide = x.astype(np.int64)
    differences: Int64Array = wide - wide.max(axis=-1, keepdims=True)
    exponentials = exponential_table(constants)[-differences]
    rescaled = rounding_divide_by_pot(exponentials, ACCUMULATION_INTEGER_BITS)
    counted = np.where(differences >= constants.diff_min, rescaled, 0)
    return differences, exponentials, counted.sum(axis=-1, keepdims=True)


def exponential_table(constants: SoftmaxConstants) -> Int64Array:
    """exp(-beta * scale * d) for the differences d = 0..255 to the maximum, no integer bits.

    Entries beyond -diff_min are 0 and never used.
    """
    differences = -np.arange(256, dtype=np.int64)
    usable = differences >= constants.diff_min
    scaled = multiply_by_quantised_multiplier(
        np.where(usable, differences, 0), constants.multiplier, constants.shift
    )
    return np.where(usable, exp_on_negative_values(scaled, SOFTMAX_INTEGER_BITS), 0)
