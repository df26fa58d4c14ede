"""Lowering of DEPTHWISE_CONV_2D."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mcusim.compiler.lowering.channels import (
    FILL_BYTES,
    Channel,
    doubled_pair,
    kernel_name,
    pack_any,
    parameters,
)
from mcusim.compiler.lowering.convolution import (
    GeneralShape,
    is_dilated,
    lower_general,
    lower_matrix,
    weights_of,
    window_of,
)
from mcusim.compiler.lowering.gemm import to_words
from mcusim.compiler.lowering.once import DEPTHWISE, find_lines
from mcusim.compiler.lowering.planes import MOST_ROWS, fits_planes, lower_planes, trim
from mcusim.compiler.lowering.scaling import accumulator_interval, folded_bias, prove_scales
from mcusim.compiler.lowering.types import HEADER, Constant, LoweredOp, Options
from mcusim.network.graph import Graph, Operator, Window
from mcusim.network.quantise import MatrixConstants, conv_constants

STRIP_COLUMNS = 24
"""MCU_STRIP of ``mcu_depthwise.h``: output columns for which a strip is built at once."""

SHALLOW, DEEP = 2, 5
"""Words of a channel in a column of a strip of ``depthwise_3x3_s1.c``: one more than pairs of rows a call."""


DEEP_COLUMNS = 10
"""NARROW of ``depthwise_3x3_s1.c``: the most output columns of a deep strip, those of a row of so many."""

TARGET_BYTES = 80
"""Of the scratch of ``depthwise_3x3_s1.c``, for where outputs go."""

MAX_FILLS = 5
"""The most entries of the list of what fills a strip of the 3x3 kernels."""

SLIDE_COLUMNS = 12
"""MCU_SLIDE of ``depthwise.c``: output columns for which its strip is built at once."""

MAX_PHASES = 4
"""The largest horizontal stride of ``depthwise.c``."""

LONGEST_COLUMN = 24
"""The most rows of a window of ``depthwise_column.c``: as many more outputs as a call has take at most
MCU_MAX_ROWS rows of input."""

MAX_TAPS = 7
"""The most taps of a row, a stride apart, of ``depthwise.c``."""


def lower_depthwise(graph: Graph, op: Operator, options: Options) -> LoweredOp:
    """Weights are [1, kernel_h, kernel_w, channels * multiplier].

    A single input channel makes it an ordinary convolution.
    """
    weights = weights_of(graph, op)
    constants = conv_constants(graph, op)
    window = window_of(op)
    in_channels = graph.input_of(op).shape[-1]
    multiplicity = weights.shape[3] // in_channels
    if in_channels == 1:
        return lower_matrix(weights.transpose(3, 1, 2, 0).copy(), constants, window, options)
    lowered = None
    strips = multiplicity == 1 and in_channels % 4 == 0 and not is_dilated(window)
    if strips and options.optimise == "speed":
        lowered = _lower_strips(graph, op, weights, constants)
    return lowered or lower_general(weights, constants, window, GeneralShape(in_channels, 1, depthwise=True))


def _lower_strips(
    graph: Graph, op: Operator, weights: NDArray[np.int8], constants: MatrixConstants
) -> LoweredOp | None:
    """The kernels that make strips; None if the window or the bounds are others than theirs."""
    (_, in_height, in_width, _), (_, height, width, _) = graph.input_of(op).shape, graph.output_of(op).shape
    window = window_of(op)
    trimmed_weights, trimmed = trim(weights, window, (in_height, in_width), (height, width))
    if fits_planes(trimmed):
        weights, window = trimmed_weights, trimmed
    if window.stride_w > MAX_PHASES or window.kernel_w > MAX_TAPS * window.stride_w:
        return None
    planes = weights.reshape(window.kernel_h * window.kernel_w, -1).T.copy()
    bias = folded_bias(planes, constants)
    interval = accumulator_interval(planes, bias)
    scales = prove_scales(interval, constants)
    if scales is None:
        return None
    channels = [
        Channel(
            plane.reshape(window.kernel_h, window.kernel_w).astype(np.int64),
            0 if scale.constant else int(constants.bias[index]),
            scale,
        )
        for index, (plane, scale) in enumerate(zip(planes, scales, strict=True))
    ]
    is_3x3 = (window.kernel_h, window.kernel_w) == (3, 3) and window.stride_h == window.stride_w <= 2
    if is_3x3 or fits_planes(window):
        lines = find_lines(constants, interval, scales, DEPTHWISE)
        if lines is not None:
            channels = [replace(each, line=line) for each, line in zip(channels, lines, strict=True)]
    if is_3x3:
        return _lower_3x3(channels, constants, window)
    if fits_planes(window):
        return lower_planes(channels, constants, window, (height, width), in_height)
    if _is_column(window, in_width):
        return _lower_column(channels, constants, window)
    return _lower_any(channels, constants, window)


def _is_column(window: Window, in_width: int) -> bool:
    """Whether there is a kernel for a window of one column, which must slide along maps of one."""
    padding = window.padding
    return (
        in_width == window.kernel_w == window.stride_h == 1
        and padding.left == padding.right == 0
        and window.kernel_h <= LONGEST_COLUMN
    )


def _lower_column(channels: Sequence[Channel], constants: MatrixConstants, window: Window) -> LoweredOp:
    words = [word for channel in channels for word in pack_any(channel, 1)]
    pairs = 3 + (window.kernel_h + 1) // 2
    return LoweredOp(
        kernel="mcu_depthwise_column",
        header=HEADER,
        params_type="mcu_depthwise_any_params",
        params=_any_parameters(channels, constants, window),
        constants=(Constant("stream", to_words(np.array(words, np.int64)), 4, "int32_t"),),
        kernel_h=window.kernel_h,
        stride_h=1,
        pad_top=window.padding.top,
        stride_w=window.stride_w,
        pad_left=0,
        rows_per_call=MOST_ROWS,
        scratch_bytes=lambda _in_width, _out_width: 2 * pairs * (FILL_BYTES + 16),
    )


def _lower_3x3(channels: Sequence[Channel], constants: MatrixConstants, window: Window) -> LoweredOp:
    stride = window.stride_h
    pack = _pack_stride_1 if stride == 1 else _pack_stride_2
    words = [word for channel in channels for word in pack(channel, constants.in_zp)]
    return LoweredOp(
        kernel=kernel_name(channels, 3, stride),
        header=HEADER,
        params_type="mcu_depthwise_params",
        params=parameters(channels, constants),
        constants=(Constant("stream", to_words(np.array(words, np.int64)), 4, "int32_t"),),
        kernel_h=3,
        stride_h=stride,
        pad_top=window.padding.top,
        stride_w=stride,
        pad_left=window.padding.left,
        rows_per_call=MOST_ROWS if stride == 1 else 1,
        scratch_bytes=_strip_bytes_stride_1 if stride == 1 else _strip_bytes_stride_2,
        few_rows_scratch=_shallow_strip_bytes if stride == 1 else None,
        grouped_columns=STRIP_COLUMNS,
    )


def _lower_any(channels: Sequence[Channel], constants: MatrixConstants, window: Window) -> LoweredOp:
    words = [word for channel in channels for word in pack_any(channel, window.stride_w)]
    phases = min(window.stride_w, window.kernel_w)
    taps = -(-window.kernel_w // window.stride_w)

    def scratch_bytes(_in_width: int, out_width: int) -> int:
        columns = -(-min(out_width, SLIDE_COLUMNS) // 4) * 4 + taps - 1
        return 16 * -(-window.kernel_h // 2) * phases * columns

    return LoweredOp(
        kernel="mcu_depthwise",
        header=HEADER,
        params_type="mcu_depthwise_any_params",
        params=_any_parameters(channels, constants, window),
        constants=(Constant("stream", to_words(np.array(words, np.int64)), 4, "int32_t"),),
        kernel_h=window.kernel_h,
        stride_h=window.stride_h,
        pad_top=window.padding.top,
        stride_w=window.stride_w,
        pad_left=window.padding.left,
        rows_per_call=1,
        scratch_bytes=scratch_bytes,
        grouped_columns=SLIDE_COLUMNS,
    )


def _any_parameters(channels: Sequence[Channel], constants: MatrixConstants, window: Window) -> str:
    return (
        f"{{.base = {parameters(channels, constants)}, .kernel_h = {window.kernel_h}, "
        f".kernel_w = {window.kernel_w}, .stride_w = {window.stride_w}}}"
    )


def _strip_bytes_stride_1(in_width: int, out_width: int) -> int:
    words = DEEP * (max(min(out_width, DEEP_COLUMNS), 2) + 2)
    return max(MAX_FILLS * FILL_BYTES + TARGET_BYTES + 16 * words, _shallow_strip_bytes(in_width, out_width))


def _shallow_strip_bytes(_in_width: int, out_width: int) -> int:
    words = SHALLOW * (max(min(out_width, STRIP_COLUMNS), 2) + 2)
    return MAX_FILLS * FILL_BYTES + TARGET_BYTES + 16 * words


def _strip_bytes_stride_2(_in_width: int, out_width: int) -> int:
    return MAX_FILLS * FILL_BYTES + 48 * (max(min(out_width, STRIP_COLUMNS), 4) + 1)


def _pack_stride_1(channel: Channel, zero_point: int) -> list[int]:
    """Words of one channel for ``depthwise_3x3_s1.c``."""
    columns = channel.kernel.astype(np.int8).T
    words = [int(column[[0, 1, 1, 2]].view("<u4")[0]) for column in columns]
    return [*words, *channel.folded(zero_point)]


def _pack_stride_2(channel: Channel, zero_point: int) -> list[int]:
    """Words of one channel for ``depthwise_3x3_s2.c``."""
    kernel = channel.kernel
    words = [doubled_pair(column[0], column[1]) for column in kernel.T]
    return [
        *words,
        doubled_pair(kernel[2, 0], kernel[2, 1]),
        doubled_pair(kernel[2, 2], 0),
        *channel.folded(zero_point),
    ]
