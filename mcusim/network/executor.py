"""Run a network in numpy, bit for bit as the TensorFlow Lite Micro reference kernels do.

The executor is the oracle for everything that runs on the simulated chip.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcusim.errors import InputError
from mcusim.network.graph import Graph, Operator, OpKind
from mcusim.network.ops import (
    Activation,
    Kernel,
    elementwise,
    lookup,
    matrix,
    movement,
    pooling,
    resize,
    softmax,
)

SPLITTERS = {OpKind.SPLIT: movement.split}
"""Kernels of operators with several outputs."""

KERNELS: dict[OpKind, Kernel] = {
    OpKind.CONV_2D: matrix.conv_2d,
    OpKind.DEPTHWISE_CONV_2D: matrix.depthwise_conv_2d,
    OpKind.TRANSPOSE_CONV: matrix.transpose_conv,
    OpKind.FULLY_CONNECTED: matrix.fully_connected,
    OpKind.ADD: elementwise.add,
    OpKind.SUB: elementwise.sub,
    OpKind.MUL: elementwise.mul,
    OpKind.PRELU: elementwise.prelu,
    OpKind.RELU: lookup.lookup,
    OpKind.RELU6: lookup.lookup,
    OpKind.LOGISTIC: lookup.lookup,
    OpKind.TANH: lookup.lookup,
    OpKind.HARD_SWISH: lookup.lookup,
    OpKind.LEAKY_RELU: lookup.lookup,
    OpKind.MEAN: pooling.mean,
    OpKind.REDUCE_MAX: pooling.reduce_max,
    OpKind.AVERAGE_POOL_2D: pooling.average_pool_2d,
    OpKind.MAX_POOL_2D: pooling.max_pool_2d,
    OpKind.PAD: movement.pad,
    OpKind.TRANSPOSE: movement.transpose,
    OpKind.RESHAPE: movement.reshape,
    OpKind.MOVE: movement.reshape,
    OpKind.RESIZE_NEAREST_NEIGHBOR: movement.resize_nearest_neighbor,
    OpKind.RESIZE_BILINEAR: resize.resize_bilinear,
    OpKind.CONCATENATION: movement.concatenation,
    OpKind.STRIDED_SLICE: movement.strided_slice,
    OpKind.SOFTMAX: softmax.softmax,
    OpKind.LOG_SOFTMAX: softmax.log_softmax,
    OpKind.QUANTIZE: movement.quantize,
    OpKind.DEQUANTIZE: movement.dequantize,
}

_CHUNK_ELEMENTS = 1 << 18
"""Elements that the largest activation of a chunk of the batch may have: what a cache still holds."""


def run(graph: Graph, inputs: Sequence[NDArray[Any]]) -> dict[int, Activation]:
    """Every activation of the network, by tensor index, inputs included.

    ``inputs``: one array per graph input, of the input's type and shape; instead of the leading 1 of
    the shape any batch size may stand, and every activation then has that size.
    Raises InputError for a wrong number, type or shape.
    """
    values = dict(zip(graph.inputs, check_inputs(graph, inputs), strict=True))
    for op in graph.operators:
        values.update(zip(op.outputs, run_operator(graph, op, values), strict=True))
    return values


def outputs(graph: Graph, inputs: Sequence[NDArray[Any]]) -> list[Activation]:
    """The network's outputs, in order; like ``run``, with the memory of a small batch only."""
    checked = check_inputs(graph, inputs)
    largest = max(graph.output_of(op).elements for op in graph.operators)
    step = max(1, _CHUNK_ELEMENTS // largest)
    chunks = [
        _run_to_outputs(graph, [x[start : start + step] for x in checked])
        for start in range(0, len(checked[0]), step)
    ]
    return [np.concatenate(parts) for parts in zip(*chunks, strict=True)]


def run_operator(graph: Graph, op: Operator, values: dict[int, Activation]) -> list[Activation]:
    """The outputs of one operator whose activations are in ``values``."""
    operands = [_operand(graph, i, values) for i in op.inputs]
    if op.kind in SPLITTERS:
        return SPLITTERS[op.kind](graph, op, operands)
    return [KERNELS[op.kind](graph, op, operands)]


def check_inputs(graph: Graph, inputs: Sequence[NDArray[Any]]) -> list[Activation]:
    """The inputs as arrays, all of one batch size of at least 1."""
    if len(inputs) != len(graph.inputs):
        raise InputError(f"{graph.name} has {len(graph.inputs)} inputs, not {len(inputs)}")
    arrays = [np.asarray(x) for x in inputs]
    for index, x in zip(graph.inputs, arrays, strict=True):
        tensor = graph.tensors[index]
        fits = x.ndim > 0 and len(x) > 0 and x.shape[1:] == tensor.shape[1:]
        if x.dtype != np.dtype(tensor.dtype) or not fits:
            wanted, found = f"{tensor.dtype} {list(tensor.shape)}", f"{x.dtype} {list(x.shape)}"
            raise InputError(f"input {tensor.name} takes {wanted}, not {found}")
    if len({len(x) for x in arrays}) > 1:
        raise InputError(f"the inputs of {graph.name} have different batch sizes")
    return arrays


def _operand(graph: Graph, index: int, values: dict[int, Activation]) -> Activation:
    data = graph.tensors[index].data
    return values[index] if data is None else data


def _run_to_outputs(graph: Graph, inputs: Sequence[Activation]) -> Iterator[Activation]:
    """Outputs of one chunk, every activation forgotten after its last reader."""
    remaining = Counter(i for op in graph.operators for i in op.inputs)
    remaining.update(graph.outputs)
    values = dict(zip(graph.inputs, inputs, strict=True))
    for op in graph.operators:
        values.update(zip(op.outputs, run_operator(graph, op, values), strict=True))
        for i in op.inputs:
            remaining[i] -= 1
            if remaining[i] == 0:
                values.pop(i, None)
    return iter([values[i] for i in graph.outputs])
