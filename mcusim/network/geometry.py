"""Shapes and work of operators: what follows from a graph without running it."""

from __future__ import annotations

import math

from mcusim.network.graph import Graph, Operator, OpKind, Window


def window_extent(size: int, before: int, after: int, kernel: int, stride: int, dilation: int = 1) -> int:
    """Output pixels along one dimension of ``size`` input pixels, padded ``before`` and ``after``.

    Zero or less if the window does not fit.
    """
    return (size + before + after - (kernel - 1) * dilation - 1) // stride + 1


def same_padding(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """SAME padding before and after along one dimension of ``size`` pixels (ComputePaddingWithOffset)."""
    outputs = -(-size // stride)
    total = max(0, (outputs - 1) * stride + (kernel - 1) * dilation + 1 - size)
    return total // 2, total - total // 2


def window_output(height: int, width: int, window: Window) -> tuple[int, int]:
    """Height and width of what ``window`` makes of a ``height`` x ``width`` input."""
    pad = window.padding
    return (
        window_extent(height, pad.top, pad.bottom, window.kernel_h, window.stride_h, window.dilation_h),
        window_extent(width, pad.left, pad.right, window.kernel_w, window.stride_w, window.dilation_w),
    )


def macs_per_output(graph: Graph, op: Operator) -> int:
    """Multiply-accumulates of one output element, taps on padding included; 0 for TRANSPOSE_CONV, whose
    elements differ (see ``macs``).

    Counted for convolutions and dense layers; pools, element-wise operators, means and everything that
    only moves data count as 0, as is usual for published figures.
    """
    match op.kind:
        case OpKind.CONV_2D:
            return math.prod(graph.input_of(op, 1).shape[1:])
        case OpKind.DEPTHWISE_CONV_2D:
            return math.prod(graph.input_of(op, 1).shape[1:3])
        case OpKind.FULLY_CONNECTED:
            return graph.input_of(op, 1).shape[1]
        case _:
            return 0


def macs(graph: Graph, op: Operator) -> int:
    """Multiply-accumulates of the whole operator: every kernel tap of every output element.

    For TRANSPOSE_CONV every weight at every input pixel, taps beyond the output's border included.
    """
    if op.kind is OpKind.TRANSPOSE_CONV:
        _, height, width, _ = graph.input_of(op).shape
        return height * width * graph.input_of(op, 1).elements
    return macs_per_output(graph, op) * graph.output_of(op).elements


def total_macs(graph: Graph) -> int:
    """Multiply-accumulates of one inference, layer by layer."""
    return sum(macs(graph, op) for op in graph.operators)


def weight_bytes(graph: Graph, op: Operator) -> int:
    """Bytes of the operator's constants, biases included."""
    return sum(graph.tensors[i].bytes for i in op.inputs if graph.tensors[i].is_constant)
