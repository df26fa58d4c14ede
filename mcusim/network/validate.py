"""Check that a graph makes sense, so that the rooms behind need not."""

from __future__ import annotations

import math
from collections.abc import Callable

from mcusim.errors import InputError, UnsupportedError
from mcusim.network.geometry import window_output
from mcusim.network.graph import Graph, Operator, OpKind, Quantisation, Tensor

LEAST_SCALE = 2.0**-100

_WINDOWED = (OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D, OpKind.AVERAGE_POOL_2D, OpKind.MAX_POOL_2D)
_WEIGHTED = (OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D, OpKind.FULLY_CONNECTED)
_SAME_SCALE = (
    OpKind.AVERAGE_POOL_2D,
    OpKind.MAX_POOL_2D,
    OpKind.PAD,
    OpKind.TRANSPOSE,
    OpKind.RESHAPE,
    OpKind.RESIZE_NEAREST_NEIGHBOR,
)


def check(graph: Graph) -> None:
    """Raise InputError for a graph that contradicts itself, UnsupportedError for one that mcusim lacks.

    Checked are execution order, types, scales and, for every operator, the shapes of all its tensors.
    """
    if not graph.operators or not graph.inputs or not graph.outputs:
        raise InputError(f"{graph.name} has no operators, no inputs or no outputs")
    known = {i for i, tensor in graph.tensors.items() if tensor.is_constant} | set(graph.inputs)
    for op in graph.operators:
        where = f"operator {op.index} ({op.kind})"
        if any(i not in known for i in op.inputs):
            raise InputError(f"{where} reads a tensor that nothing has written")
        if any(i in known for i in op.outputs):
            raise InputError(f"{where} writes a tensor that already has a value")
        known.update(op.outputs)
        _check_types(graph, op, where)
        _check_operands(graph, op, where)
        expected = _output_shape(graph, op, where)
        found = graph.output_of(op).shape
        if expected != found:
            raise InputError(f"{where} yields the shape {list(expected)} where {list(found)} is stored")
    if any(i not in known for i in graph.outputs):
        raise InputError(f"an output of {graph.name} is never written")


def _check_types(graph: Graph, op: Operator, where: str) -> None:
    source, result = graph.input_of(op), graph.output_of(op)
    wanted = ("int8", "int8")
    if op.kind is OpKind.QUANTIZE:
        wanted = ("float32", "int8")
    elif op.kind is OpKind.DEQUANTIZE:
        wanted = ("int8", "float32")
    if (source.dtype, result.dtype) != wanted:
        raise UnsupportedError(
            f"{where} turns {source.dtype} into {result.dtype}, which mcusim does not have"
        )
    for tensor in (source, result):
        if tensor.dtype == "int8":
            _check_activation(tensor, where)
    if result.is_constant or (source.is_constant and op.kind not in (OpKind.ADD, OpKind.MUL)):
        raise UnsupportedError(f"{where} computes on constants alone")
    if op.kind in _SAME_SCALE and source.quantisation != result.quantisation:
        raise UnsupportedError(f"{where} rescales its input, which mcusim does not have")
    if op.kind is OpKind.SOFTMAX and not _positive(op.attributes.beta):
        raise InputError(f"{where} has the impossible factor {op.attributes.beta}")
    if op.kind is OpKind.SOFTMAX and result.quantisation != Quantisation((1 / 256,), (-128,)):
        raise UnsupportedError(f"{where} has another output scale than 1/256 with zero point -128")


def _check_activation(tensor: Tensor, where: str) -> None:
    label = f"tensor {tensor.index} of {where}"
    stored = tensor.quantisation
    if stored is None or len(stored.scales) != 1 or len(stored.zero_points) != 1:
        raise UnsupportedError(f"{label} does not have exactly one scale and zero point")
    if not _positive(stored.scale) or not -128 <= stored.zero_point <= 127:
        raise InputError(f"{label} has an impossible scale or zero point")
    if len(tensor.shape) < 1 or (tensor.shape[0] != 1 and not tensor.is_constant):
        raise UnsupportedError(f"{label} has the shape {list(tensor.shape)}, not one with batch size 1")


def _positive(scale: float) -> bool:
    """Whether a scale is positive and far enough from float32's limits for quotients of scales."""
    return LEAST_SCALE <= scale <= 1 / LEAST_SCALE


def _check_operands(graph: Graph, op: Operator, where: str) -> None:
    if op.kind in _WEIGHTED:
        _check_weights(graph, op, where)
    if op.kind in (OpKind.ADD, OpKind.MUL):
        if len(op.inputs) != 2 or graph.input_of(op, 1).dtype != "int8":
            raise UnsupportedError(f"{where} does not have two int8 operands")
        _check_activation(graph.input_of(op, 1), where)
        rank = len(graph.output_of(op).shape)
        if any(len(t.shape) != rank for t in map(graph.tensors.__getitem__, op.inputs) if not t.is_constant):
            raise UnsupportedError(f"{where} combines activations of different ranks")
    if op.kind in _WINDOWED and op.attributes.window is None:
        raise InputError(f"{where} has no window")


