"""Lowering of DEPTHWISE_CONV_2D."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mcusim.compiler.lowering.convolution import (
    GeneralShape,
    is_dilated,
    lower_general,
    lower_matrix,
    weights_of,
    window_of,
)
from mcusim.compiler.lowering.gemm import activation_fields, bytes_of, to_words
from mcusim.compiler.lowering.scaling import Scale, accumulator_interval, folded_bias, prove_scales
from mcusim.compiler.lowering.types import HEADER, Constant, LoweredOp, ScratchBytes
from mcusim.network.graph import Graph, Operator, Window
from mcusim.network.quantise import MatrixConstants, conv_constants

STRIP_COLUMNS = 24
"""MCU_STRIP of ``mcu_depthwise.h``: output columns for which a strip is built at once."""

SHALLOW, DEEP = 2, 5
"""Words of a channel in a column of a strip of ``depthwise_3x3_s1.c``: one more than pairs of rows a call."""


def lower_depthwise(graph: Graph, op: Operator) -> LoweredOp:
    """Weights are [1, kernel_h, kernel_w, channels * multiplier].

    A single input channel makes it an ordinary convolution.
    """
    weights = weights_of(graph, op)
    constants = conv_constants(graph, op)
    window = window_of(op)
    in_channels = graph.input_of(op).shape[-1]
    multiplicity = weights.shape[3] // in_channels
    if in_channels == 1:
        return lower_matrix(weights.transpose(3, 1, 2, 0).copy(), constants, window)
    lowered = None
    if multiplicity == 1 and in_channels % 4 == 0 and not is_dilated(window):
        lowered = _lower_3x3(weights, constants, window, graph.output_of(op).shape[2])
    return lowered or lower_general(weights, constants, window, GeneralShape(in_channels, 1, depthwise=True))


def _lower_3x3(
    weights: NDArray[np.int8], constants: MatrixConstants, window: Window, width: int
) -> LoweredOp | None:
    """The 3x3 kernels for outputs of so many columns, or None if the geometry or the bounds are others."""
    stride = window.stride_h
    if (window.kernel_h, window.kernel_w) != (3, 3) or window.stride_w != stride or stride not in (1, 2):
        return None
    kernels = weights.reshape(9, -1).T.copy()
    bias = folded_bias(kernels, constants)
    scales = prove_scales(accumulator_interval(kernels, bias), constants)
    if scales is None:
        return None
    pack = _pack_stride_1 if stride == 1 else _pack_stride_2
    words = [
        word
        for channel, scale in enumerate(scales)
        for word in (
            *pack(
                kernels[channel].reshape(3, 3).astype(np.int64), 0 if scale.constant else int(bias[channel])
            ),
            *_scale_words(scale),
            *[0] * (stride - 1),
        )
    ]
    rows = _rows_per_call(width) if stride == 1 else 1
    depth = 3 if stride == 2 else DEEP if rows > 2 else SHALLOW
    return LoweredOp(
        kernel=f"mcu_depthwise_3x3_s{stride}",
        source=f"depthwise_3x3_s{stride}.c",
        header=HEADER,
        params_type="mcu_depthwise_params",
        params=(
            f"{{.stream = $stream, .channels = {len(scales)}, .depth = {depth}, "
            f".zero_point = {bytes_of(constants.in_zp)}, {activation_fields(constants)}}}"
        ),
        constants=(Constant("stream", to_words(np.array(words, np.int64)), 4, "int32_t"),),
        kernel_h=3,
        stride_h=stride,
        pad_top=window.padding.top,
        stride_w=stride,
        pad_left=window.padding.left,
        rows_per_call=rows,
        scratch_bytes=_strip_bytes_stride_2 if stride == 2 else _strip_bytes_stride_1(depth),
    )


def _rows_per_call(width: int) -> int:
    """Rows that a strip's outputs are to come from: what is done once a strip should be shared by about as
    many as in a full one; an even number, at most 8."""
    return 2 * max(1, min(DEEP - 1, STRIP_COLUMNS // width))


def _strip_bytes_stride_1(depth: int) -> ScratchBytes:
    columns = STRIP_COLUMNS if depth == SHALLOW else STRIP_COLUMNS // 2
    return lambda _in_width, out_width: 16 * depth * (max(min(out_width, columns), 2) + 2)


def _strip_bytes_stride_2(_in_width: int, out_width: int) -> int:
    return 48 * (max(min(out_width, STRIP_COLUMNS), 2) + 1)


def _doubled_pair(low: int, high: int) -> int:
    return (2 * int(low) & 0xFFFF) | ((2 * int(high) & 0xFFFF) << 16)


def _pack_stride_1(kernel: NDArray[np.int64], bias: int) -> list[int]:
    """Words of one channel for ``depthwise_3x3_s1.c``; ``kernel`` is [row, column]."""
    words = []
    for column in kernel.T:
        words += [_doubled_pair(column[0], column[1]), _doubled_pair(column[1], column[2])]
    return [*words, 2 * bias]


def _pack_stride_2(kernel: NDArray[np.int64], bias: int) -> list[int]:
    """Words of one channel for ``depthwise_3x3_s2.c``; ``kernel`` is [row, column]."""
    words = [_doubled_pair(column[0], column[1]) for column in kernel.T]
    return [*words, _doubled_pair(kernel[2, 0], kernel[2, 1]), _doubled_pair(kernel[2, 2], 0), 2 * bias]


def _scale_words(scale: Scale) -> tuple[int, int, int]:
    return scale.multiplier, scale.offset, scale.exponent
