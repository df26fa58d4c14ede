"""Lowering of CONV_2D, FULLY_CONNECTED and, where there is no better kernel, DEPTHWISE_CONV_2D."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcusim.compiler.lowering.gemm import (
    Matrix,
    bytes_of,
    gemm_initialiser,
    pack_stream,
    prove_matrix,
    quad_pairs,
)
from mcusim.compiler.lowering.types import (
    HEADER,
    Constant,
    LoweredOp,
    Options,
    ScratchBytes,
    no_scratch,
    tensorwise,
)
from mcusim.errors import UnsupportedError
from mcusim.network.graph import Graph, Operator, Window
from mcusim.network.quantise import MatrixConstants, conv_constants, fully_connected_constants

GENERAL_CONV, GENERAL_DEPTHWISE = "mcu_conv_general", "mcu_depthwise_general"
"""The kernels that assume nothing of a convolution's constants."""


@dataclass(frozen=True)
class GeneralShape:
    """Channels of a convolution: each output sees ``depth`` of ``in_channels``. Weights are [out, kernel_h,
    kernel_w, depth], or [1, kernel_h, kernel_w, out] if ``depthwise``."""

    in_channels: int
    depth: int
    depthwise: bool = False


def window_of(op: Operator) -> Window:
    """The operator's window; raises UnsupportedError where it has none."""
    window = op.attributes.window
    if window is None:
        raise UnsupportedError(f"operator {op.index} ({op.kind}) has no window")
    return window


def is_dilated(window: Window) -> bool:
    """Whether the window's taps do not lie beside each other."""
    return window.dilation_h != 1 or window.dilation_w != 1


def weights_of(graph: Graph, op: Operator) -> NDArray[np.int8]:
    """The constant weights; raises UnsupportedError where they are computed or not int8."""
    tensor = graph.input_of(op, 1)
    if tensor.data is None or tensor.data.dtype != np.int8:
        raise UnsupportedError(f"operator {op.index} ({op.kind}) needs constant int8 weights")
    return tensor.data.reshape(tensor.shape).astype(np.int8, copy=False)


def lower_fully_connected(graph: Graph, op: Operator, options: Options) -> LoweredOp:
    """A dense layer: a 1x1 convolution of one pixel, or of one pixel for every row of inputs. Weights are
    [outputs, inputs]."""
    weights = weights_of(graph, op)
    matrix = weights.reshape(weights.shape[0], 1, 1, -1)
    one_pixel = graph.output_of(op).elements == weights.shape[0]
    return lower_matrix(
        matrix, fully_connected_constants(graph, op), Window(1, 1), options, one_pixel=one_pixel
    )


def lower_conv(graph: Graph, op: Operator, options: Options) -> LoweredOp:
    """CONV_2D; weights are [out, kernel_h, kernel_w, in], with fewer inputs in groups."""
    weights, window = weights_of(graph, op), window_of(op)
    shape = GeneralShape(in_channels=graph.input_of(op).shape[3], depth=weights.shape[3])
    if shape.depth == 1 and shape.in_channels > 1:
        planes = GeneralShape(shape.in_channels, 1, depthwise=True)
        return lower_general(weights.transpose(3, 1, 2, 0), conv_constants(graph, op), window, planes)
    if shape.depth != shape.in_channels:
        return lower_general(weights, conv_constants(graph, op), window, shape)
    return lower_matrix(weights, conv_constants(graph, op), window, options)


def lower_matrix(
    weights: NDArray[np.int8],
    constants: MatrixConstants,
    window: Window,
    options: Options,
    *,
    one_pixel: bool = False,
) -> LoweredOp:
    """A convolution with weights [out, kernel_h, kernel_w, in], by the fastest kernel that is exact; of an
    output of ``one_pixel``."""
    in_channels = weights.shape[3]
    matrix = prove_matrix(weights.reshape(weights.shape[0], -1), constants, options)
    if matrix is None or is_dilated(window):
        return lower_general(weights, constants, window, GeneralShape(in_channels, in_channels))
    matrix = replace(matrix, one_pixel=one_pixel)
    padding = window.padding
    padded = padding.top or padding.bottom or padding.left or padding.right
    pointwise = (window.kernel_h, window.kernel_w, window.stride_h, window.stride_w) == (1, 1, 1, 1)
    if pointwise and not padded and in_channels % 4 == 0:
        return _lower_1x1(matrix, in_channels)
    return _lower_windowed(matrix, in_channels, window)


def _lower_1x1(matrix: Matrix, in_channels: int) -> LoweredOp:
    quads = in_channels // 4
    return LoweredOp(
        kernel="mcu_conv_1x1",
        header=HEADER,
        params_type="mcu_conv_1x1_params",
        params=f"{{.gemm = {gemm_initialiser(matrix, quads)}, .in_channels = {in_channels}}}",
        constants=(pack_stream(matrix, quad_pairs(range(in_channels))),),
        kernel_h=1,
        stride_h=1,
        pad_top=0,
        stride_w=1,
        pad_left=0,
        rows_per_call=1,
        scratch_bytes=lambda _in_width, out_width: 8 * quads * min(out_width, 2),
        merge_rows=True,
        pixels_at_once=2,
    )


