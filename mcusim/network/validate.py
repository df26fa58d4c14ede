"""Check that a graph makes sense, so that the rooms behind need not."""

from __future__ import annotations

from mcusim.errors import InputError, UnsupportedError
from mcusim.network import shapes
from mcusim.network.graph import Graph, Operator, OpKind, Quantisation, Tensor

LEAST_SCALE = 2.0**-100

_WINDOWED = (
    OpKind.CONV_2D,
    OpKind.DEPTHWISE_CONV_2D,
    OpKind.TRANSPOSE_CONV,
    OpKind.AVERAGE_POOL_2D,
    OpKind.MAX_POOL_2D,
)
_WEIGHTED = (OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D, OpKind.TRANSPOSE_CONV, OpKind.FULLY_CONNECTED)
_PAIRED = (OpKind.ADD, OpKind.SUB, OpKind.MUL, OpKind.PRELU)
_SAME_SCALE = (
    OpKind.AVERAGE_POOL_2D,
    OpKind.MAX_POOL_2D,
    OpKind.REDUCE_MAX,
    OpKind.RELU6,
    OpKind.PAD,
    OpKind.TRANSPOSE,
    OpKind.RESHAPE,
    OpKind.RESIZE_NEAREST_NEIGHBOR,
    OpKind.RESIZE_BILINEAR,
    OpKind.CONCATENATION,
    OpKind.SPLIT,
    OpKind.STRIDED_SLICE,
)
_TYPES = {
    OpKind.QUANTIZE: (("float32", "int8"), ("uint8", "int8"), ("int8", "uint8"), ("int8", "int8")),
    OpKind.DEQUANTIZE: (("int8", "float32"),),
}
"""Types of input and output, where they are not int8."""
_FIXED_OUTPUTS = {
    OpKind.SOFTMAX: Quantisation((1 / 256,), (-128,)),
    OpKind.LOG_SOFTMAX: Quantisation((1 / 16,), (127,)),
    OpKind.LOGISTIC: Quantisation((1 / 256,), (-128,)),
    OpKind.TANH: Quantisation((1 / 128,), (0,)),
}
"""Output quantisations that are part of the operator's definition."""


def check(graph: Graph) -> None:
    """Raise InputError for a graph that contradicts itself, UnsupportedError for one that mcusim lacks.

    Checked are execution order, types, scales and, for every operator, the shapes of all its tensors.
    """
    if not graph.operators or not graph.inputs or not graph.outputs:
        raise InputError(f"{graph.name} has no operators, no inputs or no outputs")
    constants = {i for i, tensor in graph.tensors.items() if tensor.is_constant}
    if constants & {*graph.inputs, *graph.outputs}:
        raise InputError(f"an input or output of {graph.name} is a constant")
    known = constants | set(graph.inputs)
    for op in graph.operators:
        where = f"operator {op.index} ({op.kind})"
        if any(i not in known for i in op.inputs):
            raise InputError(f"{where} reads a tensor that nothing has written")
        if any(i in known for i in op.outputs):
            raise InputError(f"{where} writes a tensor that already has a value")
        known.update(op.outputs)
        _check_types(graph, op, where)
        _check_operands(graph, op, where)
        for output, expected in zip(op.outputs, shapes.output_shapes(graph, op, where), strict=True):
            found = graph.tensors[output].shape
            if expected != found:
                raise InputError(f"{where} yields the shape {list(expected)} where {list(found)} is stored")
    if any(i not in known for i in graph.outputs):
        raise InputError(f"an output of {graph.name} is never written")


def _check_types(graph: Graph, op: Operator, where: str) -> None:
    sources = [graph.tensors[i] for i in (op.inputs if op.kind is OpKind.CONCATENATION else op.inputs[:1])]
    results = [graph.tensors[i] for i in op.outputs]
    for source in sources:
        for result in results:
            if (source.dtype, result.dtype) not in _TYPES.get(op.kind, (("int8", "int8"),)):
                raise UnsupportedError(
                    f"{where} turns {source.dtype} into {result.dtype}, which mcusim does not have"
                )
    for tensor in (*sources, *results):
        if tensor.dtype in ("int8", "uint8"):
            _check_activation(tensor, where)
    alone = all(graph.tensors[i].is_constant for i in op.inputs)
    first_only = op.kind not in (OpKind.ADD, OpKind.SUB, OpKind.MUL, OpKind.CONCATENATION)
    if alone or any(t.is_constant for t in results) or (first_only and sources[0].is_constant):
        raise UnsupportedError(f"{where} computes on constants alone")
    if op.kind in _SAME_SCALE and any(
        t.quantisation != results[0].quantisation for t in (*sources, *results)
    ):
        raise UnsupportedError(f"{where} rescales its input, which mcusim does not have")
    _check_functions(op, where, results[0])


def _check_functions(op: Operator, where: str, result: Tensor) -> None:
    """Parameters and output scales of softmax, logistic and their like."""
    if op.kind is OpKind.SOFTMAX and not _positive(op.attributes.beta):
        raise InputError(f"{where} has the impossible factor {op.attributes.beta}")
    if op.kind is OpKind.LEAKY_RELU and op.attributes.alpha != 0 and not _positive(op.attributes.alpha):
        raise UnsupportedError(f"{where} has the slope {op.attributes.alpha}, which mcusim does not have")
    fixed = _FIXED_OUTPUTS.get(op.kind)
    if fixed is not None and result.quantisation != fixed:
        raise UnsupportedError(
            f"{where} has another output scale than 1/{1 / fixed.scale:g} with zero point {fixed.zero_point}"
        )


def _check_activation(tensor: Tensor, where: str) -> None:
    label = f"tensor {tensor.index} of {where}"
    stored = tensor.quantisation
    if stored is None or len(stored.scales) != 1 or len(stored.zero_points) != 1:
        raise UnsupportedError(f"{label} does not have exactly one scale and zero point")
    least = 0 if tensor.dtype == "uint8" else -128
    if not _positive(stored.scale) or not least <= stored.zero_point <= least + 255:
        raise InputError(f"{label} has an impossible scale or zero point")
    if len(tensor.shape) < 1 or (tensor.shape[0] != 1 and not tensor.is_constant):
        raise UnsupportedError(f"{label} has the shape {list(tensor.shape)}, not one with batch size 1")


def _positive(scale: float) -> bool:
    """Whether a scale is positive and far enough from float32's limits for quotients of scales."""
    return LEAST_SCALE <= scale <= 1 / LEAST_SCALE


def _check_operands(graph: Graph, op: Operator, where: str) -> None:
    if op.kind in _WEIGHTED:
        _check_weights(graph, op, where)
    if op.kind in _PAIRED:
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
