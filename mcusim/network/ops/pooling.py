"""AVERAGE_POOL_2D, MAX_POOL_2D, MEAN and REDUCE_MAX."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from mcusim.errors import InputError
from mcusim.network.graph import Graph, Operator
from mcusim.network.ops import Activation
from mcusim.network.quantise import (
    INT8_MIN,
    Int64Array,
    mean_constants,
    multiply_by_quantised_multiplier,
    pool_constants,
)


def average_pool_2d(graph: Graph, op: Operator, operands: Sequence[Activation]) -> Activation:
    """Mean of the pixels under the window, half away from zero; padding does not count."""
    x = operands[0]
    sums = _windows(op, x.astype(np.int64), 0).sum(axis=(4, 5))
    counts = _windows(op, np.ones((1, *x.shape[1:3], 1), np.int64), 0).sum(axis=(4, 5))
    means = np.sign(sums) * ((np.abs(sums) + counts // 2) // counts)
    return _clamped(graph, op, means)


def max_pool_2d(graph: Graph, op: Operator, operands: Sequence[Activation]) -> Activation:
    """Greatest pixel under the window; padding does not count."""
    return _clamped(graph, op, _windows(op, operands[0].astype(np.int64), INT8_MIN).max(axis=(4, 5)))


def mean(graph: Graph, op: Operator, operands: Sequence[Activation]) -> Activation:
    """Mean over ``attributes.axes``, rescaled to the output's quantisation."""
    c = mean_constants(graph, op)
    axes = op.attributes.axes
    sums = operands[0].astype(np.int64).sum(axis=axes, keepdims=op.attributes.keep_dims) - c.count * c.in_zp
    scaled = multiply_by_quantised_multiplier(sums, c.multiplier, c.shift)
    return (scaled + c.out_zp).clip(-128, 127).astype(np.int8)


def reduce_max(graph: Graph, op: Operator, operands: Sequence[Activation]) -> Activation:  # noqa: ARG001
    """Greatest element over ``attributes.axes``."""
    greatest: Activation = operands[0].max(axis=op.attributes.axes, keepdims=op.attributes.keep_dims)
    return greatest


def _windows(op: Operator, x: Int64Array, padding_value: int) -> Int64Array:
    """[n, oh, ow, c, kh, kw]: a view of the padded input."""
    window = op.attributes.window
    if window is None:
        raise InputError(f"operator {op.index} ({op.kind}) has no window")
    pad = window.padding
    widths = ((0, 0), (pad.top, pad.bottom), (pad.left, pad.right), (0, 0))
    padded = np.pad(x, widths, constant_values=padding_value)
    views = sliding_window_view(padded, (window.kernel_h, window.kernel_w), axis=(1, 2))
    return views[:, :: window.stride_h, :: window.stride_w]


def _clamped(graph: Graph, op: Operator, values: Int64Array) -> Activation:
    constants = pool_constants(graph, op)
    return values.clip(constants.act_min, constants.act_max).astype(np.int8)
