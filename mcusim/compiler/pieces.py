"""What one stage would need: bytes, cycles, MACs.

A stage's bytes are those of the planner's fullest step: every tensor that is live and comes from before,
the stage's output, less what these two share, the rings and, where kernels are known, their scratch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from mcusim.compiler import spatial
from mcusim.compiler.analysis import operator_macs
from mcusim.compiler.cycle_model import cycles_by_rows, operator_cycles_in, stage_cycles
from mcusim.compiler.in_place import shared_rings
from mcusim.compiler.layout import layout_of
from mcusim.compiler.live_ranges import Buffer, Overlap, stage_overlaps
from mcusim.compiler.lowering.types import LoweredOp
from mcusim.compiler.patches import PatchGeometry, patch_geometry
from mcusim.compiler.placement import step_bytes
from mcusim.compiler.rows import align, ring_end, ring_rows
from mcusim.compiler.schedule import InputIn, Schedule, layer_schedule
from mcusim.compiler.stages import StreamStage, sums_bytes
from mcusim.network.graph import Graph


@dataclass(frozen=True)
class Known:
    """What is known of a network beside its graph: where its input lies; the cycles of every operator as a
    whole, and kernels, some or all, by operator index."""

    input_in: InputIn
    cycles: Mapping[int, float]
    lowered: Mapping[int, LoweredOp]


@dataclass(frozen=True)
class Piece:
    """Positions ``first`` to ``last`` as one stage: one operator as a whole if ``chunk`` is 0, else a stream
    in ``bands``; ``two_pass``: with gates computed ahead; ``channels``: of a tile, 0 if there are none.
    ``bytes``: live in the arena; ``cycles``: estimated; ``macs``: what is computed twice included."""

    first: int
    last: int
    chunk: int
    bands: int
    bytes: int
    cycles: float
    macs: int = 0
    two_pass: bool = False
    channels: int = 0


@dataclass(frozen=True)
class _Share:
    """What one operator of a stream adds to its scratch, cycles and MACs."""

    scratch: int
    cycles: float
    macs: int


class PieceSearch:
    """What is needed again and again: live ranges layer by layer, rings, cycles. ``most``: what a network
    needs layer by layer, above which no stream is worth a look; found out unless it is given. ``start``:
    the first position at which a stage is looked for."""

    def __init__(self, graph: Graph, known: Known, most: int | None = None, start: int = 0) -> None:
        # A camera's lines are added later, to streams that take them.
        lies_in: InputIn = "flash" if known.input_in == "camera" else known.input_in
        layer = Schedule(name="", input_in=lies_in, stages=layer_schedule(graph).stages)
        self.known = known
        self._graph = graph
        self._start = start
        self._lowered = known.lowered
        self._ranges = layout_of(graph, layer, lowered=known.lowered).ranges
        self._cycles = {**known.cycles, **dict.fromkeys(self._ranges.aliases.free, 0.0)}
        self._shares: dict[tuple[int, int, int, int, bool], _Share] = {}
        self._geometries: dict[tuple[int, int], PatchGeometry] = {}
        self._rings: dict[tuple[int, int], tuple[int, int, int] | None] = {}
        steps = range(len(graph.operators))
        self.most = max(step_bytes(self._ranges, step) for step in steps) if most is None else most

    def bytes_before(self, position: int) -> int:
        """Of the tensors that are in the arena when a stage starts at ``position``."""
        buffers = self._ranges.buffers.values()
        return sum(align(buffer.bytes) for buffer in buffers if _is_there(self._graph, buffer, position))

    def wholes(self, position: int) -> Iterator[Piece]:
        """One operator as a whole: the way to lie over its input that needs fewest bytes, and ways that are
        faster."""
        op = self._graph.operators[position]
        computed = operator_macs(self._graph, op, None)
        fewest = math.inf
        for rows, overlaps in self._ways(position):
            cost = cycles_by_rows(self._graph, op, self._cycles[op.index], rows, self._lowered)
            if cost < fewest:
                fewest = cost
                needed = step_bytes(replace(self._ranges, overlaps=overlaps), position)
                yield Piece(position, position, 0, 1, needed, cost, computed)

    def _ways(self, position: int) -> Iterator[tuple[int, tuple[Overlap, ...]]]:
        """Rows that are made in a call at most, 0 for as many as the kernel can, with all overlaps: from
        the slowest way on."""
        everything = self._ranges.overlaps
        own = next((o for o in everything if self._ranges.buffers[o.target].first == position), None)
        rest = tuple(o for o in everything if o is not own)
        yield (own.rows if own else 0), everything
        for way in reversed(own.faster if own else ()):
            yield way.rows, (*rest, way)
        if own is not None and own.costs_cycles:
            yield 0, rest

    def streams_from(self, first: int, chunk: int, bands: Sequence[int]) -> Iterator[Piece]:
        """Streams that start at ``first``, as long as what lies beside their output is no more than all that
        a network needs layer by layer."""
        there = [b for b in self._ranges.buffers.values() if _is_there(self._graph, b, first)]
        held, rings, closed = sum(align(buffer.bytes) for buffer in there), 0, first
        for last in range(first, len(self._graph.operators)):
            op = self._graph.operators[last]
            widest = max(1, *bands) if bands else 1
            if not spatial.has_rows(self._graph, op) or held + rings / widest > self.most:
                return
            if last >= closed and spatial.live_behind(self._graph, first, last) == {op.outputs[0]}:
                yield from self._in_bands(first, last, chunk, (1, *bands))
            ring = self._ring(last, chunk)
            if ring is None:
                return
            rings += ring[0]
            closed = max(closed, ring[1])

    def _in_bands(self, first: int, last: int, chunk: int, bands: Sequence[int]) -> Iterator[Piece]:
        """One stream in each number of bands, as long as more bands need fewer bytes."""
        made = self._graph.operators[last].outputs[0]
        least = math.inf
        for count in bands:
            if count > spatial.extent(self._graph.tensors[made]).width:
                return
            stage = self._stage(first, last, chunk, count)
            shares = [self._share(stage, position) for position in range(first, last + 1)]
            scratch = max(share.scratch for share in shares)
            scratch += sums_bytes(self._graph, stage) if self._lowered else 0
            needed = self.bytes_beside(stage) + stage.ring_bytes(self._graph) + align(scratch)
            if needed < least:
                least = needed
                cycles, computed = sum(s.cycles for s in shares), sum(s.macs for s in shares)
                yield Piece(first, last, chunk, count, needed, cycles, computed)

    def bytes_beside(self, stage: StreamStage) -> int:
        """What is in the arena while a stage runs, without the stage's own rings and scratch."""
        graph = self._graph
        there = [b for b in self._ranges.buffers.values() if _is_there(graph, b, stage.first)]
        made = graph.operators[stage.last].outputs[0]
        output = self._ranges.buffers[self._ranges.aliases.roots[made]]
        size = sum(align(buffer.bytes) for buffer in {*there, output})
        if stage.bands == 1 and output not in there:
            dying = [b for b in there if b.last <= stage.last]
            overlaps = stage_overlaps(graph, self._ranges, stage, dying)
            size -= max((saved for saved, _ in overlaps), default=0)
        return size

    def piece(self, stage: StreamStage, needed: int, *, bands: int, channels: int = 0) -> Piece:
        """A stage that needs so many bytes; ``bands`` are horizontal ones of tiles with ``channels``."""
        operators = self._graph.operators[stage.first : stage.last + 1]
        return Piece(
            first=stage.first,
            last=stage.last,
            chunk=stage.chunk,
            bands=bands,
            bytes=needed,
            cycles=stage_cycles(self._graph, stage, self._cycles, self._lowered),
            macs=sum(operator_macs(self._graph, op, stage) for op in operators),
            channels=channels,
        )

    def _share(self, stage: StreamStage, position: int) -> _Share:
        """One operator's part of a stream: it depends on where the stream ends, but on where it begins only
        if the operator's input comes from there."""
        op = self._graph.operators[position]
        source = spatial.activations(self._graph, op)[0]
        key = position, stage.last, stage.chunk, stage.bands, source in stage.rings
        if key not in self._shares:
            lowered = self._lowered.get(op.index)
            widths = stage.row_widths(self._graph, op)
            kernel = stage.kernel_for(op, lowered) if lowered else None
            self._shares[key] = _Share(
                scratch=kernel.scratch_in_stream(*widths) if kernel else 0,
                cycles=operator_cycles_in(self._graph, stage, op, self._cycles[op.index], lowered),
                macs=operator_macs(self._graph, op, stage),
            )
        return self._shares[key]

    def _stage(self, first: int, last: int, chunk: int, bands: int) -> StreamStage:
        capacities = {
            op.outputs[0]: ring[2]
            for position, op in enumerate(self._graph.operators[first:last], first)
            if (ring := self._ring(position, chunk)) is not None
        }
        geometry = self._geometry(last, bands)
        shared = shared_rings(self._graph, (first, last), chunk, geometry, self._lowered)
        return StreamStage(first, last, geometry, capacities, chunk, shared=shared)

    def _ring(self, position: int, chunk: int) -> tuple[int, int, int] | None:
        if (position, chunk) not in self._rings:
            self._rings[position, chunk] = _find_ring(self._graph, position, chunk)
        return self._rings[position, chunk]

    def _geometry(self, last: int, bands: int) -> PatchGeometry:
        """What bands of the output made at ``last`` need, back to the first operator from which a stage could
        lead there: what a stage needs of its own tensors does not depend on where it starts."""
        if (last, bands) not in self._geometries:
            first, needed = last, set(spatial.activations(self._graph, self._graph.operators[last]))
            while first > self._start and self._leads_to(first - 1, needed):
                first -= 1
                needed.update(spatial.activations(self._graph, self._graph.operators[first]))
            operators = self._graph.operators[first : last + 1]
            self._geometries[last, bands] = patch_geometry(self._graph, operators, (1, bands))
        return self._geometries[last, bands]

    def _leads_to(self, position: int, needed: set[int]) -> bool:
        op = self._graph.operators[position]
        inside = spatial.has_rows(self._graph, op) and op.outputs[0] in needed
        return inside and self._ring(position, 1) is not None


def _find_ring(graph: Graph, position: int, chunk: int) -> tuple[int, int, int] | None:
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
