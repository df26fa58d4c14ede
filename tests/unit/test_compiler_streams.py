"""Streams: what rings and distances must hold, against a stream that is played with every row named."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcusim import network
from mcusim.compiler import partition, rows, spatial
from mcusim.compiler.analysis import mac_factor, schedule_macs
from mcusim.compiler.automatic import STACK_BYTES, limit_of
from mcusim.compiler.memory_plan import plan_memory
from mcusim.compiler.program import make_program
from mcusim.compiler.schedule import InputIn, Schedule, parse_spec
from mcusim.errors import ScheduleError, UsageError
from mcusim.network.graph import Attributes, Graph, Operator, OpKind, Padding, Tensor, Window

WINDOWED = (OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D, OpKind.MAX_POOL_2D)


def tensor(index: int, height: int, channels: int) -> Tensor:
    return Tensor(index, f"t{index}", (1, height, 2, channels), "int8")


@st.composite
def chains(draw: st.DrawFn) -> Graph:
    """Up to five windowed operators of any kernel and stride along the rows, the last operator perhaps an
    addition of an earlier tensor of the same shape."""
    shapes = [(draw(st.integers(1, 20)), draw(st.integers(1, 4)))]
    operators: list[Operator] = []
    for index in range(draw(st.integers(1, 5))):
        height, channels = shapes[-1]
        kernel = draw(st.integers(1, 5))
        pads = [draw(st.integers(0, kernel - 1)) for _ in range(2)]
        pads[1] = max(pads[1], kernel - height - pads[0])
        stride = draw(st.integers(1, 3))
        window = Window(kernel, 1, stride, 1, Padding(top=pads[0], bottom=pads[1]))
        kind = draw(st.sampled_from(WINDOWED))
        operators.append(Operator(index, kind, (index,), (index + 1,), Attributes(window=window)))
        same = kind is not OpKind.CONV_2D
        out = channels if same else draw(st.integers(1, 4))
        shapes.append(((height + sum(pads) - kernel) // stride + 1, out))
    twins = [i for i, shape in enumerate(shapes[:-1]) if shape == shapes[-1]]
    if twins and draw(st.booleans()):
        count = len(shapes)
        operators.append(Operator(count, OpKind.ADD, (count - 1, draw(st.sampled_from(twins))), (count,)))
        shapes.append(shapes[-1])
    tensors = {index: tensor(index, *shape) for index, shape in enumerate(shapes)}
    return Graph("chain", tensors, tuple(operators), (0,), (len(shapes) - 1,))


def read_rows(graph: Graph, op: Operator, source: int, first: int, end: int) -> set[int]:
    """Input rows under the window of output rows first <= y < end."""
    window = spatial.window_of(op)
    taps = {
        y * window.stride_h - window.padding.top + k
        for y in range(first, end)
        for k in range(window.kernel_h)
    }
    return taps & set(range(rows.height(graph, source)))


def plays(graph: Graph, chunk: int, capacities: dict[int, int]) -> bool:
    """Whether every row that an operator reads is still the one that its ring holds."""
    held: dict[int, dict[int, int]] = {t: {} for t in capacities}
    for call in rows.pull(graph, graph.operators, chunk):
        op = graph.operators[call.step]
        for source in op.inputs:
            for row in read_rows(graph, op, source, call.first, call.end) if source in held else ():
                if held[source].get(row % capacities[source]) != row:
                    return False
        if op.outputs[0] in held:
            target = op.outputs[0]
            for row in range(call.first, call.end):
                held[target][row % capacities[target]] = row
    return True


def all_made(graph: Graph, chunk: int) -> bool:
    """Whether no stride leaves out rows at the end; what is found is a bit too safe otherwise."""
    made = {call.step: call.end for call in rows.pull(graph, graph.operators, chunk)}
    heights = [rows.height(graph, op.outputs[0]) for op in graph.operators]
    return all(made.get(step) == height for step, height in enumerate(heights))


@given(chains(), st.integers(1, 2))
@settings(max_examples=150, deadline=None)
def test_rings_hold_what_is_read_and_not_a_row_more(graph: Graph, chunk: int) -> None:
    found = {op.outputs[0]: rows.ring_rows(graph, p, chunk) for p, op in enumerate(graph.operators[:-1])}
    capacities = {t: size for t, size in found.items() if size is not None}
    assert len(capacities) == len(graph.operators) - 1
    assert plays(graph, chunk, capacities)
    for maker, size in zip(graph.operators, capacities.values(), strict=False):
        if all_made(graph, chunk) and size > rows.rows_at_once(maker, chunk):
            assert not plays(graph, chunk, {**capacities, maker.outputs[0]: size - 1})


def survives(graph: Graph, operators: Sequence[Operator], chunk: int, distance: int) -> bool:
    """Whether no row of the input is overwritten before it is read, the output ``distance`` bytes ahead;
    an addition reads a row exactly under the one that it writes, or before it writes any part of it."""
    pitch, out_pitch = (2 * graph.tensors[t].shape[3] for t in (0, operators[-1].outputs[0]))
    written = 0
    for call in rows.pull(graph, operators, chunk):
        op = operators[call.step]
        last = op is operators[-1]
        after = call.end * out_pitch - distance if last else written
        in_place = last and op.kind is OpKind.ADD and distance == 0 and pitch == out_pitch
        if 0 in op.inputs:
            read = read_rows(graph, op, 0, call.first, call.end)
            if read and min(read) * pitch < (written if in_place else after):
                return False
        written = max(written, after)
    return True


@given(chains(), st.integers(1, 2))
@settings(max_examples=150, deadline=None)
def test_the_output_runs_ahead_as_little_as_it_can(graph: Graph, chunk: int) -> None:
    found = rows.stage_distance(graph, graph.operators, 0, chunk)
    distance = found or 0
    assert distance % 4 == 0
    assert survives(graph, graph.operators, chunk, distance)
    if distance > 0 and all_made(graph, chunk):
        assert not survives(graph, graph.operators, chunk, distance - 4)


@given(chains(), st.integers(1, 2))
@settings(max_examples=50, deadline=None)
def test_a_stream_makes_every_row_once_and_only_what_is_needed(graph: Graph, chunk: int) -> None:
    made = [0] * len(graph.operators)
    for call in rows.pull(graph, graph.operators, chunk):
        assert call.first == made[call.step] < call.end
        made[call.step] = call.end
    assert made[-1] == rows.height(graph, graph.operators[-1].outputs[0])


@pytest.fixture(scope="module")
def graph() -> Graph:
    return network.load("zoo:mobilenet_v2?width=0.35&resolution=96&classes=10")


@pytest.fixture(scope="module")
def found(graph: Graph) -> list[partition.Piece]:
    return partition.find_pieces(graph, "flash", bands=(2, 3))


def _covers(count: int, pieces: Sequence[partition.Piece]) -> list[list[partition.Piece]]:
    if count == 0:
        return [[]]
    return [
        [*rest, piece] for piece in pieces if piece.last == count - 1 for rest in _covers(piece.first, pieces)
    ]


def test_the_partition_is_the_best_of_all(found: list[partition.Piece]) -> None:
    pieces = [p for p in found if p.last < 9 and p.chunk < 2 and (p.bands == 1 or p.first == 0)]
    covers = _covers(9, pieces)
    assert len(covers) > 50
    least = min(partition.peak(cover) for cover in covers)
    assert partition.least_limit(pieces, 9) == least
    for limit in (least, 2 * least):
        chosen = partition.cheapest(pieces, 9, limit)
        assert chosen is not None
        assert [piece.first for piece in chosen] == [0, *(p.last + 1 for p in chosen[:-1])]
        fewest = min(partition.cycles(cover) for cover in covers if partition.peak(cover) <= limit)
        assert partition.cycles(chosen) == pytest.approx(fewest)
    assert partition.cheapest(pieces, 9, least - 1) is None


def test_the_front_trades_bytes_for_cycles(graph: Graph) -> None:
    pieces = partition.find_pieces(graph, "flash", bands=partition.BANDS)
    covers = list(partition.front(pieces, len(graph.operators)))
    assert len(covers) > 5
    assert all(partition.peak(a) > partition.peak(b) for a, b in pairwise(covers))
    assert all(partition.cycles(a) <= partition.cycles(b) for a, b in pairwise(covers))
    assert partition.peak(covers[-1]) == partition.least_limit(pieces, len(graph.operators))


def test_the_front_of_macs_is_the_smallest_within_each_limit(found: list[partition.Piece]) -> None:
    pieces = [p for p in found if p.last < 9 and (p.bands == 1 or p.first == 0)]
    covers = _covers(9, pieces)
    whole = partition.macs([p for p in pieces if p.chunk == 0])
    smallest = []
    for limit in (1.0, 1.02, 1.05, 1.3):
        within = [cover for cover in covers if partition.macs(cover) <= limit * whole]
        *_, last = partition.front_of_macs(pieces, 9, limit * whole)
        assert partition.macs(last) <= limit * whole
        assert partition.peak(last) == min(partition.peak(cover) for cover in within)
        assert partition.cycles(last) >= partition.cycles(partition.cheapest(pieces, 9) or ())
        smallest.append(partition.peak(last))
    assert smallest[0] > smallest[-1]


def test_pieces_count_the_macs_of_their_schedules(graph: Graph, found: list[partition.Piece]) -> None:
    covers = list(partition.front(found, len(graph.operators)))
    for cover in (covers[0], covers[len(covers) // 2], covers[-1]):
        schedule = Schedule(name="", input_in="flash", stages=partition.stages_for(graph, cover))
        assert partition.macs(cover) == schedule_macs(graph, schedule)
    assert partition.macs(covers[-1]) > partition.macs(covers[0])


@pytest.mark.parametrize("spec", ["stream", "bands:2@4", "bands:3@9"])
@pytest.mark.parametrize("input_in", ["sram", "flash"])
def test_pieces_know_what_the_plan_will_need(graph: Graph, spec: str, input_in: InputIn) -> None:
    schedule = parse_spec(spec, graph, input_in)
    pieces = partition.find_pieces(graph, schedule.input_in, bands=(2, 3))
    sizes = {(piece.first, piece.last, piece.chunk, piece.bands): piece.bytes for piece in pieces}
    streams = [stage for stage in schedule.stages if stage.mode != "op"]
    plan = plan_memory(graph, schedule)
    # Bands that save nothing are no pieces.
    known = [stage for stage in streams if (stage.first, stage.last, stage.chunk, stage.bands) in sizes]
    assert known
    for stage in known:
        live = [step.live_bytes for step in plan.steps if stage.first <= step.operator <= stage.last]
        assert max(live) == sizes[stage.first, stage.last, stage.chunk, stage.bands]
    assert all(a.last + 1 == b.first for a, b in pairwise(schedule.stages))


def test_streams_compute_nothing_twice_and_bands_their_halo(graph: Graph) -> None:
    assert mac_factor(graph, parse_spec("stream", graph, "flash")) == 1.0
    factors = [mac_factor(graph, parse_spec(f"bands:{n}@9", graph, "flash")) for n in (1, 2, 4)]
    assert factors[0] == 1.0 < factors[1] < factors[2]


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("bands:0@9", "0 bands cannot be cut"),
        ("bands:99@9", "99 bands cannot be cut"),
        ("bands:2@6", "2 tensors are live behind operator 6.*a bands stage may end at"),
        ("bands:2@64", "cannot be computed in rows"),
    ],
)
def test_impossible_bands_say_why(graph: Graph, spec: str, sentence: str) -> None:
    with pytest.raises(ScheduleError, match=sentence):
        parse_spec(spec, graph)


def test_auto_is_the_fastest_that_fits(graph: Graph) -> None:
    """With room for everything nothing is streamed; with less, more is, up to what cannot be."""
    assert {s.mode for s in parse_spec("auto", graph, "flash", 1 << 20).stages} == {"op"}
    sizes = []
    for limit in ("40KiB", "22KiB", "17000B"):
        schedule = parse_spec(f"auto:sram={limit}", graph, "flash")
        sizes.append(make_program(graph, schedule).plan.sram_bytes + STACK_BYTES)
        assert sizes[-1] <= limit_of(f"auto:sram={limit}", None)
    assert sizes[0] > sizes[1] > sizes[2]
    with pytest.raises(ScheduleError, match=r"fits 4\.0 KiB: activations alone take \d+\.\d KiB"):
        parse_spec("auto:sram=4KiB", graph, "flash")


def test_auto_is_the_smallest_that_is_fast_enough() -> None:
    """More time, fewer bytes; a millisecond of 48 MHz is two of 24 MHz."""
    tiny = network.load("zoo:tiny")
    arenas = []
    for time in (7.2, 7.6, 9):
        schedule = parse_spec(f"auto:ms={time}@48MHz", tiny, "flash")
        assert schedule.stages == parse_spec(f"auto:ms={2 * time}", tiny, "flash", clock_hz=24e6).stages
        arenas.append(make_program(tiny, schedule).plan.sram_bytes)
    assert arenas[0] > arenas[1] > arenas[2]
    sentence = r"within 0\.0480 million cycles: the fastest is estimated at 0\.\d{3} million"
    with pytest.raises(ScheduleError, match=sentence):
        parse_spec("auto:ms=1@48MHz", tiny, "flash")


@pytest.mark.parametrize(("spec", "sentence"), [("auto:ms=80", "the clock"), ("auto:ms=soon", "TIME@CLOCK")])
def test_auto_needs_a_time_and_a_clock(graph: Graph, spec: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        parse_spec(spec, graph)


@pytest.mark.parametrize("spec", ["auto", "auto:sram", "auto:sram=much", "autos"])
def test_auto_needs_a_limit(graph: Graph, spec: str) -> None:
    with pytest.raises(UsageError, match="32KiB"):
        parse_spec(spec, graph)
