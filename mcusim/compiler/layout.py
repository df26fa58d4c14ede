"""How the operators of a network see their tensors under a schedule: live ranges, kernels, scratch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mcusim.compiler import placement, spatial
from mcusim.compiler.aliases import SLICING
from mcusim.compiler.live_ranges import Buffer, LiveRanges, Overlap, Sharing, live_ranges
from mcusim.compiler.lowering.types import EXACT_AND_FAST, LoweredOp, Options
from mcusim.compiler.schedule import Schedule
from mcusim.compiler.stages import HeadStage, PatchStage, StreamStage, TileStage, sums_bytes
from mcusim.compiler.tile_kernels import Kernels, kernels_in_tiles
from mcusim.network.graph import Graph, Operator, OpKind

LARGEST_ROW = 32767
"""Pixels of one row in a view, whose fields are 16 bits wide."""


@dataclass(frozen=True)
class Layout:
    """How operators see their tensors. ``lowered`` is by operator index; operators that move nothing
    are not in it. ``tiles``: kernels of the stages that run in channel tiles, by their first position."""

    graph: Graph
    ranges: LiveRanges
    lowered: Mapping[int, LoweredOp]
    tiles: Mapping[int, Kernels] = field(default_factory=dict)

    def whole_extent(self, op: Operator, tensor: int) -> spatial.Extent:
        """How an operator outside of patch stages sees one of its tensors: with its rows, or as one row
        of all pixels where the kernel allows. A dense layer's pixels are what its weights go over.

        Kernels that read some pixels, then write them, may do so even where the output lies over the input.
        """
        size = spatial.extent(self.graph.tensors[tensor])
        if op.kind is OpKind.FULLY_CONNECTED:
            outputs, depth = self.graph.input_of(op, 1).shape
            channels = outputs if tensor == op.outputs[0] else depth
            return spatial.Extent(1, size.bytes // channels, channels)
        apart = self._runs_ahead(op) and not self.lowered[op.index].pixels_at_once
        if not self.lowered[op.index].merge_rows or apart or self._broadcasts(op):
            return size
        divisors = (n for n in range(1, size.height + 1) if size.height % n == 0)
        rows = max(n for n in divisors if n == 1 or n * size.width <= LARGEST_ROW)
        return spatial.Extent(size.height // rows, size.width * rows, size.channels)

    def lies_whole(self, tensor: int) -> bool:
        """Whether all of the tensor is in memory, not just one patch of it."""
        buffer = self.ranges.buffer_of(tensor)
        return buffer is None or not buffer.patch

    def merges_patch(self, op: Operator, stage: PatchStage) -> bool:
        """Whether an operator of a patch stage may see its patch as one long row."""
        tensors = (*spatial.activations(self.graph, op), op.outputs[0])
        geometry = stage.geometry
        return (
            self.lowered[op.index].merge_rows
            and not isinstance(stage, StreamStage)
            and (not self._runs_ahead(op) or self.lowered[op.index].pixels_at_once > 0)
            and not any(self.lies_whole(tensor) for tensor in tensors)
            and len({(geometry.rows[t], geometry.columns[t]) for t in tensors}) == 1
            and geometry.largest(op.outputs[0]) <= LARGEST_ROW
        )

    def kernel_of(self, position: int, op: Operator) -> LoweredOp:
        """The operator's kernel, or that which makes more columns or rows at once, where its output lies over
        its input only so."""
        kernel, stage = self.lowered[op.index], self.ranges.stage_at(position)
        if isinstance(stage, StreamStage):
            return stage.kernel_for(op, kernel)
        overlap, height = self._overlap_of(op), spatial.extent(self.graph.output_of(op)).height
        if overlap is None or overlap.rows < height:
            return kernel
        return kernel.all_rows(height) or kernel

    def rows_per_call(self, op: Operator) -> int:
        """Output rows that one call of the operator's kernel makes."""
        rows = self.lowered[op.index].rows_per_call
        overlap = self._overlap_of(op)
        return min(rows, overlap.rows) if overlap is not None and overlap.rows else rows

    def row_widths(self, position: int, op: Operator) -> tuple[int, int]:
        """The widest input and output rows, in pixels, that the operator's kernel is called with."""
        source, target = spatial.activations(self.graph, op)[0], op.outputs[0]
        stage = self.ranges.stage_at(position)
        if stage is None:
            return self.whole_extent(op, source).width, self.whole_extent(op, target).width
        if self.merges_patch(op, stage):
            return stage.geometry.largest(source), stage.geometry.largest(target)
        return stage.row_widths(self.graph, op)

    def _broadcasts(self, op: Operator) -> bool:
        """Whether an element-wise operator combines tensors of different sizes."""
        tensors = (*spatial.activations(self.graph, op), op.outputs[0])
        return op.kind in spatial.ELEMENTWISE and len({self.graph.tensors[t].elements for t in tensors}) > 1

    def _runs_ahead(self, op: Operator) -> bool:
        """Whether the output is written over rows of the input, so that rows must stay apart."""
        overlap = self._overlap_of(op)
        return overlap is not None and overlap.distance is not None

    def _overlap_of(self, op: Operator) -> Overlap | None:
        """What the output shares with an input that dies."""
        roots = self.ranges.aliases.roots
        sources = {roots[tensor] for tensor in spatial.activations(self.graph, op)}
        target = roots[op.outputs[0]]
        return next((o for o in self.ranges.overlaps if o.target == target and o.source in sources), None)


