"""The arena's plan: live ranges, the exact distance of overlapping buffers, and placement."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcusim import network
from mcusim.compiler import placement
from mcusim.compiler.aliases import Aliases
from mcusim.compiler.exact import place_exactly
from mcusim.compiler.layout import layout_of
from mcusim.compiler.live_ranges import Buffer, LiveRanges, Overlap, live_ranges, row_distance
from mcusim.compiler.lowering.types import pixelwise
from mcusim.compiler.memory_plan import plan_memory
from mcusim.compiler.patches import Span
from mcusim.compiler.placement import arena_bytes, lower_bound, place, settle
from mcusim.compiler.program import lower_all, make_program
from mcusim.compiler.rows import align
from mcusim.compiler.schedule import parse_spec
from mcusim.network.graph import Attributes, Graph, Operator, OpKind, Padding, Tensor, Window


@pytest.fixture(scope="module")
def graph() -> Graph:
    return network.load("zoo:mobilenet_v2?width=0.35&resolution=96&classes=10")


@st.composite
def problems(draw: st.DrawFn) -> LiveRanges:
    """Random buffers and scratch; some pairs that meet in one step may overlap by a distance or exactly."""
    count = draw(st.integers(1, 9))
    buffers: dict[int, Buffer] = {}
    for tensor in range(count):
        first = draw(st.integers(0, 8))
        size = draw(st.integers(1, 100))
        buffers[tensor] = Buffer(tensor, size, first, first + draw(st.integers(0, 3)))
    overlaps = []
    for source, target in itertools.permutations(buffers.values(), 2):
        if source.first < source.last == target.first and draw(st.booleans()):
            exactly = draw(st.booleans())
            distance = None if exactly else align(draw(st.integers(0, 40)))
            shift = align(draw(st.integers(-target.bytes, source.bytes))) if exactly else 0
            overlaps.append(Overlap(source.tensor, target.tensor, distance, shift=shift))
    steps = draw(st.sets(st.integers(0, 11), max_size=4))
    scratch = {~step: Buffer(~step, draw(st.integers(1, 60)), step, step) for step in steps}
    return LiveRanges(buffers, tuple(overlaps), Aliases(), (), 12, scratch)


def check_apart(ranges: LiveRanges, offsets: dict[int, int]) -> None:
    """What lives together lies apart, or as an overlap allows."""
    allowed = {(o.source, o.target): o for o in ranges.overlaps}
    assert min(offsets.values()) == 0
    for a, b in itertools.permutations(ranges.everything.values(), 2):
        first, second = offsets[a.tensor], offsets[b.tensor]
        if not a.meets(b) or first + a.bytes <= second or second + b.bytes <= first:
            continue
        pair = (a.tensor, b.tensor) if (a.tensor, b.tensor) in allowed else (b.tensor, a.tensor)
        assert pair in allowed
        overlap = allowed[pair]
        ahead = offsets[pair[0]] - offsets[pair[1]]
        assert ahead == -overlap.shift if overlap.distance is None else ahead >= overlap.distance


@given(problems())
@settings(max_examples=60, deadline=None)
def test_buffers_that_live_together_lie_apart(ranges: LiveRanges) -> None:
    check_apart(ranges, place(ranges))


@given(problems())
@settings(max_examples=60, deadline=None)
def test_repair_is_never_worse_than_the_best_greedy_order(ranges: LiveRanges) -> None:
    greedy = placement.greedy(ranges)
    check_apart(ranges, greedy)
    assert arena_bytes(ranges, place(ranges)) <= arena_bytes(ranges, greedy)


@given(problems())
@settings(max_examples=40, deadline=None)
def test_the_exact_plan_is_never_worse_than_any_other(ranges: LiveRanges) -> None:
    pytest.importorskip("ortools", reason="exact plans need ortools: pip install 'mcusim[exact]'")
    offsets = place_exactly(ranges)
    check_apart(ranges, offsets)
    assert arena_bytes(ranges, offsets) <= arena_bytes(ranges, place(ranges))
    assert min(offsets.values()) >= 0


def test_a_buffer_whose_last_word_exceeds_the_memory_is_placed_nowhere_else() -> None:
    ranges = LiveRanges({0: Buffer(0, 5, 0, 1)}, (), Aliases(), (), 2)
    assert placement.fit_again(ranges, {0: 0}, 5, [0]) is None
    assert placement.fit_again(ranges, {0: 4}, 8, [0]) == {0: 0}


def test_repair_finds_what_no_greedy_order_does(graph: Graph) -> None:
    """A stream's arena is as small as its fullest step."""
    ranges = layout_of(graph, parse_spec("patch:4x4@12", graph, "sram"), lowered=lower_all(graph)).ranges
    assert lower_bound(ranges) == arena_bytes(ranges, place(ranges))
    assert arena_bytes(ranges, place(ranges)) < arena_bytes(ranges, placement.greedy(ranges))