def window_pairs(kernel_h: int, run: int, run_words: int) -> list[tuple[int, int]]:
    """Order of a window's products in ``kernels/conv.c``: runs of ``run`` bytes, ``run_words`` words of each
    first, then what is left over; -1 is a product with nothing."""
    runs = [
        [row * run + i if i < run else -1 for i in range(max(run, 4 * run_words))] for row in range(kernel_h)
    ]
    pairs = [pair for each in runs for pair in quad_pairs(each[: 4 * run_words])]
    left_over = [product for each in runs for product in each[4 * run_words :]]
    left_over += [-1] * (-len(left_over) % 4)
    return pairs + list(zip(left_over[0::2], left_over[1::2], strict=True))


def _window_order(kernel_h: int, run: int) -> tuple[int, list[tuple[int, int]]]:
    """Words read of each run, rounded up where that takes no more products, and the products' order."""
    exact = window_pairs(kernel_h, run, run // 4)
    rounded = window_pairs(kernel_h, run, -(-run // 4))
    return (-(-run // 4), rounded) if len(rounded) <= len(exact) else (run // 4, exact)


def _lower_windowed(matrix: Matrix, in_channels: int, window: Window) -> LoweredOp:
    run = window.kernel_w * in_channels
    run_words, pairs = _window_order(window.kernel_h, run)
    quads = len(pairs) // 2
    return LoweredOp(
        kernel="mcu_conv",
        header=HEADER,
        params_type="mcu_conv_params",
        params=(
            f"{{.gemm = {gemm_initialiser(matrix, quads)}, .in_channels = {in_channels}, "
            f".kernel_h = {window.kernel_h}, .kernel_w = {window.kernel_w}, "
            f".stride_w = {window.stride_w}, .run_words = {run_words}, "
            f".zero_point = {bytes_of(matrix.constants.in_zp)}}}"
        ),
        constants=(pack_stream(matrix, pairs),),
        kernel_h=window.kernel_h,
        stride_h=window.stride_h,
        pad_top=window.padding.top,
        stride_w=window.stride_w,
        pad_left=window.padding.left,
        rows_per_call=1,
        scratch_bytes=_constant_scratch(16 * quads + 2 * ((run + 3) // 4 * 4)),
    )


def lower_general(
    weights: NDArray[np.int8], constants: MatrixConstants, window: Window, shape: GeneralShape
) -> LoweredOp:
    """The kernels that assume nothing."""
    out_channels = len(constants.bias)
    return LoweredOp(
        kernel=GENERAL_DEPTHWISE if shape.depthwise else GENERAL_CONV,
        header=HEADER,
        params_type="mcu_conv_general_params",
        params=(
            "{.weights = $weights, .bias = $bias, .multipliers = $multipliers, .shifts = $shifts, "
            f".in_channels = {shape.in_channels}, .out_channels = {out_channels}, "
            f".kernel_h = {window.kernel_h}, .kernel_w = {window.kernel_w}, .stride_w = {window.stride_w}, "
            f".dilation_h = {window.dilation_h}, .dilation_w = {window.dilation_w}, "
            f".depth = {shape.depth}, .group_outputs = {out_channels * shape.depth // shape.in_channels}, "
            f".in_zero_point = {constants.in_zp}, .out_zero_point = {constants.out_zp}, "
            f".act_min = {constants.act_min}, .act_max = {constants.act_max}}}"
        ),
        constants=general_constants(weights, constants),
        kernel_h=(window.kernel_h - 1) * window.dilation_h + 1,
        stride_h=window.stride_h,
        pad_top=window.padding.top,
        stride_w=window.stride_w,
        pad_left=window.padding.left,
        rows_per_call=1,
        scratch_bytes=no_scratch,
    )


def general_constants(weights: NDArray[np.int8], constants: MatrixConstants) -> tuple[Constant, ...]:
    """Weights, biases, multipliers and shifts as arrays of their own; biases wrap at 32 bits."""
    words: dict[str, NDArray[Any]] = {
        "bias": constants.bias.astype(np.int64),
        "multipliers": constants.multipliers,
        "shifts": constants.shifts,
    }
    return (
        Constant("weights", weights.tobytes(), 1, "int8_t"),
        *(Constant(name, values.astype("<i4").tobytes(), 4, "int32_t") for name, values in words.items()),
    )


def lower_transpose_conv(graph: Graph, op: Operator) -> LoweredOp:
    """TRANSPOSE_CONV; weights are [out, kernel_h, kernel_w, in]; the window leads back from the output."""
    weights, constants, window = weights_of(graph, op), conv_constants(graph, op), window_of(op)
    _, in_height, in_width, in_channels = graph.input_of(op).shape
    _, height, width, channels = graph.output_of(op).shape
    return tensorwise(
        "mcu_transpose_conv",
        "{.weights = $weights, .bias = $bias, .multipliers = $multipliers, .shifts = $shifts, "
        f".in_height = {in_height}, .in_width = {in_width}, .in_channels = {in_channels}, "
        f".out_height = {height}, .out_width = {width}, .out_channels = {channels}, "
        f".kernel_h = {window.kernel_h}, .kernel_w = {window.kernel_w}, "
        f".stride_h = {window.stride_h}, .stride_w = {window.stride_w}, "
        f".pad_top = {window.padding.top}, .pad_left = {window.padding.left}, "
        f".in_zero_point = {constants.in_zp}, .out_zero_point = {constants.out_zp}, "
        f".act_min = {constants.act_min}, .act_max = {constants.act_max}}}",
        constants=general_constants(weights, constants),
    )


def _constant_scratch(size: int) -> ScratchBytes:
    return lambda _in_width, _out_width: size
