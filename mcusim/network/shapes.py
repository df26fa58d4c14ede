"""The shapes that operators make of their inputs' shapes."""

from __future__ import annotations

import math
from collections.abc import Callable

from mcusim.errors import InputError, UnsupportedError
from mcusim.network.geometry import window_output
from mcusim.network.graph import Graph, Operator, OpKind

_WEIGHTED = (OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D)


def output_shapes(graph: Graph, op: Operator, where: str) -> list[tuple[int, ...]]:
    """The shape that each output must have, in order.

    Raises InputError where there can be none, UnsupportedError for what mcusim lacks; ``where`` names the
    operator.
    """
    if op.kind is OpKind.SPLIT:
        return _split_shapes(graph, op, where)
    rule = _SHAPE_RULES.get(op.kind)
    return [graph.input_of(op).shape if rule is None else rule(graph, op, where)]


def _split_shapes(graph: Graph, op: Operator, where: str) -> list[tuple[int, ...]]:
    """Pieces of the sizes that are stored for the outputs, if they make up the input."""
    shape, axis = graph.input_of(op).shape, op.attributes.axis
    found = [graph.tensors[i].shape for i in op.outputs]
    if not 0 < axis < len(shape) or any(len(piece) != len(shape) for piece in found):
        raise UnsupportedError(f"{where} does not split behind the batch dimension")
    sizes = [piece[axis] for piece in found]
    if sum(sizes) != shape[axis]:
        raise InputError(f"{where} splits {shape[axis]} into {' + '.join(map(str, sizes))}")
    return [(*shape[:axis], size, *shape[axis + 1 :]) for size in sizes]


def _dense_shape(graph: Graph, op: Operator, where: str) -> tuple[int, ...]:
    """Every row of as many inputs as an output has weights becomes a row of outputs."""
    shape, found = graph.input_of(op).shape, graph.output_of(op).shape
    outputs, depth = graph.input_of(op, 1).shape
    if math.prod(shape) % depth:
        raise InputError(f"{where} has {depth} weights per output for {math.prod(shape)} inputs")
    rows = math.prod(shape) // depth
    return (*found[:-1], outputs) if math.prod(found[:-1]) == rows else (rows, outputs)


def _permuted_shape(graph: Graph, op: Operator, where: str) -> tuple[int, ...]:
    shape, permutation = graph.input_of(op).shape, op.attributes.permutation
    if sorted(permutation) != list(range(len(shape))) or permutation[0] != 0:
        raise InputError(f"{where} has an impossible permutation")
    return tuple(shape[axis] for axis in permutation)


def _reshaped_shape(graph: Graph, op: Operator, where: str) -> tuple[int, ...]:
    shape, found = graph.input_of(op).shape, graph.output_of(op).shape
    if math.prod(found) != math.prod(shape):
        raise InputError(f"{where} cannot make {list(found)} of {list(shape)}")
    return found


def _padded_shape(graph: Graph, op: Operator, where: str) -> tuple[int, ...]:
    shape, pad = graph.input_of(op).shape, op.attributes.padding
    if pad is None or len(shape) != 4:
        raise InputError(f"{where} does not pad a four-dimensional tensor")
    return (shape[0], shape[1] + pad.top + pad.bottom, shape[2] + pad.left + pad.right, shape[3])


def _resized_shape(graph: Graph, op: Operator, where: str) -> tuple[int, ...]:
    shape, found = graph.input_of(op).shape, graph.output_of(op).shape
    if len(shape) != 4 or len(found) != 4:
        raise InputError(f"{where} does not resize a four-dimensional tensor")
    return (shape[0], found[1], found[2], shape[3])


def _windowed_shape(graph: Graph, op: Operator, where: str) -> tuple[int, ...]:
    shape, window = graph.input_of(op).shape, op.attributes.window
    if window is None or len(shape) != 4:
        raise InputError(f"{where} does not have a four-dimensional input")
    height, width = window_output(shape[1], shape[2], window)
    if op.kind not in _WEIGHTED:
        return (1, height, width, shape[3])
    weights = graph.input_of(op, 1).shape
    if op.kind is OpKind.CONV_2D:
        groups = shape[3] // weights[3]
        if shape[3] % weights[3] or weights[0] % groups:
            raise InputError(f"{where} has weights for {weights[3]} channels, not for {shape[3]}")
        return (1, height, width, weights[0])
    if weights[0] != 1 or weights[3] != shape[3] * op.attributes.depth_multiplier:
        raise InputError(f"{where} has depthwise weights that do not match its {shape[3]} channels")
    return (1, height, width, weights[3])