@given(problems())
@settings(max_examples=60, deadline=None)
def test_placement_is_repeatable_and_not_below_the_bound(ranges: LiveRanges) -> None:
    offsets = place(ranges)
    assert offsets == place(ranges)
    assert arena_bytes(ranges, offsets) >= max(b.bytes for b in ranges.everything.values())
    if not ranges.overlaps:
        assert align(arena_bytes(ranges, offsets)) >= lower_bound(ranges)


windows = st.builds(
    Window,
    kernel_h=st.integers(1, 7),
    kernel_w=st.just(3),
    stride_h=st.integers(1, 3),
    padding=st.builds(Padding, top=st.integers(0, 3), bottom=st.integers(0, 3)),
)


def _survives(op: Operator, height: int, rows: int, calls: int, pitch: tuple[int, int], ahead: int) -> bool:
    """Whether every kernel call still finds its input rows if the output starts ``ahead`` bytes earlier
    and a call's rows are written when it ends, at the earliest when it begins."""
    window = op.attributes.window
    assert window is not None
    written = 0
    for start in range(0, rows, calls):
        end = min(start + calls, rows)
        written = max(written, end * pitch[1] - ahead)
        taps = {
            y * window.stride_h - window.padding.top + k
            for y in range(start, end)
            for k in range(window.kernel_h)
        } & set(range(height))
        if taps and min(taps) * pitch[0] < written:
            return False
    return True


@given(
    window=windows,
    height=st.integers(1, 24),
    calls=st.integers(1, 2),
    pitch=st.tuples(st.integers(1, 9), st.integers(1, 9)),
)
def test_row_distance_is_enough_and_no_more(
    window: Window, height: int, calls: int, pitch: tuple[int, int]
) -> None:
    pad = window.padding
    rows = (height + pad.top + pad.bottom - window.kernel_h) // window.stride_h + 1
    if rows < 1 or pad.top >= window.kernel_h or pad.bottom >= window.kernel_h:
        return
    op = Operator(0, OpKind.DEPTHWISE_CONV_2D, (0,), (1,), Attributes(window=window))
    distance = row_distance(op, Span(0, height), Span(0, rows), calls, pitch)
    assert distance % 4 == 0
    assert _survives(op, height, rows, calls, pitch, distance)
    if distance > 0:
        assert not _survives(op, height, rows, calls, pitch, distance - 4)


def _written_too_early(pixels: int, inside: int, made: int, ahead: int) -> bool:
    """Whether a kernel that reads two pixels, then writes them, finds one of the pixels overwritten."""
    starts = range(0, pixels, 2)
    return any(start * made - ahead > start * inside for start in starts)


@given(height=st.integers(1, 6), width=st.integers(1, 6), inside=st.integers(1, 9), made=st.integers(1, 9))
def test_pixels_are_written_over_pixels_that_were_read(
    height: int, width: int, inside: int, made: int
) -> None:
    tensors = {
        0: Tensor(0, "in", (1, height, width, inside), "int8"),
        1: Tensor(1, "out", (1, height, width, made), "int8"),
    }
    op = Operator(0, OpKind.CONV_2D, (0,), (1,), Attributes(window=Window(1, 1)))
    graph = Graph("pointwise", tensors, (op,), (0,), (1,))
    kernel = replace(pixelwise("kernel", "{}"), pixels_at_once=2)
    ranges = live_ranges(graph, parse_spec("layer", graph), lowered={0: kernel})
    (overlap,) = ranges.overlaps
    assert overlap.distance is not None
    assert not overlap.costs_cycles
    assert not _written_too_early(height * width, inside, made, overlap.distance)
    if height * width % 2 and overlap.distance >= 4:
        assert _written_too_early(height * width, inside, made, overlap.distance - 4)


def test_depthwise_runs_ahead_and_addition_lies_on_its_operand(graph: Graph) -> None:
    ranges = live_ranges(graph, parse_spec("layer", graph), sharing="depthwise")
    kinds = {op.outputs[0]: op.kind for op in graph.operators}
    assert {kinds[o.target] for o in ranges.overlaps} == {OpKind.DEPTHWISE_CONV_2D, OpKind.ADD}
    assert all((o.distance is None) == (kinds[o.target] is OpKind.ADD) for o in ranges.overlaps)
    depthwise = [op for op in graph.operators if op.kind is OpKind.DEPTHWISE_CONV_2D]
    assert sum(o.distance is not None for o in ranges.overlaps) == len(depthwise)
    assert live_ranges(graph, parse_spec("layer", graph), sharing="none").overlaps == ()


