"""What every channel of every activation can be, for any input: intervals, carried from layer to layer.

Trained networks have channels that never change: weights that are all zero, or a bias that keeps a ReLU
shut. Interval arithmetic proves it, so nothing need be run.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcusim.network.graph import Graph, Operator, OpKind, Padding
from mcusim.network.quantise import (
    INT8_MAX,
    INT8_MIN,
    MatrixConstants,
    conv_constants,
    fully_connected_constants,
    multiply_by_quantised_multiplier,
    pool_constants,
)

Int64Array = NDArray[np.int64]

INT32_MAX = (1 << 31) - 1


@dataclass(frozen=True, eq=False)
class Bounds:
    """Least and greatest value of every channel (the last dimension), over all pixels and inputs; int64
    [channels]. The value of a constant channel is both."""

    low: Int64Array
    high: Int64Array

    @property
    def constant(self) -> NDArray[np.bool_]:
        same: NDArray[np.bool_] = self.low == self.high
        return same


def channel_bounds(graph: Graph) -> dict[int, Bounds]:
    """Bounds of every int8 activation, by tensor; exact for a single operator whose inputs are independent,
    else wider than the truth, never narrower."""
    found = {index: _anything(graph.tensors[index].shape) for index in graph.inputs}
    for op in graph.operators:
        for index in op.outputs:
            found[index] = _of_output(graph, op, found.get(op.inputs[0]), graph.tensors[index].shape)
    return found


def _anything(shape: tuple[int, ...]) -> Bounds:
    channels = shape[-1] if shape else 1
    return Bounds(np.full(channels, INT8_MIN, np.int64), np.full(channels, INT8_MAX, np.int64))


def _of_output(graph: Graph, op: Operator, source: Bounds | None, shape: tuple[int, ...]) -> Bounds:
    if source is None:
        return _anything(shape)
    match op.kind:
        case OpKind.CONV_2D:
            return _of_convolution(graph, op, source)
        case OpKind.DEPTHWISE_CONV_2D:
            return _of_depthwise(graph, op, source)
        case OpKind.FULLY_CONNECTED:
            return _of_dense(graph, op, source)
        case OpKind.AVERAGE_POOL_2D | OpKind.MAX_POOL_2D:
            limits = pool_constants(graph, op)
            low, high = (x.clip(limits.act_min, limits.act_max) for x in (source.low, source.high))
            return Bounds(low, high)
        case OpKind.RESHAPE if shape[-1] == len(source.low):
            return source
        case _:
            return _anything(shape)


def _of_convolution(graph: Graph, op: Operator, source: Bounds) -> Bounds:
    weights = _weights(graph, op)
    constants = conv_constants(graph, op)
    if weights is None:
        return _anything(graph.output_of(op).shape)
    if weights.shape[3] != len(source.low):
        source = _widest(source, weights.shape[3])
    products = _products(weights, _around(source, constants.in_zp, op))
    return _requantised(constants, *(each.sum(axis=(1, 2, 3)) for each in products))


def _of_depthwise(graph: Graph, op: Operator, source: Bounds) -> Bounds:
    weights = _weights(graph, op)
    constants = conv_constants(graph, op)
    if weights is None:
        return _anything(graph.output_of(op).shape)
    repeated = weights.shape[3] // len(source.low)
    each = Bounds(source.low.repeat(repeated), source.high.repeat(repeated))
    products = _products(weights, _around(each, constants.in_zp, op))
    return _requantised(constants, *(each.sum(axis=(0, 1, 2)) for each in products))


def _of_dense(graph: Graph, op: Operator, source: Bounds) -> Bounds:
    weights = _weights(graph, op)
    constants = fully_connected_constants(graph, op)
    if weights is None:
        return _anything(graph.output_of(op).shape)
    length = weights.shape[1]
    # A map that is flattened pixel by pixel repeats its channels.
    pixels = length // len(source.low)
    each = _widest(source, length)
    if pixels * len(source.low) == length:
        each = Bounds(np.tile(source.low, pixels), np.tile(source.high, pixels))
    products = _products(weights, _around(each, constants.in_zp, op))
    return _requantised(constants, *(each.sum(axis=1) for each in products))


def _weights(graph: Graph, op: Operator) -> Int64Array | None:
    tensor = graph.input_of(op, 1)
    return None if tensor.data is None else tensor.data.reshape(tensor.shape).astype(np.int64)


def _widest(source: Bounds, channels: int) -> Bounds:
    low, high = source.low.min(initial=INT8_MAX), source.high.max(initial=INT8_MIN)
    return Bounds(np.full(channels, low, np.int64), np.full(channels, high, np.int64))


def _around(source: Bounds, zero_point: int, op: Operator) -> Bounds:
    """Less the zero point; taps that fall on padding are zero."""
    low, high = source.low - zero_point, source.high - zero_point
    window = op.attributes.window
    if window is not None and window.padding != Padding():
        low, high = np.minimum(low, 0), np.maximum(high, 0)
    return Bounds(low, high)


def _products(weights: Int64Array, source: Bounds) -> tuple[Int64Array, Int64Array]:
    """Least and greatest product of each weight with its input, the last axis being the input's channels."""
    ends = weights * source.low, weights * source.high
    return np.minimum(*ends), np.maximum(*ends)


def _requantised(constants: MatrixConstants, low: Int64Array, high: Int64Array) -> Bounds:
    """Outputs at both ends of the accumulators; requantisation is monotone as long as nothing wraps."""
    bias = constants.bias.astype(np.int64)
    ends = low + bias, high + bias
    largest = np.maximum(np.abs(ends[0]), np.abs(ends[1]))
    outputs = [
        (
            constants.out_zp + multiply_by_quantised_multiplier(end, constants.multipliers, constants.shifts)
        ).clip(constants.act_min, constants.act_max)
        for end in ends
    ]
    wraps = largest > INT32_MAX >> constants.shifts.clip(min=0).astype(np.int64)
    return Bounds(
        np.where(wraps, constants.act_min, outputs[0]), np.where(wraps, constants.act_max, outputs[1])
    )
