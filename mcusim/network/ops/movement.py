"""Operators that compute nothing: they move, repeat, join, cut or convert elements."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcusim.errors import InputError
from mcusim.network.graph import Graph, Operator
from mcusim.network.ops import Activation
from mcusim.network.ops.lookup import lookup
from mcusim.network.quantise import INT8_MAX, INT8_MIN, quantisation_of
from mcusim.network.resampling import nearest


def pad(graph: Graph, op: Operator, operands: Sequence[Activation]) -> Activation:
    """Rows and columns of the zero point around the image."""
    amounts = op.attributes.padding
    if amounts is None:
        raise InputError(f"operator {op.index} ({op.kind}) has no padding")
    widths = ((0, 0), (amounts.top, amounts.bottom), (amounts.left, amounts.right), (0, 0))
    return np.pad(operands[0], widths, constant_values=quantisation_of(graph.output_of(op)).zero_point)


def transpose(graph: Graph, op: Operator, operands: Sequence[Activation]) -> Activation:  # noqa: ARG001
    """Dimensions in another order; the batch stays in front."""
    return np.ascontiguousarray(operands[0].transpose(op.attributes.permutation))


def reshape(graph: Graph, op: Operator, operands: Sequence[Activation]) -> Activation:
    """The same elements in another shape."""
    return operands[0].reshape(operands[0].shape[0], *graph.output_of(op).shape[1:])


def resize_nearest_neighbor(graph: Graph, op: Operator, operands: Sequence[Activation]) -> Activation:
    """Each output pixel is one input pixel."""
    x = operands[0]
    _, height, width, _ = graph.output_of(op).shape
    rows = nearest(x.shape[1], height, op.attributes)
    columns = nearest(x.shape[2], width, op.attributes)
    return x[:, rows][:, :, columns]


def concatenation(graph: Graph, op: Operator, operands: Sequence[Activation]) -> Activation:  # noqa: ARG001
    """The operands one behind the other along ``attributes.axis``."""
    batch = max(len(x) for x in operands)
    whole = [np.broadcast_to(x, (batch, *x.shape[1:])) for x in operands]
    return np.concatenate(whole, axis=op.attributes.axis)


def split(graph: Graph, op: Operator, operands: Sequence[Activation]) -> list[Activation]:
    """The input cut along ``attributes.axis`` into pieces of the outputs' sizes."""
    axis = op.attributes.axis
    ends = np.cumsum([graph.tensors[i].shape[axis] for i in op.outputs])
    return np.split(operands[0], ends[:-1].tolist(), axis=axis)


def strided_slice(graph: Graph, op: Operator, operands: Sequence[Activation]) -> Activation:
    """Every n-th element of a range of each dimension but the batch."""
    x = operands[0]
    for axis, part in enumerate(op.attributes.slices[1:], start=1):
        x = x.take(part.start + part.stride * np.arange(part.count), axis=axis)
    return x.reshape(x.shape[0], *graph.output_of(op).shape[1:])


def quantize(graph: Graph, op: Operator, operands: Sequence[Activation]) -> Activation:
    """float32 to int8, halves away from zero; between integers a table."""
    if graph.input_of(op).dtype != "float32":
        return lookup(graph, op, operands)
    target = quantisation_of(graph.output_of(op))
    quotient = operands[0] / np.float32(target.scale)
    # Rounding in double: adding a half to a float32 just below one would round up by itself.
    rounded = np.copysign(np.floor(np.abs(quotient.astype(np.float64)) + 0.5), quotient)
    stored = np.nan_to_num(rounded) + target.zero_point
    return stored.clip(INT8_MIN, INT8_MAX).astype(np.int8)


def dequantize(graph: Graph, op: Operator, operands: Sequence[Activation]) -> Activation:
    """int8 to float32."""
    source = quantisation_of(graph.input_of(op))
    centred = operands[0].astype(np.int32) - source.zero_point
    return centred.astype(np.float32) * np.float32(source.scale)
