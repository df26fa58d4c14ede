"""What must be in the arena when: buffers with their live ranges, and which of them may share bytes.

Time is counted in steps, one per operator in execution order. Inside a patch stage the same steps are
repeated for every patch, so what enters or leaves the stage lives through all of it, and what is made
and used within it only through its own steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from mcusim.compiler import spatial
from mcusim.compiler.aliases import Aliases, find_aliases
from mcusim.compiler.distances import grouped_distance
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
    ``distance`` bytes before ``source``, or exactly ``shift`` bytes behind its first if ``distance`` is None.
    Where ``distance`` is less than 0 ``target`` may start anywhere.
    ``costs_cycles``: the operator is faster without it, since rows that are not kept apart go to the kernel
    in one call. ``rows``: a call makes so many at most, unless it is 0; ``faster`` are then overlaps in which
    it makes more, from the fastest on."""

    source: int
    target: int
    distance: int | None
    costs_cycles: bool = False
    rows: int = 0
    faster: tuple[Overlap, ...] = ()
    shift: int = 0

    @property
    def is_anywhere(self) -> bool:
        """Whether ``target`` may overlap ``source`` in any way."""
        return self.distance is not None and self.distance < 0

    def together(self, source: Buffer, target: Buffer) -> int:
        """The fewest bytes that both take."""
        if self.distance is None:
            ends = max(align(source.bytes), self.shift + align(target.bytes))
            return ends - min(0, self.shift)
        return max(self.distance + align(source.bytes), align(target.bytes))


@dataclass(frozen=True)
class LiveRanges:
    """``aliases``: which activations name bytes of which buffers. ``scratch``: what kernels need beside
    tensors, under negative numbers."""

    buffers: dict[int, Buffer]
    overlaps: tuple[Overlap, ...]
    aliases: Aliases
    stages: tuple[PatchStage, ...]
    steps: int
    scratch: Mapping[int, Buffer] = field(default_factory=dict)

    @property
    def everything(self) -> dict[int, Buffer]:
        """Tensors and scratch."""
        return {**self.buffers, **self.scratch}

    @property
    def camera(self) -> int | None:
        """The image, if a camera delivers it."""
        streams = (stage for stage in self.stages if isinstance(stage, StreamStage))
        return next((stage.camera for stage in streams if stage.camera is not None), None)

    def buffer_of(self, tensor: int) -> Buffer | None:
        """The bytes in which an activation lies; None for what lies in flash."""
        return self.buffers.get(self.aliases.roots[tensor])

    def stage_at(self, position: int) -> PatchStage | None:
        return next((s for s in self.stages if s.first <= position <= s.last), None)


def live_ranges(
    graph: Graph,
    schedule: Schedule,
    *,
    sharing: Sharing = "rows",
    lowered: Mapping[int, LoweredOp] | None = None,
    copied: frozenset[int] = frozenset(),
) -> LiveRanges:
    """Live ranges of ``graph`` under a valid ``schedule``.

    ``lowered`` (by operator index) tells how many rows a kernel makes per call, on which the distance
    between overlapping buffers depends. ``copied``: see ``find_aliases``.
    """
    stages = stages_of(graph, schedule, lowered if sharing == "rows" else None)
    aliases = _with_rings(find_aliases(graph, copied), stages)
    ranges = LiveRanges({}, (), aliases, stages, len(graph.operators))
    ranges = replace(ranges, buffers=_buffers(graph, schedule, ranges))
    overlaps = [
        overlap
        for position, op in enumerate(graph.operators)
        if (overlap := _overlap(graph, ranges, position, op, sharing, lowered or {})) is not None
    ]
    return replace(ranges, overlaps=tuple(overlaps))


