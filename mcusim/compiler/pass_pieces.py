"""Squeeze-excite blocks in two passes as pieces of a schedule.

Both passes are streams of the network as ``passes`` unfolds it for one gate, so what each needs is found
there as for any other stream. The stage needs as much as the hungriest of them, or of the gate's operators
between.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from mcusim.compiler import spatial
from mcusim.compiler.passes import Gate, find_gates, unfold
from mcusim.compiler.pieces import Known, Piece, PieceSearch
from mcusim.compiler.schedule import Schedule, Stage
from mcusim.errors import ScheduleError
from mcusim.network.graph import Graph


@dataclass(frozen=True)
class _Block:
    """A gate, and the position of the operator that multiplies by it."""

    gate: Gate
    multiply: int


def two_pass_pieces(graph: Graph, search: PieceSearch, bands: Sequence[int]) -> list[Piece]:
    """Every stage with one gate computed ahead that starts where few bytes are live, its last pass as a
    stream and in each number of ``bands``. ``search`` is that of ``graph``."""
    return [
        piece
        for block in _blocks(graph)
        for first in _starts(graph, search, block)
        for piece in _pieces(graph, search, block, first, bands)
    ]


def _blocks(graph: Graph) -> Iterator[_Block]:
    for position, op in enumerate(graph.operators):
        if spatial.pixel_operand(graph, op) is None:
            continue
        try:
            gates = find_gates(graph, graph.operators, [op])
        except ScheduleError:
            continue
        yield from (_Block(gate, position) for gate in gates)


def _starts(graph: Graph, search: PieceSearch, block: _Block) -> Iterator[int]:
    """Positions before the mean's tensor, backwards, where fewer bytes are live than at all between."""
    operators = graph.operators
    position = next(p for p, op in enumerate(operators) if block.gate.squeezed in op.outputs)
    least = search.most
    while position >= 0 and spatial.has_rows(graph, operators[position]):
        if spatial.pools_all(graph, operators[position]):
            return
        live = search.bytes_before(position)
        if live < least:
            least = live
            yield position
        position -= 1


def _pieces(
    graph: Graph, search: PieceSearch, block: _Block, first: int, bands: Sequence[int]
) -> Iterator[Piece]:
    operators = graph.operators
    ahead = [Stage(first=operators[0].index, last=operators[first - 1].index, mode="op")] if first else []
    stage = Stage(first=operators[first].index, last=operators[block.multiply].index, mode="se2")
    try:
        unfolded, _ = unfold(graph, Schedule(name="", stages=(*ahead, stage)))
    except ScheduleError:
        return
    behind = operators[block.multiply + 1 :]
    unfolded = replace(unfolded, operators=(*unfolded.operators, *behind))
    passes = PieceSearch(unfolded, _copied(search.known, unfolded), search.most, first)
    added = len(unfolded.operators) - len(operators)
    means = first + added + len(block.gate.means) - 1
    between = [next(passes.wholes(means + 1 + n)) for n in range(len(block.gate.excite))]
    for chunk in (1, 2):
        ahead_of_gate = next((p for p in passes.streams_from(first, chunk, ()) if p.last == means), None)
        if ahead_of_gate is None:
            continue
        for last in passes.streams_from(means + 1 + len(between), chunk, bands):
            if last.last >= block.multiply + added:
                yield _together(first, [ahead_of_gate, *between, last], added)


def _together(first: int, parts: Sequence[Piece], added: int) -> Piece:
    return replace(
        parts[-1],
        first=first,
        last=parts[-1].last - added,
        bytes=max(part.bytes for part in parts),
        cycles=sum(part.cycles for part in parts),
        macs=sum(part.macs for part in parts),
        two_pass=True,
    )


def _copied(known: Known, unfolded: Graph) -> Known:
    """What is known of operators is known of their copies."""
    copies = {op.index: op.copy_of for op in unfolded.operators if op.copy_of is not None}
    lowered = {index: known.lowered[of] for index, of in copies.items() if of in known.lowered}
    cycles = {index: known.cycles[of] for index, of in copies.items()}
    return Known(known.input_in, {**known.cycles, **cycles}, {**known.lowered, **lowered})