def test_overlaps_that_cost_cycles_are_kept_where_they_save_bytes(graph: Graph) -> None:
    """Most 1x1 convolutions keep their one long row; the arena is that of all overlaps, and smaller than
    without any."""
    ranges = live_ranges(graph, parse_spec("layer", graph))
    settled, offsets = settle(ranges)
    costly = [overlap for overlap in ranges.overlaps if overlap.costs_cycles]
    kept = [overlap for overlap in settled.overlaps if overlap.costs_cycles]
    assert 0 < len(kept) < len(costly) / 2
    assert arena_bytes(settled, offsets) <= arena_bytes(ranges, place(ranges))
    without = live_ranges(graph, parse_spec("layer", graph), sharing="depthwise")
    assert arena_bytes(settled, offsets) < arena_bytes(without, place(without))


def test_scratch_lies_where_the_arena_is_free(graph: Graph) -> None:
    """The dense layer's is the largest by far, and there is little else in memory when it runs."""
    program = make_program(graph, parse_spec("stream", graph, "flash"))
    plan = program.plan
    largest = max(plan.scratch, key=lambda scratch: scratch.bytes)
    assert largest.bytes > 2048
    without = plan_memory(graph, parse_spec("stream", graph, "flash"))
    assert plan.sram_bytes < without.arena_bytes + largest.bytes
    for scratch in plan.scratch:
        for other in plan.placements:
            together = scratch.first <= other.last and other.first <= scratch.last
            apart = (
                scratch.offset + scratch.bytes <= other.offset or other.offset + other.bytes <= scratch.offset
            )
            assert apart or not together
    for op in graph.operators:
        needs = op.index in program.lowered and program.lowered[op.index].scratch_bytes(1, 1) > 0
        assert not needs or program.scratch_offset(op) is not None


def test_reshape_moves_nothing() -> None:
    graph = network.load("zoo:ds_cnn")
    reshape = next(op for op in graph.operators if op.kind is OpKind.RESHAPE)
    ranges = live_ranges(graph, parse_spec("layer", graph))
    assert ranges.aliases.roots[reshape.outputs[0]] == reshape.inputs[0]
    assert ranges.aliases.free == {reshape.index}
    assert reshape.outputs[0] not in ranges.buffers


def test_an_input_in_flash_takes_no_arena(graph: Graph) -> None:
    image = graph.tensors[graph.inputs[0]].bytes
    inside = plan_memory(graph, parse_spec("patch:3x3@12", graph, "sram"))
    outside = plan_memory(graph, parse_spec("patch:3x3@12", graph, "flash"))
    assert inside.input_bytes == image
    assert outside.input_bytes == 0
    assert outside.arena_bytes < inside.arena_bytes


def test_each_policy_needs_no_more_than_the_one_before(graph: Graph) -> None:
    for spec in ("layer", "patch:2x2@12"):
        schedule = parse_spec(spec, graph, "flash")
        sizes = [
            plan_memory(graph, schedule, sharing=sharing).arena_bytes
            for sharing in ("none", "depthwise", "rows")
        ]
        assert sizes[0] > sizes[1] > sizes[2]


def test_the_stage_output_is_whole_and_what_is_inside_is_patches(graph: Graph) -> None:
    plan = plan_memory(graph, parse_spec("patch:3x3@12", graph, "flash"))
    placements = {placement.tensor: placement for placement in plan.placements}
    output = graph.operators[12].outputs[0]
    assert not placements[output].patch
    assert placements[output].bytes == graph.tensors[output].bytes
    inner = [placements[op.outputs[0]] for op in graph.operators[:12]]
    assert all(p.patch and p.bytes < graph.tensors[p.tensor].bytes for p in inner)
    assert all(step.live_bytes <= plan.arena_bytes for step in plan.steps)


def test_a_stage_writes_over_the_image_that_it_has_consumed(graph: Graph) -> None:
    """Its output and the image lie in fewer bytes than both take, at the distance that patches allow."""
    plan = plan_memory(graph, parse_spec("patch:4x4@12", graph, "sram"))
    placements = {placement.tensor: placement for placement in plan.placements}
    image, output = placements[graph.inputs[0]], placements[graph.operators[12].outputs[0]]
    assert output.offset < image.offset < output.offset + output.bytes
    apart = plan_memory(graph, parse_spec("patch:4x4@12", graph, "sram"), sharing="depthwise")
    assert plan.arena_bytes < apart.arena_bytes
