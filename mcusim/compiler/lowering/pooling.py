"""Lowering of pools, PAD, SOFTMAX and LOG_SOFTMAX."""

from __future__ import annotations

from dataclasses import replace

from mcusim.compiler.lowering.convolution import window_of
from mcusim.compiler.lowering.gemm import clamping_fields
from mcusim.compiler.lowering.types import HEADER, MAX_ROWS, LoweredOp, no_scratch, pixelwise, tensorwise
from mcusim.network.activation_constants import log_softmax_constants
from mcusim.network.graph import Graph, Operator, Padding, Window
from mcusim.network.quantise import pool_constants, quantisation_of, softmax_constants


def lower_average_pool(graph: Graph, op: Operator) -> LoweredOp:
    """AVERAGE_POOL_2D of any window; taps on padding do not count."""
    return _lower_pool(graph, op, "mcu_average_pool")


def over_rows(lowered: LoweredOp) -> LoweredOp:
    """An average pool over everything that is handed its input row by row, and adds up in its scratch."""
    return replace(lowered, kernel="mcu_average_pool_row", kernel_h=1, stride_h=1)


def lower_max_pool(graph: Graph, op: Operator) -> LoweredOp:
    """MAX_POOL_2D of any window; taps on padding do not count."""
    return _lower_pool(graph, op, "mcu_max_pool")


def _lower_pool(graph: Graph, op: Operator, kernel: str) -> LoweredOp:
    window, shape = window_of(op), graph.input_of(op).shape
    tall = window.kernel_h > MAX_ROWS and (window.kernel_h, window.kernel_w) == shape[1:3]
    if tall and window.padding == Padding():
        # All rows lie one behind the other, so that the whole tensor is one row under one window.
        flat = Window(1, window.kernel_h * window.kernel_w)
        return tensorwise(kernel, _pool_params(graph, op, flat), params_type="mcu_pool_params")
    return _windowed(kernel, "mcu_pool_params", _pool_params(graph, op, window), window)


def _pool_params(graph: Graph, op: Operator, window: Window) -> str:
    constants = pool_constants(graph, op)
    return (
        f"{{.channels = {graph.output_of(op).shape[-1]}, .kernel_h = {window.kernel_h}, "
        f".kernel_w = {window.kernel_w}, .stride_w = {window.stride_w}, "
        f"{clamping_fields(constants.act_min, constants.act_max)}}}"
    )


def _windowed(kernel: str, params_type: str, params: str, window: Window) -> LoweredOp:
    return LoweredOp(
        kernel=kernel,
        header=HEADER,
        params_type=params_type,
        params=params,
        constants=(),
        kernel_h=window.kernel_h,
        stride_h=window.stride_h,
        pad_top=window.padding.top,
        stride_w=window.stride_w,
        pad_left=window.padding.left,
        rows_per_call=1,
        scratch_bytes=no_scratch,
    )


def lower_pad(graph: Graph, op: Operator) -> LoweredOp:
    """PAD of rows and columns with the zero point."""
    padding = op.attributes.padding or Padding()
    params = (
        f"{{.channels = {graph.output_of(op).shape[-1]}, "
        f".zero_point = {quantisation_of(graph.output_of(op)).zero_point}}}"
    )
    return _windowed("mcu_pad", "mcu_pad_params", params, Window(1, 1, padding=padding))


def lower_log_softmax(graph: Graph, op: Operator) -> LoweredOp:
    """LOG_SOFTMAX over the last dimension."""
    constants = log_softmax_constants(graph, op)
    scaling = constants.scaling
    return pixelwise(
        "mcu_log_softmax",
        f"{{.channels = {graph.output_of(op).shape[-1]}, .multiplier = {scaling.multiplier}, "
        f".shift = {scaling.shift}, .diff_min = {scaling.diff_min}, "
        f".reverse_multiplier = {constants.reverse_multiplier}, "
        f".reverse_shift = {constants.reverse_shift}}}",
    )


def lower_softmax(graph: Graph, op: Operator) -> LoweredOp:
    """SOFTMAX over the last dimension."""
    constants = softmax_constants(graph, op)
    return pixelwise(
        "mcu_softmax",
        f"{{.channels = {graph.output_of(op).shape[-1]}, .multiplier = {constants.multiplier}, "
        f".shift = {constants.shift}, .diff_min = {constants.diff_min}}}",
    )