def _check_weights(graph: Graph, op: Operator, where: str) -> None:
    if len(op.inputs) < 2:
        raise InputError(f"{where} has no weights")
    weights = graph.input_of(op, 1)
    if weights.data is None or weights.dtype != "int8":
        raise UnsupportedError(f"{where} does not have constant int8 weights")
    rank = 2 if op.kind is OpKind.FULLY_CONNECTED else 4
    if len(weights.shape) != rank:
        raise InputError(f"{where} has weights of the shape {list(weights.shape)}")
    axis = 3 if op.kind is OpKind.DEPTHWISE_CONV_2D else 0
    channels = weights.shape[axis]
    stored = weights.quantisation
    if stored is None or any(stored.zero_points) or not all(_positive(s) for s in stored.scales):
        raise UnsupportedError(f"{where} does not have symmetric weights with positive scales")
    if len(stored.scales) not in (1, channels) or (len(stored.scales) > 1 and stored.axis != axis):
        raise UnsupportedError(f"{where} does not have one weight scale, or one per output channel")
    if len(op.inputs) > 2:
        bias = graph.input_of(op, 2)
        if bias.data is None or bias.dtype != "int32" or bias.elements != channels:
            raise UnsupportedError(f"{where} does not have a constant int32 bias of {channels} elements")


def _output_shape(graph: Graph, op: Operator, where: str) -> tuple[int, ...]:
    """The shape that the operator must have; raises InputError where none can be."""
    rule = _SHAPE_RULES.get(op.kind)
    return graph.input_of(op).shape if rule is None else rule(graph, op, where)


def _dense_shape(graph: Graph, op: Operator, where: str) -> tuple[int, ...]:
    shape, found = graph.input_of(op).shape, graph.output_of(op).shape
    outputs, depth = graph.input_of(op, 1).shape
    if math.prod(shape) != depth:
        raise InputError(f"{where} has {depth} weights per output for {math.prod(shape)} inputs")
    return (*found[:-1], outputs) if math.prod(found[:-1]) == 1 else (1, outputs)


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
    if (window.dilation_h, window.dilation_w) != (1, 1):
        raise UnsupportedError(f"{where} is dilated, which mcusim does not have")
    height, width = window_output(shape[1], shape[2], window)
    if op.kind not in _WEIGHTED:
        return (1, height, width, shape[3])
    weights = graph.input_of(op, 1).shape
    if op.kind is OpKind.CONV_2D:
        if weights[3] != shape[3]:
            raise InputError(f"{where} has weights for {weights[3]} channels, not for {shape[3]}")
        return (1, height, width, weights[0])
    if weights[0] != 1 or weights[3] != shape[3] * op.attributes.depth_multiplier:
        raise InputError(f"{where} has depthwise weights that do not match its {shape[3]} channels")
    return (1, height, width, weights[3])


def _broadcast_shape(graph: Graph, op: Operator, where: str) -> tuple[int, ...]:
    """Numpy's rule; the shorter shape gets leading ones."""
    first, second = graph.input_of(op).shape, graph.input_of(op, 1).shape
    rank = max(len(first), len(second))
    a = (1,) * (rank - len(first)) + first
    b = (1,) * (rank - len(second)) + second
    if any(m != n and 1 not in (m, n) for m, n in zip(a, b, strict=True)):
        raise InputError(f"{where} cannot combine the shapes {list(first)} and {list(second)}")
    return tuple(max(m, n) for m, n in zip(a, b, strict=True))


def _mean_shape(graph: Graph, op: Operator, where: str) -> tuple[int, ...]:
    shape, axes = graph.input_of(op).shape, op.attributes.axes
    if not axes or 0 in axes or len(set(axes)) != len(axes) or max(axes) >= len(shape):
        raise UnsupportedError(f"{where} averages over the axes {list(axes)}, which mcusim does not have")
    if op.attributes.keep_dims:
        return tuple(1 if axis in axes else n for axis, n in enumerate(shape))
    return tuple(n for axis, n in enumerate(shape) if axis not in axes)


_SHAPE_RULES: dict[OpKind, Callable[[Graph, Operator, str], tuple[int, ...]]] = {
    OpKind.CONV_2D: _windowed_shape,
    OpKind.DEPTHWISE_CONV_2D: _windowed_shape,
    OpKind.AVERAGE_POOL_2D: _windowed_shape,
    OpKind.MAX_POOL_2D: _windowed_shape,
    OpKind.FULLY_CONNECTED: _dense_shape,
    OpKind.ADD: _broadcast_shape,
    OpKind.MUL: _broadcast_shape,
    OpKind.MEAN: _mean_shape,
    OpKind.TRANSPOSE: _permuted_shape,
    OpKind.RESHAPE: _reshaped_shape,
    OpKind.PAD: _padded_shape,
    OpKind.RESIZE_NEAREST_NEIGHBOR: _resized_shape,
}
