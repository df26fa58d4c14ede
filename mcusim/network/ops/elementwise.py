"""ADD, SUB, MUL and PRELU; operands broadcast: a constant of one element or a tensor of 1x1xC works too."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcusim.network.activation_constants import prelu_constants
from mcusim.network.graph import Graph, Operator
from mcusim.network.ops import Activation
from mcusim.network.quantise import (
    INT8_MAX,
    INT8_MIN,
    AddConstants,
    Int64Array,
    add_constants,
    mul_constants,
    multiply_by_quantised_multiplier,
)


def add(graph: Graph, op: Operator, operands: Sequence[Activation]) -> Activation:
    """Sum of two int8 tensors: three rescalings, each rounded."""
    c = add_constants(graph, op)
    first, second = _common_scale(c, operands)
    return _rescaled_sum(c, first + second)


def sub(graph: Graph, op: Operator, operands: Sequence[Activation]) -> Activation:
    """Difference of two int8 tensors, as ADD."""
    c = add_constants(graph, op)
    first, second = _common_scale(c, operands)
    return _rescaled_sum(c, first - second)


def _common_scale(c: AddConstants, operands: Sequence[Activation]) -> tuple[Int64Array, Int64Array]:
    """Both operands less their zero points, at ADD's inner scale."""
    first = (operands[0].astype(np.int64) - c.in1_zp) << c.left_shift
    second = (operands[1].astype(np.int64) - c.in2_zp) << c.left_shift
    return (
        multiply_by_quantised_multiplier(first, c.in1_multiplier, c.in1_shift),
        multiply_by_quantised_multiplier(second, c.in2_multiplier, c.in2_shift),
    )


def _rescaled_sum(c: AddConstants, total: Int64Array) -> Activation:
    rescaled = multiply_by_quantised_multiplier(total, c.out_multiplier, c.out_shift)
    return (rescaled + c.out_zp).clip(c.act_min, c.act_max).astype(np.int8)


def mul(graph: Graph, op: Operator, operands: Sequence[Activation]) -> Activation:
    """Product of two int8 tensors."""
    c = mul_constants(graph, op)
    product = (operands[0].astype(np.int64) - c.in1_zp) * (operands[1].astype(np.int64) - c.in2_zp)
    scaled = multiply_by_quantised_multiplier(product, c.multiplier, c.shift)
    return (scaled + c.out_zp).clip(c.act_min, c.act_max).astype(np.int8)


def prelu(graph: Graph, op: Operator, operands: Sequence[Activation]) -> Activation:
    """Elements below zero are multiplied by a slope of their own, mostly one per channel."""
    c = prelu_constants(graph, op)
    x = operands[0].astype(np.int64) - c.in_zp
    positive = multiply_by_quantised_multiplier(x, c.multiplier, c.shift)
    product = x * (operands[1].astype(np.int64) - c.alpha_zp)
    negative = multiply_by_quantised_multiplier(product, c.alpha_multiplier, c.alpha_shift)
    return (np.where(x >= 0, positive, negative) + c.out_zp).clip(INT8_MIN, INT8_MAX).astype(np.int8)