def _with_rings(aliases: Aliases, stages: Iterable[PatchStage]) -> Aliases:
    """``aliases`` with rings that lie in the bytes of others."""
    shared = {
        tensor: ring.source
        for stage in stages
        if isinstance(stage, StreamStage)
        for tensor, ring in stage.shared.items()
    }
    return replace(aliases, roots={**aliases.roots, **shared})


def _buffers(graph: Graph, schedule: Schedule, ranges: LiveRanges) -> dict[int, Buffer]:
    roots = ranges.aliases.roots
    born: dict[int, int] = {}
    if schedule.input_in != "flash":
        born.update(dict.fromkeys(graph.inputs, 0))
    dies: dict[int, int] = dict.fromkeys(born, 0)
    made_at: dict[int, int] = {}
    for position, op in enumerate(graph.operators):
        stage = ranges.stage_at(position)
        for index in spatial.activations(graph, op):
            outside = stage is not None and made_at.get(index, -1) < stage.first
            last = stage.last if stage and outside else position
            dies[roots[index]] = max(dies.get(roots[index], 0), last)
        made_at.update(dict.fromkeys(op.outputs, position))
        if op.index not in ranges.aliases.free:
            streamed = isinstance(stage, StreamStage)
            all_along = stage is not None and (streamed or position == stage.last)
            first = stage.first if stage and all_along else position
            last = stage.last if stage and streamed else position
            for root in (roots[output] for output in op.outputs):
                born[root] = min(born.get(root, first), first)
                dies[root] = max(dies.get(root, 0), last)
    for index in graph.outputs:
        dies[roots[index]] = ranges.steps
    return {tensor: _buffer(graph, ranges, tensor, first, dies[tensor]) for tensor, first in born.items()}


def _buffer(graph: Graph, ranges: LiveRanges, tensor: int, first: int, last: int) -> Buffer:
    stage = ranges.stage_at(first)
    delivered = isinstance(stage, StreamStage) and stage.camera == tensor
    made_here = stage is not None and (delivered or tensor not in graph.inputs)
    if stage is not None and made_here and last <= stage.last and tensor != _stage_root(graph, ranges, stage):
        return Buffer(tensor, stage.buffer_bytes(graph, tensor), first, last, patch=True)
    return Buffer(tensor, graph.tensors[tensor].bytes, first, last)


def _stage_root(graph: Graph, ranges: LiveRanges, stage: PatchStage) -> int:
    return ranges.aliases.roots[graph.operators[stage.last].outputs[0]]


def _overlap(
    graph: Graph,
    ranges: LiveRanges,
    position: int,
    op: Operator,
    sharing: Sharing,
    lowered: Mapping[int, LoweredOp],
) -> Overlap | None:
    if sharing == "none" or op.index in ranges.aliases.free:
        return None
    target = ranges.buffers[ranges.aliases.roots[op.outputs[0]]]
    if op.kind is OpKind.MOVE:
        source_root = ranges.aliases.roots[op.inputs[0]]
        return Overlap(source_root, target.tensor, -align(ranges.buffers[source_root].bytes))
    stage = ranges.stage_at(position)
    if stage is not None and (isinstance(stage, StreamStage) or not target.patch):
        in_bands = isinstance(stage, StreamStage) and stage.bands > 1
        wanted = sharing == "rows" and position == stage.last and not in_bands
        return _stage_overlap(graph, ranges, stage, target) if wanted else None
    dying = _dying(graph, ranges, position, op, patch=target.patch)
    kernel = lowered.get(op.index)
    if op.kind in spatial.ELEMENTWISE:
        may_alias = kernel is None or kernel.alias_ok
        return _alias(graph, ranges, position, op, dying) if may_alias else None
    if not dying or target.first != position:
        return None
    source = dying[0]
    if sharing == "rows" and kernel is not None and kernel.pixels_at_once:
        distance = _pixel_distance(graph, ranges, position, op)
        if distance is not None:
            return _ahead(ranges, source, op.outputs[0], distance)
    if not (sharing == "rows" and op.kind in spatial.WINDOWED) and not spatial.keeps_channels(graph, op):
        return None
    return _rows_ahead(graph, ranges, position, op, source, kernel)


