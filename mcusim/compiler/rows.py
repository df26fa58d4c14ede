"""Row by row: how many rows of every tensor a stream holds, and how far its output may run ahead.

The operators of a stream pull rows: to make its next rows, the last one first has every input made up to
the row that it needs, and so on upwards. Row n of an output needs input rows from L(n) to H(n), both
clipped to what exists. H is made a running maximum and L a suffix minimum, which differ from the window's
own at the borders: a row that a later output needs must still be there.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcusim.compiler import spatial
from mcusim.compiler.patches import Axis, Span, row_axis
from mcusim.network.graph import Graph, Operator, OpKind

Counts = NDArray[np.int64]

ALIGNMENT = 4
"""Of every buffer in the arena, in bytes."""


def align(size: int) -> int:
    """``size`` rounded up to the arena's alignment."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def height(graph: Graph, tensor: int) -> int:
    """Rows of a tensor."""
    return spatial.extent(graph.tensors[tensor]).height


def turns(graph: Graph, op: Operator) -> int:
    """Rows that an operator of a stream goes through: those of its output, of a pool over everything those of
    its input, which it adds up."""
    return height(graph, op.inputs[0] if spatial.pools_all(graph, op) else op.outputs[0])


def rows_at_once(op: Operator, chunk: int) -> int:
    """Rows that a stream asks of an operator in one call: ``chunk`` of depthwise convolutions of stride 1,
    whose kernels make pairs in little more than the time of one row, and 1 of all others."""
    pairs = op.kind is OpKind.DEPTHWISE_CONV_2D and spatial.window_of(op).stride_h == 1
    return chunk if pairs else 1


@dataclass(frozen=True)
class RowNeeds:
    """What an operator needs of one input. ``until[n]``: the end of the rows that the first n output rows
    need; ``still[n]``: the first row that output row n or a later one needs, the height if none does."""

    until: Counts
    still: Counts


def row_needs(graph: Graph, op: Operator, tensor: int) -> RowNeeds:
    """For the rows 0 to the output's height, both ends included."""
    if tensor == spatial.pixel_operand(graph, op):
        return _pixel_needs(turns(graph, op))
    axis = Axis(1) if spatial.pools_all(graph, op) else row_axis(spatial.window_in(graph, op))
    return _axis_needs(axis, height(graph, tensor), turns(graph, op))


@functools.lru_cache(maxsize=1024)
def _axis_needs(axis: Axis, extent: int, rows: int) -> RowNeeds:
    spans = [axis.input_span(Span(n, n + 1), extent) for n in range(rows)]
    until = np.maximum.accumulate([0, *(span.end for span in spans)])
    still = np.minimum.accumulate([extent, *(span.first for span in reversed(spans))])[::-1]
    return RowNeeds(until, still)


def _pixel_needs(rows: int) -> RowNeeds:
    """The only row of one pixel, which every row of the output needs."""
    until, still = np.ones(rows + 1, np.int64), np.zeros(rows + 1, np.int64)
    until[0], still[rows] = 0, 1
    return RowNeeds(until, still)


class Call(NamedTuple):
    """One call of the operator at ``step`` of a stream: output rows first <= y < end."""

    step: int
    first: int
    end: int


def pull(graph: Graph, operators: Sequence[Operator], chunk: int) -> Iterator[Call]:
    """The calls of a stream in the order in which the runtime makes them (``mcu_stream.c``)."""
    maker = {op.outputs[0]: step for step, op in enumerate(operators)}
    needs = [{t: row_needs(graph, op, t) for t in spatial.activations(graph, op)} for op in operators]
    heights = [turns(graph, op) for op in operators]
    made = [0] * len(operators)
    path = [len(operators) - 1]
    while path:
        step = path[-1]
        first = made[step]
        end = min(first + rows_at_once(operators[step], chunk), heights[step])
        lacking = (
            maker[t] for t, need in needs[step].items() if t in maker and made[maker[t]] < need.until[end]
        )
        upwards = next(lacking, None)
        if upwards is not None:
            path.append(upwards)
            continue
        yield Call(step, first, end)
        made[step] = end
        if len(path) > 1 or end == heights[step]:
            path.pop()


