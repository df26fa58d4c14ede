"""Which tensors and operators have rows and columns, and how the driver of the runtime sees them."""

from __future__ import annotations

from dataclasses import dataclass

from mcusim.compiler.lowering.types import MAX_ROWS
from mcusim.network.graph import Graph, Operator, OpKind, Padding, Tensor, Window

WINDOWED = frozenset({OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D, OpKind.AVERAGE_POOL_2D, OpKind.MAX_POOL_2D})
ELEMENTWISE = frozenset(
    {
        OpKind.ADD,
        OpKind.SUB,
        OpKind.MUL,
        OpKind.PRELU,
        OpKind.RELU,
        OpKind.RELU6,
        OpKind.LOGISTIC,
        OpKind.TANH,
        OpKind.HARD_SWISH,
        OpKind.LEAKY_RELU,
        OpKind.QUANTIZE,
    }
)
MAX_POOLED_COLUMNS = 255
"""Columns that ``average_pool_row.c`` adds up in 16 bits: 255 * 128 is the most that they hold."""

FREE = frozenset({OpKind.RESHAPE})
"""Operators that move no byte: their output is another name for their input."""


@dataclass(frozen=True)
class Extent:
    """Rows, columns and channels of an activation as a view; ``bytes`` are int8."""

    height: int
    width: int
    channels: int

    @property
    def bytes(self) -> int:
        return self.height * self.width * self.channels


def extent(tensor: Tensor) -> Extent:
    """Shapes (1, H, W, C) have rows; every other shape (1, ..., C) is one row of pixels."""
    if len(tensor.shape) == 4:
        _, height, width, channels = tensor.shape
        return Extent(height, width, channels)
    channels = tensor.shape[-1]
    return Extent(1, tensor.elements // channels, channels)


def window_of(op: Operator) -> Window:
    """The operator's window; element-wise operators look at exactly the pixel they produce."""
    return op.attributes.window or Window(1, 1)


def window_rows(op: Operator) -> int:
    """Input rows that one output row is made from."""
    window = window_of(op)
    return (window.kernel_h - 1) * window.dilation_h + 1


def activations(graph: Graph, op: Operator) -> list[int]:
    """The operator's inputs that are computed at run time, in order."""
    return [index for index in op.inputs if index >= 0 and not graph.tensors[index].is_constant]


def is_spatial(graph: Graph, op: Operator) -> bool:
    """Whether part of the output can be computed from part of the input: what a patch stage needs."""
    if op.kind in WINDOWED:
        return len(graph.output_of(op).shape) == 4 and window_rows(op) <= MAX_ROWS
    if op.kind not in ELEMENTWISE:
        return False
    shape = graph.output_of(op).shape
    return len(shape) == 4 and all(graph.tensors[i].shape == shape for i in activations(graph, op))


def pools_all(graph: Graph, op: Operator) -> bool:
    """An average pool whose only window is the whole input: a stream may end with it, adding up rows as they
    come."""
    window = op.attributes.window
    if op.kind is not OpKind.AVERAGE_POOL_2D or window is None or window.padding != Padding():
        return False
    covered = (window.kernel_h, window.kernel_w) == graph.input_of(op).shape[1:3]
    return covered and window_rows(op) <= MAX_ROWS and window.kernel_w <= MAX_POOLED_COLUMNS


def keeps_channels(graph: Graph, op: Operator) -> bool:
    """A depthwise convolution of multiplier 1: plane by plane, so that it can run in place."""
    return (
        op.kind is OpKind.DEPTHWISE_CONV_2D
        and extent(graph.input_of(op)).channels == extent(graph.output_of(op)).channels
    )


def live_behind(graph: Graph, first: int, last: int) -> set[int]:
    """Tensors that positions ``first`` to ``last`` make and that are still needed afterwards."""
    made = {tensor for op in graph.operators[first : last + 1] for tensor in op.outputs}
    needed = {tensor for op in graph.operators[last + 1 :] for tensor in op.inputs}
    return made & (needed | set(graph.outputs))