def _dying(graph: Graph, ranges: LiveRanges, position: int, op: Operator, *, patch: bool) -> list[int]:
    """Activations that the operator reads whose buffers then die, one of each buffer. Where it reads two
    parts of a buffer, writing over one of them might destroy the other."""
    found: list[int] = []
    read = dict.fromkeys(spatial.activations(graph, op))
    for tensor in read:
        source = ranges.buffer_of(tensor)
        if source is None or source.last != position or source.patch != patch:
            continue
        shifts = {ranges.aliases.shift(t) for t in read if ranges.buffer_of(t) == source}
        if len(shifts) == 1 and all(ranges.buffer_of(t) != source for t in found):
            found.append(tensor)
    return found


def _ahead(ranges: LiveRanges, source: int, output: int, distance: int) -> Overlap:
    """The overlap of buffers in which ``output`` starts at least ``distance`` bytes before ``source``."""
    aliases = ranges.aliases
    target = aliases.roots[output]
    farthest = align(ranges.buffers[target].bytes)
    apart = max(0, distance + aliases.shift(output) - aliases.shift(source))
    return Overlap(aliases.roots[source], target, min(apart, farthest))


def _rows_ahead(
    graph: Graph, ranges: LiveRanges, position: int, op: Operator, source: int, kernel: LoweredOp | None
) -> Overlap:
    """The output as it follows the rows of ``source`` that are no longer needed."""
    depthwise = op.kind is OpKind.DEPTHWISE_CONV_2D
    all_rows = kernel.rows_per_call if kernel else ROWS_AHEAD if depthwise else 1

    def ahead(rows: int) -> Overlap:
        distance = _distance(graph, ranges, position, op, rows)
        return _ahead(ranges, source, op.outputs[0], distance)

    ways = [ahead(all_rows)]
    if all_rows > ROWS_AHEAD:
        ways.append(replace(ahead(ROWS_AHEAD), rows=ROWS_AHEAD))
    if kernel is not None and kernel.grouped_columns and ranges.stage_at(position) is None:
        ways += (_over_groups(graph, ranges, op, source, kernel, rows) for rows in (ROWS_AHEAD, 1))
        ways += _at_once(graph, ranges, op, source, kernel, ways)
    return _most_saving(ranges, ways, costs_cycles=kernel is None or kernel.merge_rows)


def _over_groups(
    graph: Graph, ranges: LiveRanges, op: Operator, source: int, kernel: LoweredOp, rows: int
) -> Overlap:
    """The output over rows and columns that the call itself reads, channels under the same channels."""
    inside, made = spatial.extent(graph.tensors[source]), spatial.extent(graph.output_of(op))
    sizes = (inside.height, inside.width), (made.height, made.width)
    rows = min(rows, kernel.rows_per_call)
    pixels = grouped_distance(spatial.window_of(op), *sizes, kernel.grouped_columns, rows)
    overlap = _on(ranges, source, op.outputs[0])
    return replace(overlap, shift=overlap.shift - pixels * made.channels, rows=rows)


def _at_once(
    graph: Graph, ranges: LiveRanges, op: Operator, source: int, kernel: LoweredOp, ways: Sequence[Overlap]
) -> Iterator[Overlap]:
    """The output exactly on the input, by one call for all of it, if that saves more than any of ``ways`` and
    more than the scratch of such a call is larger."""
    inside, made = spatial.extent(graph.tensors[source]), spatial.extent(graph.output_of(op))
    at_once = kernel.all_rows(made.height)
    if at_once is None:
        return
    overlap = replace(_on(ranges, source, op.outputs[0]), rows=made.height)
    buffers = ranges.buffers[overlap.source], ranges.buffers[overlap.target]
    saved = min(way.together(*buffers) for way in ways) - overlap.together(*buffers)
    larger = at_once.scratch_bytes(inside.width, made.width) - kernel.scratch_bytes(inside.width, made.width)
    if saved > larger:
        yield overlap


