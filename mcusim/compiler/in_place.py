"""Depthwise convolutions of streams that write over rows of their input: two rings in the bytes of one.

Output row y of a window with p rows of padding above it is written where input row y - p lay, which no later
row needs. That is so if nothing else reads the input, and if the output is used up before the input's ring
comes to its rows again, which is played call by call.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from mcusim.compiler import spatial
from mcusim.compiler.lowering.types import LoweredOp
from mcusim.compiler.patches import PatchGeometry
from mcusim.compiler.rows import height, pull, ring_end, ring_rows, row_needs
from mcusim.network.graph import Graph, Operator, OpKind, Padding, Window


@dataclass(frozen=True)
class SharedRing:
    """A ring in the bytes of that of tensor ``source``, whose capacity it has.

    Row y lies where row y - ``lag`` of ``source`` does. Rows of ``source`` have room for ``spare`` columns
    before them, with which this ring's rows begin: what is written stays behind what is still to be read.
    """

    source: int
    lag: int
    spare: int


def shared_rings(
    graph: Graph,
    span: tuple[int, int],
    chunk: int,
    geometry: PatchGeometry,
    lowered: Mapping[int, LoweredOp],
) -> dict[int, SharedRing]:
    """The rings of a stream over the positions ``span``, both ends included, that share their bytes, by
    tensor. ``lowered``: kernels by operator index; nothing is shared where one is not known."""
    found = {}
    for position in range(span[0] + 1, span[1]):
        kernel = lowered.get(graph.operators[position].index)
        under = row_source(graph, position, chunk)
        if kernel is None or not kernel.grouped_columns or under is None or under.maker < span[0]:
            continue
        target = graph.operators[position].outputs[0]
        given, made = geometry.columns[under.tensor], geometry.columns[target]
        widest = max(columns.size for columns in made)
        lag, left = _padding_before(graph, position)
        spare = left if widest > kernel.grouped_columns else 0
        fits = all(b.size <= a.size + spare for a, b in zip(given, made, strict=True))
        if fits and spare * under.rows < widest * under.own_rows:
            found[target] = SharedRing(under.tensor, lag, spare)
    return found


class RowSource(NamedTuple):
    """The position that makes ``tensor``, and the rows of its ring and of the one that it would save."""

    tensor: int
    maker: int
    rows: int
    own_rows: int


@functools.lru_cache(maxsize=4096)
def row_source(graph: Graph, position: int, chunk: int) -> RowSource | None:
    """The tensor whose rows the operator at ``position`` may write its own over in a stream that makes both;
    None if there is none."""
    op = graph.operators[position]
    window = spatial.window_of(op)
    if not spatial.keeps_channels(graph, op) or window.stride_h != 1 or window.dilation_h != 1:
        return None
    source, target = op.inputs[0], op.outputs[0]
    readers = [_readers(graph, tensor) for tensor in (source, target)]
    if source in graph.inputs or readers[0] != [position] or len(readers[1]) != 1:
        return None
    reader = graph.operators[readers[1][0]]
    if reader.kind is not OpKind.CONV_2D or not _is_pixel(spatial.window_of(reader)):
        return None
    first = _maker(graph, source)
    ends = ring_end(graph, first), ring_end(graph, position)
    rows, own_rows = ring_rows(graph, first, chunk), ring_rows(graph, position, chunk)
    if ends[0] is None or ends[1] is None or rows is None or own_rows is None:
        return None
    found = RowSource(source, first, rows, own_rows)
    return found if _plays(graph, (first, max(ends[0], ends[1])), op, chunk, rows) else None


def _plays(graph: Graph, span: tuple[int, int], op: Operator, chunk: int, capacity: int) -> bool:
    """Whether whatever is read of both rings is still there, in a stream over the positions ``span``."""
    source, target = op.inputs[0], op.outputs[0]
    lag = spatial.window_of(op).padding.top
    held: dict[int, tuple[int, int]] = {}
    for call in pull(graph, graph.operators[span[0] : span[1] + 1], chunk):
        caller = graph.operators[span[0] + call.step]
        for tensor, row in _rows_read(graph, caller, call.first, call.end):
            place = row if tensor == source else row - lag
            if tensor in (source, target) and held.get(place % capacity) != (tensor, row):
                return False
        for row in range(call.first, call.end):
            if caller.outputs[0] == source:
                held[row % capacity] = source, row
            elif caller is op:
                held[(row - lag) % capacity] = target, row
    return True


def _rows_read(graph: Graph, op: Operator, first: int, end: int) -> Iterator[tuple[int, int]]:
    for tensor in spatial.activations(graph, op):
        needs = row_needs(graph, op, tensor)
        rows = range(int(needs.still[first]), min(int(needs.until[end]), height(graph, tensor)))
        yield from ((tensor, row) for row in rows)


def _padding_before(graph: Graph, position: int) -> tuple[int, int]:
    """Rows above and columns to the left."""
    padding = spatial.window_of(graph.operators[position]).padding
    return padding.top, padding.left


def _is_pixel(window: Window) -> bool:
    """Whether an output pixel is made of the input's pixel at its place."""
    strides = window.stride_h, window.stride_w
    return (window.kernel_h, window.kernel_w) == strides == (1, 1) and window.padding == Padding()


def _readers(graph: Graph, tensor: int) -> list[int]:
    return [position for position, op in enumerate(graph.operators) if tensor in op.inputs]


def _maker(graph: Graph, tensor: int) -> int:
    """The position that makes ``tensor``; -1 for the network's inputs."""
    return next((p for p, op in enumerate(graph.operators) if tensor in op.outputs), -1)