def layout_of(
    graph: Graph,
    schedule: Schedule,
    *,
    lowered: Mapping[int, LoweredOp],
    sharing: Sharing = "rows",
    options: Options = EXACT_AND_FAST,
) -> Layout:
    """Live ranges of ``graph`` under a valid ``schedule``; ``lowered`` may be empty for a first estimate,
    without scratch. ``options``: those of ``lowered``.

    Operators that could name parts of tensors do so unless the fullest step needs less if they copy them:
    parts keep the whole alive, from the first that is made to the last that is read.
    """
    copied: frozenset[int] = frozenset()
    best = _layout(graph, schedule, lowered, sharing, options, copied)
    free = best.ranges.aliases.free
    for index in (op.index for op in graph.operators if op.kind in SLICING and op.index in free):
        if lowered and index not in lowered:
            continue
        other = _layout(graph, schedule, lowered, sharing, options, copied | {index})
        if placement.lower_bound(other.ranges) < placement.lower_bound(best.ranges):
            best, copied = other, copied | {index}
    return best


def _layout(
    graph: Graph,
    schedule: Schedule,
    lowered: Mapping[int, LoweredOp],
    sharing: Sharing,
    options: Options,
    copied: frozenset[int],
) -> Layout:
    ranges = live_ranges(graph, schedule, sharing=sharing, lowered=lowered, copied=copied)
    stages = [stage for stage in ranges.stages if isinstance(stage, TileStage | HeadStage)] if lowered else []
    tiles = {stage.first: kernels_in_tiles(graph, stage, options) for stage in stages}
    scratch = _scratch(graph, ranges, lowered, tiles)
    return Layout(graph, replace(ranges, scratch=scratch), lowered, tiles)


def _scratch(
    graph: Graph, ranges: LiveRanges, lowered: Mapping[int, LoweredOp], tiles: Mapping[int, Kernels]
) -> dict[int, Buffer]:
    """What kernels need beside their tensors: of a stream, whose operators take turns, the most for as
    long as it runs. It is enough also for rows that go to a kernel in one call, if the plan allows that."""
    widest, tightest = Layout(graph, replace(ranges, overlaps=()), lowered), Layout(graph, ranges, lowered)
    found: dict[int, Buffer] = {}
    for position, op in enumerate(graph.operators):
        if op.index not in lowered or op.index in ranges.aliases.free:
            continue
        stage = ranges.stage_at(position)
        streamed = isinstance(stage, StreamStage)
        first, last = (stage.first, stage.last) if stage and streamed else (position, position)
        known = found[~first].bytes if ~first in found else 0
        if isinstance(stage, TileStage | HeadStage):
            size = tiles[stage.first].scratch_bytes(graph)
        else:
            widths = widest.row_widths(position, op)
            kernels = widest.kernel_of(position, op), tightest.kernel_of(position, op)
            size = max(
                known,
                *(k.scratch_in_stream(*widths) if streamed else k.scratch_bytes(*widths) for k in kernels),
            )
        if stage is not None and position == stage.last:
            size += sums_bytes(graph, stage)
        if size > 0:
            found[~first] = Buffer(~first, size, first, last)
    return found
