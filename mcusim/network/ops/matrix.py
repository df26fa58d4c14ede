"""CONV_2D, DEPTHWISE_CONV_2D, TRANSPOSE_CONV and FULLY_CONNECTED.

Inner products run in floating point, where they are exact: every partial sum is an integer below the
mantissa's range (2^24 in float32, 2^53 in float64), so no order of summation can change it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from mcusim.errors import InputError
from mcusim.network.geometry import window_output
from mcusim.network.graph import Graph, Operator, Window
from mcusim.network.ops import Activation
from mcusim.network.quantise import (
    Int64Array,
    MatrixConstants,
    conv_constants,
    fully_connected_constants,
    multiply_by_quantised_multiplier,
    wrap_int32,
)

_GREATEST_OFFSET_INPUT = 255


def conv_2d(graph: Graph, op: Operator, operands: Sequence[Activation]) -> Activation:
    """[n, h, w, ic] with weights [oc, kh, kw, ic / groups] to [n, oh, ow, oc]."""
    constants = conv_constants(graph, op)
    return requantise(conv_sums(op, operands, constants.in_zp), constants)


def conv_sums(op: Operator, operands: Sequence[Activation], in_zp: int) -> Int64Array:
    """Sums of (input - zero point) * weight, without bias: int64 [n, oh, ow, oc]."""
    x, weights = operands[0], operands[1]
    window = _window(op)
    flat = weights.reshape(weights.shape[0], -1)
    padded = _offset_and_pad(x, in_zp, window, _exact_dtype(flat))
    groups = x.shape[3] // weights.shape[3]
    inputs, filters = np.split(padded, groups, axis=3), np.split(flat, groups)
    parts = [_group_sums(part, rows, window) for part, rows in zip(inputs, filters, strict=True)]
    return np.concatenate(parts, axis=3)


def _group_sums(padded: Activation, filters: NDArray[np.int8], window: Window) -> Int64Array:
    """Inner products of every window of [n, h, w, ic] with every row of ``filters``."""
    columns = _patches(padded, window)
    sums: Int64Array = (columns.reshape(-1, filters.shape[1]) @ filters.T.astype(padded.dtype)).astype(
        np.int64
    )
    return sums.reshape(*columns.shape[:3], -1)


def depthwise_conv_2d(graph: Graph, op: Operator, operands: Sequence[Activation]) -> Activation:
    """[n, h, w, c] with weights [1, kh, kw, c * multiplier] to [n, oh, ow, c * multiplier]."""
    constants = conv_constants(graph, op)
    return requantise(depthwise_sums(op, operands, constants.in_zp), constants)


def depthwise_sums(op: Operator, operands: Sequence[Activation], in_zp: int) -> Int64Array:
    """Sums of (input - zero point) * weight, without bias: int64 [n, oh, ow, c * multiplier]."""
    x, weights = operands[0], operands[1][0]
    window = _window(op)
    dtype = _exact_dtype(weights.reshape(-1, weights.shape[2]).T)
    height, width = window_output(x.shape[1], x.shape[2], window)
    padded = _offset_and_pad(x, in_zp, window, dtype)
    if op.attributes.depth_multiplier > 1:
        padded = np.repeat(padded, op.attributes.depth_multiplier, axis=3)
    sums = np.zeros((x.shape[0], height, width, weights.shape[2]), dtype)
    rows, columns = (height - 1) * window.stride_h + 1, (width - 1) * window.stride_w + 1
    for i in range(window.kernel_h):
        for j in range(window.kernel_w):
            top, left = i * window.dilation_h, j * window.dilation_w
            tap = padded[:, top : top + rows : window.stride_h, left : left + columns : window.stride_w]
            sums += tap * weights[i, j].astype(dtype)
    return sums.astype(np.int64)


def transpose_conv(graph: Graph, op: Operator, operands: Sequence[Activation]) -> Activation:
    """[n, h, w, ic] with weights [oc, kh, kw, ic] to [n, oh, ow, oc]; the window leads back from the
    output to the input."""
    constants = conv_constants(graph, op)
    window, pad = _window(op), _window(op).padding
    x, weights = operands[0], operands[1]
    _, height, width, channels = graph.output_of(op).shape
    # Each output element meets each weight at most once.
    dtype = _exact_dtype(weights.reshape(weights.shape[0], -1))
    centred = x.astype(dtype) - constants.in_zp
    sums = np.zeros((len(x), height + pad.top + pad.bottom, width + pad.left + pad.right, channels), dtype)
    rows, columns = (x.shape[1] - 1) * window.stride_h + 1, (x.shape[2] - 1) * window.stride_w + 1
    for i in range(window.kernel_h):
        for j in range(window.kernel_w):
            scattered = centred @ weights[:, i, j].T.astype(dtype)
            sums[:, i : i + rows : window.stride_h, j : j + columns : window.stride_w] += scattered
    kept = sums[:, pad.top : pad.top + height, pad.left : pad.left + width]
    return requantise(kept.astype(np.int64), constants)


def fully_connected(graph: Graph, op: Operator, operands: Sequence[Activation]) -> Activation:
    """Weights [outputs, inputs] on everything behind the batch dimension, flattened into rows of inputs."""
    constants = fully_connected_constants(graph, op)
    out = requantise(dense_sums(operands, constants.in_zp), constants)
    return out.reshape(operands[0].shape[0], *graph.output_of(op).shape[1:])


def dense_sums(operands: Sequence[Activation], in_zp: int) -> Int64Array:
    """Sums of (input - zero point) * weight, without bias: int64 [n * rows, outputs]."""
    x, weights = operands[0], operands[1]
    dtype = _exact_dtype(weights)
    rows = x.reshape(-1, weights.shape[1]).astype(dtype) - in_zp
    sums: Int64Array = (rows @ weights.T.astype(dtype)).astype(np.int64)
    return sums


def requantise(sums: Int64Array, constants: MatrixConstants) -> NDArray[np.int8]:
    """int8 outputs of sums whose last dimension is the output channel."""
    biased = wrap_int32(sums + constants.bias)
    scaled = multiply_by_quantised_multiplier(biased, constants.multipliers, constants.shifts)
    return (scaled + constants.out_zp).clip(constants.act_min, constants.act_max).astype(np.int8)


def _window(op: Operator) -> Window:
    if op.attributes.window is None:
        raise InputError(f"operator {op.index} ({op.kind}) has no window")
    return op.attributes.window


def _exact_dtype(weights: NDArray[np.int8]) -> np.dtype[Any]:
    """The narrower float in which the sums of these weights, one row per output, are exact."""
    largest = int(np.abs(weights.astype(np.int64)).sum(axis=1).max(initial=0))
    return np.dtype(np.float32 if largest * _GREATEST_OFFSET_INPUT < 1 << 24 else np.float64)


def _offset_and_pad(x: Activation, zero_point: int, window: Window, dtype: np.dtype[Any]) -> Activation:
    """Input less its zero point, so that padding is 0."""
    real: Activation = x.astype(dtype) - zero_point
    pad = window.padding
    if not (pad.top or pad.bottom or pad.left or pad.right):
        return real
    return np.pad(real, ((0, 0), (pad.top, pad.bottom), (pad.left, pad.right), (0, 0)))


def _patches(x: Activation, window: Window) -> Activation:
    """[n, oh, ow, kh, kw, c]: the input under every output pixel, in the order of the weights."""
    extent_h = (window.kernel_h - 1) * window.dilation_h + 1
    extent_w = (window.kernel_w - 1) * window.dilation_w + 1
    views = sliding_window_view(x, (extent_h, extent_w), axis=(1, 2))
    taps = views[:, :: window.stride_h, :: window.stride_w, :, :: window.dilation_h, :: window.dilation_w]
    return taps.transpose(0, 1, 2, 4, 5, 3)