def _most_saving(ranges: LiveRanges, ways: Sequence[Overlap], *, costs_cycles: bool) -> Overlap:
    """The last of ``ways``, fastest first, that needs fewer bytes than all before it, which it remembers."""
    found: list[Overlap] = []
    for way in ways:
        buffers = ranges.buffers[way.source], ranges.buffers[way.target]
        if not found or way.together(*buffers) < found[-1].together(*buffers):
            found.append(way)
    faster = tuple(found[:-1])
    return replace(found[-1], faster=faster, costs_cycles=costs_cycles or bool(faster))


def _stage_overlap(graph: Graph, ranges: LiveRanges, stage: PatchStage, target: Buffer) -> Overlap | None:
    """The output of a stage that runs in pieces may run ahead of one tensor that comes from before and dies
    in the stage: of those, the one with which it saves most."""
    if target.first != stage.first:
        return None
    dying = [b for b in ranges.buffers.values() if b.last == stage.last and not b.patch and b != target]
    saved, overlap = max(
        stage_overlaps(graph, ranges, stage, dying), key=lambda found: found[0], default=(0, None)
    )
    return overlap if saved > 0 else None


def stage_overlaps(
    graph: Graph, ranges: LiveRanges, stage: PatchStage, dying: Iterable[Buffer]
) -> Iterator[tuple[int, Overlap]]:
    """How the output of ``stage`` may run ahead of each of ``dying``, whole tensors that it uses up, and the
    bytes that this saves. Tensors that it reads under several names are left out."""
    operators = graph.operators[stage.first : stage.last + 1]
    output = operators[-1].outputs[0]
    target = ranges.buffers[ranges.aliases.roots[output]]
    read: dict[int, set[int]] = {}
    for tensor in (t for op in operators for t in spatial.activations(graph, op)):
        read.setdefault(ranges.aliases.roots[tensor], set()).add(tensor)
    for source in dying:
        names = read.get(source.tensor, set())
        if len(names) == 1:
            overlap = _ahead_of_stage(graph, ranges, stage, names.pop(), output)
            apart = align(source.bytes) + align(target.bytes)
            yield apart - overlap.together(source, target), overlap


def _ahead_of_stage(graph: Graph, ranges: LiveRanges, stage: PatchStage, source: int, output: int) -> Overlap:
    distance = stage.distance(graph, source)
    return _on(ranges, source, output) if distance is None else _ahead(ranges, source, output, distance)


def _on(ranges: LiveRanges, source: int, output: int) -> Overlap:
    """The overlap of buffers in which ``output`` lies exactly on ``source``."""
    aliases = ranges.aliases
    shift = aliases.shift(source) - aliases.shift(output)
    return Overlap(aliases.roots[source], aliases.roots[output], None, shift=shift)


def _alias(graph: Graph, ranges: LiveRanges, position: int, op: Operator, dying: list[int]) -> Overlap | None:
    """The output exactly on an input. Where the output is part of a tensor that was there before, its bytes
    are nobody's until now, so that a whole tensor may have lain there."""
    stage, output = ranges.stage_at(position), op.outputs[0]
    born = ranges.buffers[ranges.aliases.roots[output]].first == position
    for source in dying:
        lies_alone = graph.tensors[source].bytes == graph.tensors[ranges.aliases.roots[source]].bytes
        same_size = graph.tensors[source].bytes == graph.tensors[output].bytes
        same_spans = stage is None or all(
            spans[source] == spans[output] for spans in (stage.geometry.rows, stage.geometry.columns)
        )
        if same_size and same_spans and (born or lies_alone):
            return _on(ranges, source, output)
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
    axis = row_axis(spatial.window_of(op))
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
