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
"""Columns that ``mcu_row_sums.h`` adds up in 16 bits: 255 * 128 is the most that they hold."""


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


def window_in(graph: Graph, op: Operator) -> Window:
    """As ``window_of``, and for MEAN the rows and columns that it averages."""
    if op.kind is not OpKind.MEAN:
        return window_of(op)
    _, height, width, _ = graph.input_of(op).shape
    axes = op.attributes.axes
    return Window(height if 1 in axes else 1, width if 2 in axes else 1)


def is_spatial(graph: Graph, op: Operator) -> bool:
    """Whether part of the output can be computed from part of the input: what a patch stage needs."""
    if op.kind in WINDOWED:
        return len(graph.output_of(op).shape) == 4 and window_rows(op) <= MAX_ROWS
    if op.kind not in ELEMENTWISE:
        return False
    shape = graph.output_of(op).shape
    return len(shape) == 4 and all(graph.tensors[i].shape == shape for i in activations(graph, op))


def has_rows(graph: Graph, op: Operator) -> bool:
    """Whether a stream may contain the operator, which then makes row by row: what patches may contain, a
    mean, and an element-wise operator with one pixel for all of its tensor, which must come from before."""
    if op.kind is OpKind.MEAN:
        return averages_columns(graph, op) or pools_all(graph, op)
    return is_spatial(graph, op) or pixel_operand(graph, op) is not None


def averages_columns(graph: Graph, op: Operator) -> bool:
    """A MEAN that makes one pixel of every row."""
    source, result = graph.input_of(op), graph.output_of(op)
    shapes = len(source.shape) == len(result.shape) == 4
    return op.kind is OpKind.MEAN and shapes and set(op.attributes.axes) == {2}


def pixel_operand(graph: Graph, op: Operator) -> int | None:
    """The second operand of an element-wise operator if it is one pixel, as the gate of a squeeze-excite,
    and the first a whole tensor."""
    inputs = activations(graph, op)
    if op.kind not in ELEMENTWISE or len(inputs) != 2 or len(graph.output_of(op).shape) != 4:
        return None
    first, second = (graph.tensors[index] for index in inputs)
    single = extent(second).height * extent(second).width == 1 and len(second.shape) == 4
    return inputs[1] if single and first.shape == graph.output_of(op).shape != second.shape else None


def pools_all(graph: Graph, op: Operator) -> bool:
    """An average pool whose only window is the whole input, or a mean of all rows and columns: a stream may
    end with it, adding up rows as they come."""
    if op.kind is OpKind.MEAN:
        return _averages_all(graph, op)
    window = op.attributes.window
    if op.kind is not OpKind.AVERAGE_POOL_2D or window is None or window.padding != Padding():
        return False
    covered = (window.kernel_h, window.kernel_w) == graph.input_of(op).shape[1:3]
    return covered and window_rows(op) <= MAX_ROWS and window.kernel_w <= MAX_POOLED_COLUMNS


def _averages_all(graph: Graph, op: Operator) -> bool:
    shape, axes = graph.input_of(op).shape, op.attributes.axes
    if len(shape) != 4 or not {1} <= set(axes) <= {0, 1, 2}:
        return False
    return (2 in axes or shape[2] == 1) and shape[2] <= MAX_POOLED_COLUMNS


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
