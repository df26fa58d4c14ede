"""Where to cut a network into stages: exact dynamic programming over cut points and modes.

A stage's bytes are those of the planner's fullest step: every tensor that is live and comes from before,
the stage's output, less what these two share, and the rings. They do not depend on the other stages, so the
best schedule under a limit consists of a best schedule up to some cut and one more stage.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from mcusim.compiler import spatial
from mcusim.compiler.live_ranges import Buffer, LiveRanges, live_ranges
from mcusim.compiler.placement import step_bytes
from mcusim.compiler.rows import align, ring_end, ring_rows, rows_at_once, stage_distance
from mcusim.compiler.schedule import InputIn, Schedule, Stage, layer_schedule
from mcusim.network import geometry
from mcusim.network.graph import Graph, Operator, OpKind

CALL_CYCLES = 250
"""Of one call of a layer for one row: bookkeeping of the stream, views, the kernel's beginning and end."""
SINGLE_ROW_CYCLES = 2.0
"""More for every multiply-accumulate of a depthwise convolution of stride 1 that makes one row at a time."""

SLACK = 0.03
"""Share of the arena that a stream may spend on speed."""


@dataclass(frozen=True)
class Piece:
    """Positions ``first`` to ``last`` as one stage: as a whole operator, or as a stream if ``chunk`` is not
    0. ``bytes``: live in the arena; ``extra_cycles``: estimated, over the operators as a whole."""

    first: int
    last: int
    chunk: int
    bytes: int
    extra_cycles: float


def stream_schedule(graph: Graph, input_in: InputIn) -> Schedule:
    """The fastest schedule among those that need least SRAM, or ``SLACK`` more, without computing anything
    twice."""
    pieces = list(find_pieces(graph, input_in))
    limit = int(least_limit(pieces, len(graph.operators)) * (1 + SLACK))
    chosen = cheapest(pieces, len(graph.operators), limit) or ()
    return Schedule(name="stream", input_in=input_in, stages=tuple(_stages(graph, chosen)))


def find_pieces(graph: Graph, input_in: InputIn) -> Iterator[Piece]:
    """Every operator as a whole, and every stream that can be."""
    schedule = layer_schedule(graph)
    ranges = live_ranges(graph, Schedule(name="", input_in=input_in, stages=schedule.stages))
    sizes = [step_bytes(ranges, position) for position in range(len(graph.operators))]
    for position, size in enumerate(sizes):
        yield Piece(position, position, 0, size, 0.0)
    for chunk in (1, 2):
        rings = [_ring(graph, position, chunk) for position in range(len(graph.operators))]
        for position in range(len(graph.operators)):
            yield from _streams_from(graph, ranges, position, chunk, rings, max(sizes))


def least_limit(pieces: Sequence[Piece], count: int) -> int:
    """The least bytes with which ``count`` operators can be covered."""
    least = [0] + [-1] * count
    for end in range(1, count + 1):
        least[end] = min(max(piece.bytes, least[piece.first]) for piece in pieces if piece.last == end - 1)
    return least[count]


def cheapest(pieces: Iterable[Piece], count: int, limit: int) -> tuple[Piece, ...] | None:
    """The cover of ``count`` operators with the fewest extra cycles in which no stage needs more than
    ``limit`` bytes; None if there is none."""
    by_end: dict[int, list[Piece]] = {}
    for piece in pieces:
        if piece.bytes <= limit:
            by_end.setdefault(piece.last + 1, []).append(piece)
    best: dict[int, tuple[float, tuple[Piece, ...]]] = {0: (0.0, ())}
    for end in range(1, count + 1):
        options = [
            (best[piece.first][0] + piece.extra_cycles, (*best[piece.first][1], piece))
            for piece in by_end.get(end, ())
            if piece.first in best
        ]
        if options:
            best[end] = min(options, key=lambda option: option[0])
    return best[count][1] if count in best else None


def _ring(graph: Graph, position: int, chunk: int) -> tuple[int, int] | None:
    """Bytes of the output made at ``position`` as a ring, and where a stream that holds it may end first."""
    rows, end = ring_rows(graph, position, chunk), ring_end(graph, position)
    if rows is None or end is None:
        return None
    extent = spatial.extent(graph.output_of(graph.operators[position]))
    return align(rows * extent.width * extent.channels), end


def _streams_from(
    graph: Graph,
    ranges: LiveRanges,
    first: int,
    chunk: int,
    rings: Sequence[tuple[int, int] | None],
    bound: int,
) -> Iterator[Piece]:
    """Streams that start at ``first``, as long as they need no more than ``bound`` bytes beside their
    output."""
    there = [b for b in ranges.buffers.values() if _is_there(graph, ranges, b.tensor, first)]
    size, closed = sum(align(buffer.bytes) for buffer in there), first
    for last in range(first, len(graph.operators)):
        op = graph.operators[last]
        if not spatial.is_spatial(graph, op) or size > bound:
            return
        if last > first and last >= closed and spatial.live_behind(graph, first, last) == {op.outputs[0]}:
            operators = graph.operators[first : last + 1]
            output = ranges.buffers[op.outputs[0]]
            dying = [b for b in there if b.last <= last]
            needed = size + align(output.bytes) - _shared_bytes(graph, operators, dying, output, chunk)
            yield Piece(first, last, chunk, needed, _extra_cycles(graph, operators, chunk))
        ring = rings[last]
        if ring is None:
            return
        size += ring[0]
        closed = max(closed, ring[1])


def _shared_bytes(
    graph: Graph, operators: Sequence[Operator], dying: Sequence[Buffer], output: Buffer, chunk: int
) -> int:
    """What the output shares with the one of the stream's dying inputs with which it shares most."""
    most = 0
    for buffer in dying:
        if any(buffer.tensor in op.inputs for op in operators):
            distance = stage_distance(graph, operators, buffer.tensor, chunk) or 0
            apart = align(buffer.bytes) + align(output.bytes)
            most = max(most, apart - max(distance + align(buffer.bytes), align(output.bytes)))
    return most


def _is_there(graph: Graph, ranges: LiveRanges, tensor: int, first: int) -> bool:
    """Whether a tensor that is needed at or behind ``first`` is in the arena when a stage starts there."""
    buffer = ranges.buffers[tensor]
    return (buffer.first < first or tensor in graph.inputs) and buffer.last >= first


def _extra_cycles(graph: Graph, operators: Sequence[Operator], chunk: int) -> float:
    total = 0.0
    for op in operators:
        at_once = rows_at_once(op, chunk)
        total += CALL_CYCLES * -(-spatial.extent(graph.output_of(op)).height // at_once)
        if at_once == 1 and op.kind is OpKind.DEPTHWISE_CONV_2D and rows_at_once(op, 2) == 2:
            total += SINGLE_ROW_CYCLES * geometry.macs(graph, op)
    return total


def _stages(graph: Graph, pieces: Sequence[Piece]) -> Iterator[Stage]:
    """Operators that run as a whole one after the other are one stage."""
    start = 0
    for number, piece in enumerate(pieces):
        first, last = graph.operators[piece.first].index, graph.operators[piece.last].index
        if piece.chunk:
            yield Stage(first=first, last=last, mode="stream", chunk=piece.chunk)
            start = number + 1
        elif number + 1 == len(pieces) or pieces[number + 1].chunk:
            yield Stage(first=graph.operators[pieces[start].first].index, last=last, mode="op")
            start = number + 1
