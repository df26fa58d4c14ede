"""What must be in the arena when: buffers with their live ranges, and which of them may share bytes.

Time is counted in steps, one per operator in execution order. Inside a patch stage the same steps are
repeated for every patch, so what enters or leaves the stage lives through all of it, and what is made
and used within it only through its own steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from mcusim.compiler import spatial
from mcusim.compiler.lowering.types import LoweredOp
from mcusim.compiler.patches import Span, row_axis
from mcusim.compiler.rows import align
from mcusim.compiler.schedule import Schedule
from mcusim.compiler.stages import PatchStage, StreamStage, stages_of
from mcusim.network.graph import Graph, Operator, OpKind

Sharing = Literal["none", "depthwise", "rows"]
"""Which operators may write over the rows of their input that they no longer need: none (not even
element-wise ones), depthwise convolutions and element-wise ones, or every operator with rows."""

ROWS_AHEAD = 2
"""Rows that one call of a kernel makes at most where its output runs ahead and SRAM is short; so many are
assumed of a depthwise convolution whose kernel is not known."""


@dataclass(frozen=True)
class Buffer:
    """Bytes for one tensor, live in steps ``first`` to ``last`` inclusive. ``tensor`` is the root of
    its names. ``patch``: the buffer holds one patch, or a ring of rows, at a time."""

    tensor: int
    bytes: int
    first: int
    last: int
    patch: bool = False

    def meets(self, other: Buffer) -> bool:
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class Overlap:
    """While ``source`` dies and ``target`` is born they may share bytes: ``target`` starts at least
    ``distance`` bytes before ``source``, or exactly on it if ``distance`` is None. ``costs_cycles``:
    the operator is faster without it, since rows that are not kept apart go to the kernel in one call.
    ``few_rows``: a call makes ``ROWS_AHEAD`` rows at most; ``all_rows`` is then the distance at which it
    makes as many as elsewhere, which is faster."""

    source: int
    target: int
    distance: int | None
    costs_cycles: bool = False
    few_rows: bool = False
    all_rows: int = 0


@dataclass(frozen=True)
class LiveRanges:
    """``roots`` maps every activation to the tensor whose bytes it names (RESHAPE moves nothing).
    ``scratch``: what kernels need beside tensors, under negative numbers."""

    buffers: dict[int, Buffer]
    overlaps: tuple[Overlap, ...]
    roots: dict[int, int]
    stages: tuple[PatchStage, ...]
    steps: int
    scratch: Mapping[int, Buffer] = field(default_factory=dict)

    @property
    def everything(self) -> dict[int, Buffer]:
        """Tensors and scratch."""
        return {**self.buffers, **self.scratch}

    def stage_at(self, position: int) -> PatchStage | None:
        return next((s for s in self.stages if s.first <= position <= s.last), None)


def live_ranges(
    graph: Graph,
    schedule: Schedule,
    *,
    sharing: Sharing = "rows",
    lowered: Mapping[int, LoweredOp] | None = None,
) -> LiveRanges:
    """Live ranges of ``graph`` under a valid ``schedule``.

    ``lowered`` (by operator index) tells how many rows a kernel makes per call, on which the distance
    between overlapping buffers depends.
    """
    roots = tensor_roots(graph)
    stages = stages_of(graph, schedule)
    ranges = LiveRanges({}, (), roots, stages, len(graph.operators))
    buffers = _buffers(graph, schedule, ranges)
    ranges = LiveRanges(buffers, (), roots, stages, len(graph.operators))
    overlaps = [
        overlap
        for position, op in enumerate(graph.operators)
        if (overlap := _overlap(graph, ranges, position, op, sharing, lowered or {})) is not None
    ]
    return LiveRanges(buffers, tuple(overlaps), roots, stages, len(graph.operators))


def tensor_roots(graph: Graph) -> dict[int, int]:
    """For every activation the tensor whose bytes it names."""
    roots = {index: index for index in graph.inputs}
    for op in graph.operators:
        for output in op.outputs:
            roots[output] = roots[op.inputs[0]] if op.kind in spatial.FREE else output
    return roots


def _buffers(graph: Graph, schedule: Schedule, ranges: LiveRanges) -> dict[int, Buffer]:
    born: dict[int, int] = {}
    if schedule.input_in == "sram":
        born.update(dict.fromkeys(graph.inputs, 0))
    dies: dict[int, int] = dict.fromkeys(born, 0)
    made_at: dict[int, int] = {}
    for position, op in enumerate(graph.operators):
        stage = ranges.stage_at(position)
        for index in spatial.activations(graph, op):
            root = ranges.roots[index]
            outside = stage is not None and made_at.get(root, -1) < stage.first
            dies[root] = max(dies.get(root, 0), stage.last if stage and outside else position)
        if op.kind not in spatial.FREE:
            streamed = isinstance(stage, StreamStage)
            for output in op.outputs:
                all_along = stage is not None and (streamed or position == stage.last)
                born[output] = stage.first if stage and all_along else position
                dies[output] = stage.last if stage and streamed else position
                made_at[output] = position
    for index in graph.outputs:
        dies[ranges.roots[index]] = ranges.steps
    return {tensor: _buffer(graph, ranges, tensor, first, dies[tensor]) for tensor, first in born.items()}


def _buffer(graph: Graph, ranges: LiveRanges, tensor: int, first: int, last: int) -> Buffer:
    stage = ranges.stage_at(first)
    made_here = stage is not None and tensor not in graph.inputs
    if stage is not None and made_here and last <= stage.last and tensor != _stage_output(graph, stage):
        return Buffer(tensor, stage.buffer_bytes(graph, tensor), first, last, patch=True)
    return Buffer(tensor, graph.tensors[tensor].bytes, first, last)


def _stage_output(graph: Graph, stage: PatchStage) -> int:
    return graph.operators[stage.last].outputs[0]


def _overlap(
    graph: Graph,
    ranges: LiveRanges,
    position: int,
    op: Operator,
    sharing: Sharing,
    lowered: Mapping[int, LoweredOp],
) -> Overlap | None:
    if sharing == "none" or op.kind in spatial.FREE:
        return None
    target = ranges.buffers[op.outputs[0]]
    stage = ranges.stage_at(position)
    if stage is not None and (isinstance(stage, StreamStage) or not target.patch):
        in_bands = isinstance(stage, StreamStage) and stage.bands > 1
        wanted = sharing == "rows" and position == stage.last and not in_bands
        return _stage_overlap(graph, ranges, stage, target) if wanted else None
    dying = [
        source
        for index in dict.fromkeys(ranges.roots[i] for i in spatial.activations(graph, op))
        if (source := ranges.buffers.get(index)) is not None
        and source.last == target.first == position
        and source.patch == target.patch
    ]
    if op.kind in spatial.ELEMENTWISE:
        lowering = lowered.get(op.index)
        if lowering is not None and not lowering.alias_ok:
            return None
        return _alias(ranges, position, target, dying)
    kernel = lowered.get(op.index)
    if dying and sharing == "rows" and kernel is not None and kernel.pixels_at_once:
        distance = _pixel_distance(graph, ranges, position, op)
        if distance is not None:
            return Overlap(dying[0].tensor, target.tensor, min(distance, align(target.bytes)))
    whole_sharing = sharing == "rows" and op.kind in spatial.WINDOWED
    if not dying or not (whole_sharing or spatial.keeps_channels(graph, op)):
        return None
    depthwise = op.kind is OpKind.DEPTHWISE_CONV_2D
    all_rows = kernel.rows_per_call if kernel else ROWS_AHEAD if depthwise else 1
    few_rows = all_rows > ROWS_AHEAD
    distance = _distance(graph, ranges, position, op, min(all_rows, ROWS_AHEAD))
    return Overlap(
        source=dying[0].tensor,
        target=target.tensor,
        distance=min(distance, align(target.bytes)),
        costs_cycles=kernel is None or kernel.merge_rows or few_rows,
        few_rows=few_rows,
        all_rows=_distance(graph, ranges, position, op, all_rows) if few_rows else 0,
    )


def _stage_overlap(graph: Graph, ranges: LiveRanges, stage: PatchStage, target: Buffer) -> Overlap | None:
    """The output of a stage that runs in pieces may run ahead of one tensor that comes from before and dies
    in the stage: of those, the one with which it saves most."""
    operators = graph.operators[stage.first : stage.last + 1]
    best: Overlap | None = None
    least = 0
    for source in ranges.buffers.values():
        comes_in = any(source.tensor in op.inputs for op in operators) and not source.patch
        if not comes_in or source.last != stage.last or source.tensor == target.tensor:
            continue
        distance = stage.distance(graph, source.tensor)
        saved = align(source.bytes) + align(target.bytes)
        saved -= max((distance or 0) + align(source.bytes), align(target.bytes))
        if saved > least:
            best, least = Overlap(source.tensor, target.tensor, distance), saved
    return best


def _alias(ranges: LiveRanges, position: int, target: Buffer, dying: list[Buffer]) -> Overlap | None:
    stage = ranges.stage_at(position)
    for source in dying:
        same_size = source.bytes == target.bytes
        same_spans = stage is None or all(
            spans[source.tensor] == spans[target.tensor]
            for spans in (stage.geometry.rows, stage.geometry.columns)
        )
        if same_size and same_spans:
            return Overlap(source.tensor, target.tensor, None)
    return None


def _distance(graph: Graph, ranges: LiveRanges, position: int, op: Operator, rows_per_call: int) -> int:
    """The largest distance over all patches (over the one whole tensor outside of a stage)."""
    source, target = spatial.extent(graph.input_of(op)), spatial.extent(graph.output_of(op))
    stage = ranges.stage_at(position)
    if stage is None:
        spans = [(Span(0, source.height), Span(0, target.height))]
        widths = [(source.width, target.width)]
    else:
        rows, columns = stage.geometry.rows, stage.geometry.columns
        into, out = op.inputs[0], op.outputs[0]
        spans = list(zip(rows[into], rows[out], strict=True))
        widths = [(a.size, b.size) for a, b in zip(columns[into], columns[out], strict=True)]
    return max(
        row_distance(op, into, out, rows_per_call, (w_in * source.channels, w_out * target.channels))
        for into, out in set(spans)
        for w_in, w_out in set(widths)
    )


def _pixel_distance(graph: Graph, ranges: LiveRanges, position: int, op: Operator) -> int | None:
    """How many bytes before its input an output must start whose kernel writes every pixel when it has read
    it; None where they do not lie pixel by pixel alike. If the output's pixels have C bytes more, it is C for
    all of them but the last."""
    source, target = graph.input_of(op), graph.output_of(op)
    inside, made = spatial.extent(source), spatial.extent(target)
    pixels, wider = made.height * made.width, made.channels - inside.channels
    if op.kind is OpKind.FULLY_CONNECTED:
        outputs, depth = graph.input_of(op, 1).shape
        pixels, wider = target.elements // outputs, outputs - depth
    elif (inside.height, inside.width) != (made.height, made.width):
        return None
    stage = ranges.stage_at(position)
    if stage is not None:
        spans = (stage.geometry.rows, stage.geometry.columns)
        if any(along[source.index] != along[target.index] for along in spans):
            return None
        pixels = stage.geometry.largest(target.index)
    return align(max(0, (pixels - 1) * wider))


def row_distance(op: Operator, source: Span, target: Span, rows_per_call: int, pitch: tuple[int, int]) -> int:
    """How many bytes before its input an operator's output must start so that no row is written over
    an input row that this or a later kernel call reads: D = max over calls of
    (rows written after the call) * out pitch - (first row still read by it or later) * in pitch.

    ``source`` and ``target`` are the rows that exist in memory, ``pitch`` the bytes of a row of the
    input and of the output. The result is at least 0 and aligned.
    """
    axis = row_axis(op)
    height = source.end
    still_needed = source.end
    distance = 0
    starts = range(target.first, target.end, rows_per_call)
    for start in reversed(starts):
        end = min(start + rows_per_call, target.end)
        needed = axis.input_span(Span(start, end), height)
        still_needed = min(still_needed, max(needed.first, source.first))
        written = (end - target.first) * pitch[1]
        distance = max(distance, written - (still_needed - source.first) * pitch[0])
    return align(distance)
