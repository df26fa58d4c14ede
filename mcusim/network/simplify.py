"""The graph that a sensible runtime executes: int8 from edge to edge, no PAD before a convolution.

Operators and tensors keep the numbers they have in the file.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from mcusim.network.graph import Graph, Operator, OpKind, Padding, Tensor

_CONVOLUTIONS = (OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D)


def simplify(graph: Graph) -> Graph:
    """Drop conversions at the edges, then fold PAD into the convolutions behind them."""
    return fold_padding(drop_edges(graph))


def drop_edges(graph: Graph) -> Graph:
    """Make the int8 sides of the first QUANTIZE and the last QUANTIZE or DEQUANTIZE the inputs and outputs.

    An edge stays where it is if anything else reads its float32 or uint8 tensor, and if it rescales int8.
    """
    readers = _reader_counts(graph)
    renamed: dict[int, int] = {}
    dropped: set[int] = set()
    for op in graph.operators:
        if op.kind not in (OpKind.QUANTIZE, OpKind.DEQUANTIZE):
            continue
        source, result = op.inputs[0], op.outputs[0]
        outer = graph.tensors[source].dtype != "int8"
        if outer and source in graph.inputs and readers[source] == 1:
            renamed[source] = result
            dropped.add(op.index)
        elif graph.tensors[result].dtype != "int8" and result in graph.outputs and readers[result] == 1:
            renamed[result] = source
            dropped.add(op.index)
    operators = tuple(op for op in graph.operators if op.index not in dropped)
    return _prune(
        replace(
            graph,
            operators=operators,
            inputs=tuple(renamed.get(i, i) for i in graph.inputs),
            outputs=tuple(renamed.get(i, i) for i in graph.outputs),
        )
    )


def fold_padding(graph: Graph) -> Graph:
    """Merge every PAD that only convolutions read into their windows.

    PAD writes the zero point of its input, which is what a convolution reads beyond its borders, so the
    outputs do not change.
    """
    readers: dict[int, list[Operator]] = {}
    for op in graph.operators:
        for tensor in op.inputs:
            readers.setdefault(tensor, []).append(op)
    pads = {
        op.outputs[0]: op
        for op in graph.operators
        if op.kind is OpKind.PAD
        and op.outputs[0] not in graph.outputs
        and all(reader.kind in _CONVOLUTIONS for reader in readers.get(op.outputs[0], []))
    }
    operators = tuple(_absorb(op, pads) for op in graph.operators if op.outputs[0] not in pads)
    return _prune(replace(graph, operators=operators))


def _absorb(op: Operator, pads: dict[int, Operator]) -> Operator:
    """``op`` reading what the PAD in front of it reads, with the PAD's amounts added to its own."""
    pad = pads.get(op.inputs[0])
    window = op.attributes.window
    if pad is None or window is None or pad.attributes.padding is None:
        return op
    extra, own = pad.attributes.padding, window.padding
    padding = Padding(
        top=own.top + extra.top,
        bottom=own.bottom + extra.bottom,
        left=own.left + extra.left,
        right=own.right + extra.right,
    )
    attributes = replace(op.attributes, window=replace(window, padding=padding))
    return replace(op, inputs=(pad.inputs[0], *op.inputs[1:]), attributes=attributes)


def _reader_counts(graph: Graph) -> Counter[int]:
    """How often each tensor is read, being an output of the graph counted as one reading."""
    counts = Counter(i for op in graph.operators for i in op.inputs)
    counts.update(graph.outputs)
    return counts


def _prune(graph: Graph) -> Graph:
    """The graph without tensors that nothing refers to any more."""
    used = {*graph.inputs, *graph.outputs}
    used.update(i for op in graph.operators for i in (*op.inputs, *op.outputs))
    tensors: dict[int, Tensor] = {i: tensor for i, tensor in graph.tensors.items() if i in used}
    return replace(graph, tensors=tensors)
