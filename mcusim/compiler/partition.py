"""Where to cut a network into stages: exact dynamic programming over cut points and modes.

A stage's bytes (see ``pieces``) do not depend on the other stages, so the best schedule under a limit
consists of a best schedule up to some cut and one more stage.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import msgspec

from mcusim.compiler.camera import camera_bytes, last_reader
from mcusim.compiler.cycle_model import cycles_by_rows, operator_cycles
from mcusim.compiler.lowering.types import LoweredOp
from mcusim.compiler.pass_pieces import two_pass_pieces
from mcusim.compiler.pieces import Known, Piece, PieceSearch
from mcusim.compiler.program import Program, lower_all, make_program
from mcusim.compiler.rows import align
from mcusim.compiler.schedule import InputIn, Schedule, Stage
from mcusim.compiler.tile_search import tile_pieces
from mcusim.errors import ScheduleError
from mcusim.network.graph import Graph

SLACK = 0.04
"""Share of the least arena that the schedule ``stream`` may spend on speed."""

BANDS = (2, 3, 4, 5, 6, 8, 9, 10, 12, 14)
"""Numbers of bands that a search tries."""

_TIE = 1e-9
"""MACs that a cycle is worth: it decides between as many MACs."""


def stream_schedule(graph: Graph, input_in: InputIn) -> Schedule:
    """The schedule that needs least SRAM without computing anything twice, or up to ``SLACK`` more where a
    percent of bytes saves more than a percent of the cycles."""
    lowered = lower_all(graph)
    pieces = find_pieces(graph, input_in, lowered=lowered)
    stages = stages_for(graph, _trade(pieces, len(graph.operators)))
    first = Schedule(name="stream", input_in=input_in, stages=stages)
    # Only the plan knows which operators its arena leaves no room for their fastest way.
    pieces = list(_as_planned(graph, pieces, make_program(graph, first, lowered=lowered)))
    return msgspec.structs.replace(first, stages=stages_for(graph, _trade(pieces, len(graph.operators))))


def _as_planned(graph: Graph, pieces: Iterable[Piece], program: Program) -> Iterator[Piece]:
    """``pieces`` in which operators as a whole cost no less than in ``program``."""
    ranges, estimated = program.ranges, operator_cycles(graph)
    rows = {ranges.buffers[o.target].first: o.rows for o in ranges.overlaps if o.rows}
    for piece in pieces:
        if piece.chunk or piece.first not in rows:
            yield piece
            continue
        op = graph.operators[piece.first]
        cost = cycles_by_rows(graph, op, estimated[op.index], rows[piece.first], program.lowered)
        yield replace(piece, cycles=max(piece.cycles, cost))


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
    """Every operator as a whole, and every stream that can be; with numbers of ``bands`` also what computes
    something twice: streams in each of them, squeeze-excite blocks in two passes, and inverted residual
    blocks in channel tiles.

    ``measured``: cycles of operators as a whole, by index; ``lowered``: their kernels, where that is known.
    """
    search = PieceSearch(graph, Known(input_in, operator_cycles(graph, measured), lowered or {}))
    found = [piece for position in range(len(graph.operators)) for piece in search.wholes(position)]
    for chunk in (1, 2):
        for position in range(len(graph.operators)):
            found += search.streams_from(position, chunk, bands)
    if bands:
        found += two_pass_pieces(graph, search, bands)
        found += tile_pieces(graph, search)
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
        if piece.channels:
            stages.append(_tiled(first, last, piece))
        elif piece.two_pass:
            stages.append(Stage(first=first, last=last, mode="se2", bands=piece.bands, chunk=piece.chunk))
        elif piece.bands > 1:
            stages.append(Stage(first=first, last=last, mode="bands", bands=piece.bands, chunk=piece.chunk))
        elif piece.chunk:
            stages.append(Stage(first=first, last=last, mode="stream", chunk=piece.chunk))
        elif stages and stages[-1].mode == "op":
            stages[-1] = Stage(first=stages[-1].first, last=last, mode="op")
        else:
            stages.append(Stage(first=first, last=last, mode="op"))
    return tuple(stages)


def _tiled(first: int, last: int, piece: Piece) -> Stage:
    channels, bands, chunk = piece.channels, piece.bands, piece.chunk
    return Stage(first=first, last=last, mode="ctile", channels=channels, bands=bands, chunk=chunk)


def _trade(pieces: Sequence[Piece], count: int) -> tuple[Piece, ...]:
    most = least_limit(pieces, count) * (1 + SLACK)
    covers = front([piece for piece in pieces if piece.bytes <= most], count)
    return min(covers, key=lambda cover: peak(cover) * cycles(cover))


def _by_end(pieces: Iterable[Piece]) -> dict[int, list[Piece]]:
    by_end: dict[int, list[Piece]] = {}
    for piece in pieces:
        by_end.setdefault(piece.last + 1, []).append(piece)
    return by_end
