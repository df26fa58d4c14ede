"""Where to cut a network into stages: exact dynamic programming over cut points and modes.

A stage's bytes are those of the planner's fullest step: every tensor that is live and comes from before,
the stage's output, less what these two share, the rings and, where kernels are known, their scratch. They do
not depend on the other stages, so the best schedule under a limit consists of a best schedule up to some cut
and one more stage.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from mcusim.compiler import spatial
from mcusim.compiler.analysis import operator_macs
from mcusim.compiler.camera import camera_bytes, last_reader
from mcusim.compiler.cycle_model import operator_cycles, stage_cycles
from mcusim.compiler.live_ranges import Buffer, stage_overlaps
from mcusim.compiler.lowering.types import LoweredOp
from mcusim.compiler.patches import PatchGeometry, patch_geometry
from mcusim.compiler.placement import step_bytes
from mcusim.compiler.program import layout_of, lower_all
from mcusim.compiler.rows import align, ring_end, ring_rows
from mcusim.compiler.schedule import InputIn, Schedule, Stage, layer_schedule
from mcusim.compiler.stages import StreamStage, sums_bytes
from mcusim.errors import ScheduleError
from mcusim.network.graph import Graph

SLACK = 0.03
"""Share of the least arena that the schedule ``stream`` may spend on speed."""

BANDS = (2, 3, 4, 5, 6, 8)
"""Numbers of bands that a search tries."""

_TIE = 1e-9
"""MACs that a cycle is worth: it decides between as many MACs."""


@dataclass(frozen=True)
class Piece:
    """Positions ``first`` to ``last`` as one stage: one operator as a whole if ``chunk`` is 0, else a stream
    in ``bands``. ``bytes``: live in the arena; ``cycles``: estimated; ``macs``: what is computed twice
    included."""

    first: int
    last: int
    chunk: int
    bands: int
    bytes: int
    cycles: float
    macs: int = 0


def stream_schedule(graph: Graph, input_in: InputIn) -> Schedule:
    """The schedule that needs least SRAM without computing anything twice, or up to ``SLACK`` more where a
    percent of bytes saves more than a percent of the cycles."""
    pieces = find_pieces(graph, input_in, lowered=lower_all(graph))
    chosen = _trade(pieces, len(graph.operators))
    return Schedule(name="stream", input_in=input_in, stages=stages_for(graph, chosen))


def bands_schedule(graph: Graph, bands: int, last: int, input_in: InputIn) -> Schedule:
    """Operators up to index ``last`` as a stream in ``bands``, behind it as ``stream_schedule``."""
    end = next((p for p, op in enumerate(graph.operators) if op.index == last), -1)
    head = Stage(first=graph.operators[0].index, last=last, mode="bands", bands=bands)
    found = find_pieces(graph, input_in, lowered=lower_all(graph))
    tail = [piece for piece in found if piece.first > end]
    chosen = _trade([Piece(0, end, 1, bands, 0, 0.0), *tail], len(graph.operators))
    stages = (head, *stages_for(graph, chosen[1:]))
    return Schedule(name=f"bands:{bands}@{last}", input_in=input_in, stages=stages)


def find_pieces(
    graph: Graph,
    input_in: InputIn,
    *,
    bands: Sequence[int] = (),
    measured: Mapping[int, float] | None = None,
    lowered: Mapping[int, LoweredOp] | None = None,
) -> list[Piece]:
    """Every operator as a whole, and every stream that can be, also in each number of ``bands``.

    ``measured``: cycles of operators as a whole, by index; ``lowered``: their kernels, where that is known.
    """
    search = _Search(graph, input_in, operator_cycles(graph, measured), lowered or {})
    found = [search.whole(position) for position in range(len(graph.operators))]
    for chunk in (1, 2):
        for position in range(len(graph.operators)):
            found += search.streams_from(position, chunk, bands)
    return _with_camera(graph, found) if input_in == "camera" else found


def _with_camera(graph: Graph, pieces: Iterable[Piece]) -> list[Piece]:
    """``pieces`` without those that cannot start with an image from a camera, and its lines in the others.

    Raises ScheduleError if none can.
    """
    end = last_reader(graph)
    lines = {chunk: align(camera_bytes(graph, chunk)) for chunk in (1, 2)}
    heads = [
        p for p in pieces if p.first == 0 and p.last >= end and stages_for(graph, [p])[0].mode == "stream"
    ]
    if not heads:
        first, last = graph.operators[0], graph.operators[end]
        raise ScheduleError(
            f"a camera delivers every line once, in order, and no stream of {graph.name} from operator "
            f"{first.index} ({first.kind}) to operator {last.index} ({last.kind}) can take them so"
        )
    return [
        *(replace(piece, bytes=piece.bytes + lines[piece.chunk]) for piece in heads),
        *(piece for piece in pieces if piece.first > 0),
    ]


def least_limit(pieces: Iterable[Piece], count: int) -> float:
    """The least bytes with which ``count`` operators can be covered; infinite if they cannot."""
    by_end = _by_end(pieces)
    least = [0.0] + [math.inf] * count
    for end in range(1, count + 1):
        for piece in by_end.get(end, ()):
            least[end] = min(least[end], max(piece.bytes, least[piece.first]))
    return least[count]


def cheapest(pieces: Iterable[Piece], count: int, limit: float = math.inf) -> tuple[Piece, ...] | None:
    """The cover of ``count`` operators with the fewest cycles in which no stage needs more than ``limit``
    bytes; None if there is none."""
    by_end = _by_end(piece for piece in pieces if piece.bytes <= limit)
    cost = {0: 0.0}
    chosen: dict[int, Piece] = {}
    for end in range(1, count + 1):
        options = [(cost[p.first] + p.cycles, p) for p in by_end.get(end, ()) if p.first in cost]
        if options:
            cost[end], chosen[end] = min(options, key=lambda option: (option[0], option[1].bytes))
    if count not in cost:
        return None
    cover: list[Piece] = []
    while count > 0:
        cover.append(chosen[count])
        count = chosen[count].first
    return tuple(reversed(cover))


def front(pieces: Sequence[Piece], count: int, enough: float = 0.0) -> Iterator[tuple[Piece, ...]]:
    """Covers from the fastest to the smallest: each needs fewer bytes than the one before, at the fewest
    cycles. Ends behind the first that needs at most ``enough``."""
    limit = math.inf
    while limit > enough and (cover := cheapest(pieces, count, limit)) is not None:
        yield cover
        limit = peak(cover) - 1


def front_of_macs(pieces: Sequence[Piece], count: int, most: float) -> Iterator[tuple[Piece, ...]]:
    """Covers of at most ``most`` MACs: each needs fewer bytes than the one before, at the fewest cycles or,
    where these would take too many MACs, the fewest MACs."""
    by_macs = {replace(piece, cycles=piece.macs + _TIE * piece.cycles): piece for piece in pieces}
    for cover in front(list(by_macs), count):
        if macs(cover) > most:
            return
        fastest = cheapest(pieces, count, peak(cover))
        thrifty = tuple(by_macs[piece] for piece in cover)
        yield fastest if fastest is not None and macs(fastest) <= most else thrifty


def peak(cover: Sequence[Piece]) -> int:
    """Bytes of the fullest stage."""
    return max(piece.bytes for piece in cover)


def cycles(cover: Sequence[Piece]) -> float:
    """Estimated cycles of all stages together."""
    return sum(piece.cycles for piece in cover)


def macs(cover: Sequence[Piece]) -> int:
    """MACs of all stages together."""
    return sum(piece.macs for piece in cover)


def stages_for(graph: Graph, cover: Sequence[Piece]) -> tuple[Stage, ...]:
    """Stages of a schedule; operators that run as a whole one after the other are one stage."""
    stages: list[Stage] = []
    for piece in cover:
        first, last = graph.operators[piece.first].index, graph.operators[piece.last].index
        if piece.bands > 1:
            stages.append(Stage(first=first, last=last, mode="bands", bands=piece.bands, chunk=piece.chunk))
        elif piece.chunk:
            stages.append(Stage(first=first, last=last, mode="stream", chunk=piece.chunk))
        elif stages and stages[-1].mode == "op":
            stages[-1] = Stage(first=stages[-1].first, last=last, mode="op")
        else:
            stages.append(Stage(first=first, last=last, mode="op"))
    return tuple(stages)


def _trade(pieces: Sequence[Piece], count: int) -> tuple[Piece, ...]:
    most = least_limit(pieces, count) * (1 + SLACK)
    covers = front([piece for piece in pieces if piece.bytes <= most], count)
    return min(covers, key=lambda cover: peak(cover) * cycles(cover))


def _by_end(pieces: Iterable[Piece]) -> dict[int, list[Piece]]:
    by_end: dict[int, list[Piece]] = {}
    for piece in pieces:
        by_end.setdefault(piece.last + 1, []).append(piece)
    return by_end


class _Search:
    """What is needed again and again: live ranges layer by layer, rings, cycles."""

    def __init__(
        self,
        graph: Graph,
        input_in: InputIn,
        cycles_of: Mapping[int, float],
        lowered: Mapping[int, LoweredOp],
    ) -> None:
        # A camera's lines are added later, to streams that take them.
        lies_in: InputIn = "flash" if input_in == "camera" else input_in
        layer = Schedule(name="", input_in=lies_in, stages=layer_schedule(graph).stages)
        self._graph = graph
        self._ranges = layout_of(graph, layer, lowered=lowered).ranges
        self._cycles = {**cycles_of, **dict.fromkeys(self._ranges.aliases.free, 0.0)}
        self._lowered = lowered
        self._geometries: dict[tuple[int, int], PatchGeometry] = {}
        self._sizes = [step_bytes(self._ranges, step) for step in range(len(graph.operators))]
        self._rings = {
            (position, chunk): _ring(graph, position, chunk)
            for position in range(len(graph.operators))
            for chunk in (1, 2)
        }

    def whole(self, position: int) -> Piece:
        """One operator as a whole."""
        op = self._graph.operators[position]
        computed = operator_macs(self._graph, op, None)
        return Piece(position, position, 0, 1, self._sizes[position], self._cycles[op.index], computed)

    def streams_from(self, first: int, chunk: int, bands: Sequence[int]) -> Iterator[Piece]:
        """Streams that start at ``first``, as long as what lies beside their output is no more than all that
        a network needs layer by layer."""
        there = [b for b in self._ranges.buffers.values() if _is_there(self._graph, b, first)]
        held, rings, closed = sum(align(buffer.bytes) for buffer in there), 0, first
        for last in range(first, len(self._graph.operators)):
            op = self._graph.operators[last]
            widest = max(1, *bands) if bands else 1
            if not spatial.has_rows(self._graph, op) or held + rings / widest > max(self._sizes):
                return
            if last >= closed and spatial.live_behind(self._graph, first, last) == {op.outputs[0]}:
                yield from self._in_bands(first, last, chunk, there, (1, *bands))
            ring = self._rings[last, chunk]
            if ring is None:
                return
            rings += ring[0]
            closed = max(closed, ring[1])

    def _in_bands(
        self, first: int, last: int, chunk: int, there: Sequence[Buffer], bands: Sequence[int]
    ) -> Iterator[Piece]:
        """One stream in each number of bands, as long as more bands need fewer bytes."""
        graph = self._graph
        operators = graph.operators[first : last + 1]
        made = operators[-1].outputs[0]
        output = self._ranges.buffers[self._ranges.aliases.roots[made]]
        edge = sum(align(buffer.bytes) for buffer in {*there, output})
        least = math.inf
        for count in bands:
            if count > spatial.extent(graph.tensors[made]).width:
                return
            stage = self._stage(first, last, chunk, count)
            size = edge + sum(align(stage.buffer_bytes(graph, tensor)) for tensor in stage.rings)
            size += align(self._scratch_bytes(stage))
            if count == 1 and output not in there:
                dying = [b for b in there if b.last <= last]
                size -= max(
                    (saved for saved, _ in stage_overlaps(graph, self._ranges, stage, dying)), default=0
                )
            if size < least:
                least = size
                cost = stage_cycles(graph, stage, self._cycles, self._lowered)
                computed = sum(operator_macs(graph, op, stage) for op in operators)
                yield Piece(first, last, chunk, count, size, cost, computed)

    def _scratch_bytes(self, stage: StreamStage) -> int:
        operators = self._graph.operators[stage.first : stage.last + 1]
        known = ((self._lowered.get(op.index), stage.row_widths(self._graph, op)) for op in operators)
        most = max((lowered.scratch_bytes(*widths) for lowered, widths in known if lowered), default=0)
        return most + (sums_bytes(self._graph, stage) if self._lowered else 0)

    def _stage(self, first: int, last: int, chunk: int, bands: int) -> StreamStage:
        capacities = {
            op.outputs[0]: ring[2]
            for position, op in enumerate(self._graph.operators[first:last], first)
            if (ring := self._rings[position, chunk]) is not None
        }
        return StreamStage(first, last, self._geometry(last, bands), capacities, chunk)

    def _geometry(self, last: int, bands: int) -> PatchGeometry:
        """What bands of the output made at ``last`` need, back to the first operator from which a stage could
        lead there: what a stage needs of its own tensors does not depend on where it starts."""
        if (last, bands) not in self._geometries:
            first, needed = last + 1, {self._graph.operators[last].outputs[0]}
            while first > 0 and self._leads_to(first - 1, needed):
                first -= 1
                needed.update(spatial.activations(self._graph, self._graph.operators[first]))
            operators = self._graph.operators[first : last + 1]
            self._geometries[last, bands] = patch_geometry(self._graph, operators, (1, bands))
        return self._geometries[last, bands]

    def _leads_to(self, position: int, needed: set[int]) -> bool:
        op = self._graph.operators[position]
        return spatial.has_rows(self._graph, op) and op.outputs[0] in needed


def _ring(graph: Graph, position: int, chunk: int) -> tuple[int, int, int] | None:
    """Bytes of the output made at ``position`` as a ring, where a stream that holds it may end first, and
    its rows."""
    rows, end = ring_rows(graph, position, chunk), ring_end(graph, position)
    if rows is None or end is None:
        return None
    extent = spatial.extent(graph.output_of(graph.operators[position]))
    return align(rows * extent.width * extent.channels), end, rows


def _is_there(graph: Graph, buffer: Buffer, first: int) -> bool:
    """Whether a tensor that is needed at or behind ``first`` is in the arena when a stage starts there."""
    return (buffer.first < first or buffer.tensor in graph.inputs) and buffer.last >= first