def _transposed_conv_shape(graph: Graph, op: Operator, where: str) -> tuple[int, ...]:
    """The stored shape, if the window leads from it back to the input's."""
    shape, found = graph.input_of(op).shape, graph.output_of(op).shape
    weights, window = graph.input_of(op, 1).shape, op.attributes.window
    if window is None or len(shape) != 4 or weights[3] != shape[3]:
        raise InputError(f"{where} has an input or weights of an impossible shape")
    if window_output(found[1], found[2], window) != shape[1:3]:
        raise InputError(f"{where} cannot make {list(found)} of {list(shape)}")
    return (1, found[1], found[2], weights[0])


def _concatenated_shape(graph: Graph, op: Operator, where: str) -> tuple[int, ...]:
    shapes = [graph.tensors[i].shape for i in op.inputs]
    axis, first = op.attributes.axis, shapes[0]
    if not 0 < axis < len(first):
        raise UnsupportedError(f"{where} does not join behind the batch dimension")
    if any((*s[:axis], *s[axis + 1 :]) != (*first[:axis], *first[axis + 1 :]) for s in shapes):
        raise InputError(f"{where} cannot join the shapes {', '.join(str(list(s)) for s in shapes)}")
    return (*first[:axis], sum(s[axis] for s in shapes), *first[axis + 1 :])


def _sliced_shape(graph: Graph, op: Operator, where: str) -> tuple[int, ...]:
    slices, dropped = op.attributes.slices, op.attributes.dropped
    if len(slices) != len(graph.input_of(op).shape) or 0 in dropped or slices[0].count != 1:
        raise UnsupportedError(f"{where} slices the batch dimension, which mcusim does not have")
    if any(part.count < 1 for part in slices):
        raise InputError(f"{where} keeps nothing of its input")
    return tuple(part.count for axis, part in enumerate(slices) if axis not in dropped)


def _broadcast_shape(graph: Graph, op: Operator, where: str) -> tuple[int, ...]:
    """Numpy's rule; the shorter shape gets leading ones."""
    first, second = graph.input_of(op).shape, graph.input_of(op, 1).shape
    rank = max(len(first), len(second))
    a = (1,) * (rank - len(first)) + first
    b = (1,) * (rank - len(second)) + second
    if any(m != n and 1 not in (m, n) for m, n in zip(a, b, strict=True)):
        raise InputError(f"{where} cannot combine the shapes {list(first)} and {list(second)}")
    return tuple(max(m, n) for m, n in zip(a, b, strict=True))


def _sloped_shape(graph: Graph, op: Operator, where: str) -> tuple[int, ...]:
    """The input's shape, to which the slopes must broadcast."""
    if _broadcast_shape(graph, op, where) != graph.input_of(op).shape:
        raise InputError(f"{where} has more slopes than inputs")
    return graph.input_of(op).shape


def _reduced_shape(graph: Graph, op: Operator, where: str) -> tuple[int, ...]:
    shape, axes = graph.input_of(op).shape, op.attributes.axes
    if not axes or 0 in axes or len(set(axes)) != len(axes) or max(axes) >= len(shape):
        raise UnsupportedError(f"{where} reduces the axes {list(axes)}, which mcusim does not have")
    if op.attributes.keep_dims:
        return tuple(1 if axis in axes else n for axis, n in enumerate(shape))
    return tuple(n for axis, n in enumerate(shape) if axis not in axes)


_SHAPE_RULES: dict[OpKind, Callable[[Graph, Operator, str], tuple[int, ...]]] = {
    OpKind.CONV_2D: _windowed_shape,
    OpKind.DEPTHWISE_CONV_2D: _windowed_shape,
    OpKind.AVERAGE_POOL_2D: _windowed_shape,
    OpKind.MAX_POOL_2D: _windowed_shape,
    OpKind.TRANSPOSE_CONV: _transposed_conv_shape,
    OpKind.FULLY_CONNECTED: _dense_shape,
    OpKind.ADD: _broadcast_shape,
    OpKind.SUB: _broadcast_shape,
    OpKind.MUL: _broadcast_shape,
    OpKind.PRELU: _sloped_shape,
    OpKind.MEAN: _reduced_shape,
    OpKind.REDUCE_MAX: _reduced_shape,
    OpKind.CONCATENATION: _concatenated_shape,
    OpKind.STRIDED_SLICE: _sliced_shape,
    OpKind.TRANSPOSE: _permuted_shape,
    OpKind.RESHAPE: _reshaped_shape,
    OpKind.PAD: _padded_shape,
    OpKind.RESIZE_NEAREST_NEIGHBOR: _resized_shape,
    OpKind.RESIZE_BILINEAR: _resized_shape,
}
