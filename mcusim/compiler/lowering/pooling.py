"""Lowering of AVERAGE_POOL_2D and SOFTMAX."""

from __future__ import annotations

from mcusim.compiler.lowering.convolution import window_of
from mcusim.compiler.lowering.types import HEADER, LoweredOp, no_scratch
from mcusim.network.graph import Graph, Operator
from mcusim.network.quantise import pool_constants, softmax_constants


def lower_average_pool(graph: Graph, op: Operator) -> LoweredOp:
    """AVERAGE_POOL_2D of any window; taps on padding do not count."""
    window = window_of(op)
    constants = pool_constants(graph, op)
    return LoweredOp(
        kernel="mcu_average_pool",
        source="average_pool.c",
        header=HEADER,
        params_type="mcu_pool_params",
        params=(
            f"{{.channels = {graph.output_of(op).shape[-1]}, .kernel_h = {window.kernel_h}, "
            f".kernel_w = {window.kernel_w}, .stride_w = {window.stride_w}, "
            f".act_min = {constants.act_min}, .act_max = {constants.act_max}}}"
        ),
        constants=(),
        kernel_h=window.kernel_h,
        stride_h=window.stride_h,
        pad_top=window.padding.top,
        stride_w=window.stride_w,
        pad_left=window.padding.left,
        rows_per_call=1,
        scratch_bytes=no_scratch,
    )


def lower_softmax(graph: Graph, op: Operator) -> LoweredOp:
    """SOFTMAX over the last dimension."""
    constants = softmax_constants(graph, op)
    return LoweredOp(
        kernel="mcu_softmax",
        source="softmax.c",
        header=HEADER,
        params_type="mcu_softmax_params",
        params=(
            f"{{.channels = {graph.output_of(op).shape[-1]}, .multiplier = {constants.multiplier}, "
            f".shift = {constants.shift}, .diff_min = {constants.diff_min}}}"
        ),
        constants=(),
        kernel_h=1,
        stride_h=1,
        pad_top=0,
        stride_w=1,
        pad_left=0,
        rows_per_call=1,
        scratch_bytes=no_scratch,
        alias_ok=True,
        merge_rows=True,
    )