def ring_rows(graph: Graph, position: int, chunk: int) -> int | None:
    """Rows that the output of the operator at ``position`` must have room for inside a stream; None if no
    stream can hold it as a ring, because not all of its consumers work on rows.

    It depends only on the operators up to the first behind which nothing else made since is live.
    """
    last = ring_end(graph, position)
    if last is None:
        return None
    operators = graph.operators[position : last + 1]
    tensor = operators[0].outputs[0]
    readers = {step: row_needs(graph, op, tensor) for step, op in enumerate(operators) if tensor in op.inputs}
    done = dict.fromkeys(readers, 0)
    made = capacity = 0
    for call in pull(graph, operators, chunk):
        if call.step == 0:
            made = call.end
        elif call.step not in readers:
            continue
        still = min(int(readers[step].still[n]) for step, n in done.items())
        first = min(still, call.first) if call.step == 0 else still
        capacity = max(capacity, made - first)
        if call.step in readers:
            done[call.step] = call.end
    return capacity


def ring_end(graph: Graph, position: int) -> int | None:
    """The earliest position that may end a stream which holds the output made at ``position`` as a ring."""
    tensor = graph.operators[position].outputs[0]
    readers = [p for p, op in enumerate(graph.operators) if tensor in op.inputs]
    if not readers or tensor in graph.outputs or spatial.pools_all(graph, graph.operators[position]):
        return None
    if any(spatial.pixel_operand(graph, graph.operators[reader]) == tensor for reader in readers):
        return None
    for last in range(position, len(graph.operators)):
        if not spatial.has_rows(graph, graph.operators[last]):
            return None
        behind = spatial.live_behind(graph, position, last)
        if last >= max(readers) and behind == {graph.operators[last].outputs[0]}:
            return last
        if spatial.pools_all(graph, graph.operators[last]):
            return None
    return None


def rows_made(graph: Graph, operators: Sequence[Operator], chunk: int) -> dict[int, Counts]:
    """For every output of a stream how many of its rows are made when the last operator begins each of its
    calls; of its own output the rows that are made when the call ends."""
    last = operators[-1]
    rows, at_once = turns(graph, last), rows_at_once(last, chunk)
    made: dict[int, Counts] = {
        last.outputs[0]: np.minimum(np.arange(at_once, rows + at_once, at_once, dtype=np.int64), rows)
    }
    makers = {op.outputs[0]: op for op in operators}
    for op in reversed(operators):
        for tensor in spatial.activations(graph, op):
            if tensor not in makers:
                continue
            step = rows_at_once(makers[tensor], chunk)
            needed = row_needs(graph, op, tensor).until[made[op.outputs[0]]]
            needed = np.minimum(-(-needed // step) * step, height(graph, tensor))
            made[tensor] = np.maximum(made[tensor], needed) if tensor in made else needed
    return made


def stage_distance(graph: Graph, operators: Sequence[Operator], source: int, chunk: int) -> int | None:
    """How many bytes before its input ``source`` the output of a stream must start, so that no row is
    written over one that is still needed; None: exactly on it. ``source`` is made before the stream.

    D = max over calls j of (bytes written when j ends) - (bytes of ``source`` before the first row needed
    by j or later), at least 0 and aligned; calls behind which no row is needed do not count.
    """
    last = operators[-1]
    made = rows_made(graph, operators, chunk)
    ends = made[last.outputs[0]]
    starts = np.concatenate(([0], ends[:-1]))
    pitch, out_pitch = (_row_bytes(graph, t) for t in (source, last.outputs[0]))
    limit = np.full(len(ends), height(graph, source), np.int64)
    for op in operators[:-1]:
        if source in op.inputs:
            limit = np.minimum(limit, row_needs(graph, op, source).still[made[op.outputs[0]]])
    written = np.where(ends == ends[-1], out_pitch, 0) if spatial.pools_all(graph, last) else ends * out_pitch
    if last.kind in spatial.ELEMENTWISE and source in last.inputs and pitch == out_pitch:
        # Such an operator may write exactly over the row that it reads, but not over another part of it.
        on_it = written - np.minimum(limit, ends) * pitch
        if on_it.max() <= 0:
            return None
    if source in last.inputs:
        limit = np.minimum(limit, row_needs(graph, last, source).still[starts])
    distances = (written - limit * pitch)[limit < height(graph, source)]
    return align(max(0, int(distances.max(initial=0))))


def _row_bytes(graph: Graph, tensor: int) -> int:
    size = spatial.extent(graph.tensors[tensor])
    return size.width * size.channels
