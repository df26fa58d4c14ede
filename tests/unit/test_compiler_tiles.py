"""Channel tiles: what must be kept of a block's tensors, against a block that is played row by row."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcusim import network
from mcusim.compiler import partition, rows, spatial
from mcusim.compiler.analysis import schedule_macs
from mcusim.compiler.cycle_model import operator_cycles
from mcusim.compiler.pieces import Known, Piece, PieceSearch
from mcusim.compiler.program import lower_all, make_program
from mcusim.compiler.schedule import Schedule, Stage, dump, stage_operators, validate
from mcusim.compiler.stages import TileStage, stages_of, tile_stage
from mcusim.compiler.tile_search import tile_pieces
from mcusim.errors import ScheduleError
from mcusim.network.graph import Attributes, Graph, Operator, OpKind, Padding, Tensor, Window

WIDTH = 2


def tensor(index: int, height: int, channels: int) -> Tensor:
    return Tensor(index, f"t{index}", (1, height, WIDTH, channels), "int8")


@st.composite
def blocks(draw: st.DrawFn) -> Graph:
    """One block of any height, kernel and stride along the rows, with an addition where that can be."""
    height, kernel, stride = draw(st.integers(1, 20)), draw(st.integers(1, 5)), draw(st.integers(1, 3))
    pads = [draw(st.integers(0, kernel - 1)) for _ in range(2)]
    pads[1] = max(pads[1], kernel - height - pads[0])
    made = (height + sum(pads) - kernel) // stride + 1
    channels, projected = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    window = Window(kernel, 1, stride, 1, Padding(top=pads[0], bottom=pads[1]))
    add = made == height and draw(st.booleans())
    shapes = [(height, channels), (height, 16), (made, 16), (made, channels if add else projected)]
    operators = [
        Operator(0, OpKind.CONV_2D, (0,), (1,), Attributes(window=Window(1, 1))),
        Operator(1, OpKind.DEPTHWISE_CONV_2D, (1,), (2,), Attributes(window=window)),
        Operator(2, OpKind.CONV_2D, (2,), (3,), Attributes(window=Window(1, 1))),
    ]
    if add:
        operators.append(Operator(3, OpKind.ADD, draw(st.sampled_from([(3, 0), (0, 3)])), (4,)))
        shapes.append((made, channels))
    tensors = {index: tensor(index, *shape) for index, shape in enumerate(shapes)}
    return Graph("block", tensors, tuple(operators), (0,), (len(shapes) - 1,))


@st.composite
def stages(draw: st.DrawFn) -> tuple[Graph, TileStage]:
    graph = draw(blocks())
    height = rows.height(graph, graph.outputs[0])
    bands = -(-height // draw(st.integers(1, height)))
    stage = Stage(
        first=0, last=0, mode="ctile", channels=draw(st.sampled_from([4, 8, 12, 16])), bands=bands,
        chunk=draw(st.integers(1, 2)),
    )  # fmt: skip
    return graph, tile_stage(graph, 0, graph.operators, stage)


def taps(op: Operator, row: int, height: int) -> list[int]:
    """Input rows under the window of an output row."""
    window = spatial.window_of(op)
    top = row * window.stride_h - window.padding.top
    return [y for y in range(top, top + window.kernel_h) if 0 <= y < height]


def plays(graph: Graph, stage: TileStage, ring: int, distance: int) -> tuple[bool, list[int]]:
    """The loop of ``mcu_tiles.c`` with every row named: whether all that is read is what it should be, the
    expanded rows in a ring of ``ring`` and the output ``distance`` bytes before the block's input; and how
    often the expanding and the depthwise convolution were called."""
    block, height = stage.block, rows.height(graph, 0)
    source, target = (WIDTH * graph.tensors[t].shape[3] for t in (0, graph.outputs[0]))
    step = rows.rows_at_once(block.depthwise, stage.chunk)
    written, calls = 0, [0, 0]
    for band in stage.row_bands:
        for number in range(len(stage.tiles)):
            held: dict[int, int] = {}
            made = min(taps(block.depthwise, band.first, height), default=height)
            for first in range(band.first, band.end, step):
                end = min(first + step, band.end)
                window = spatial.window_of(block.depthwise)
                bottom = (end - 1) * window.stride_h - window.padding.top + window.kernel_h
                needed = max(0, min(bottom, height))
                calls[0] += needed > made
                for row in range(made, needed):
                    if row * source < written - distance:
                        return False, calls
                    held[row % ring] = row
                made = max(made, needed)
                calls[1] += 1
                for row in range(first, end):
                    if any(held.get(y % ring) != y for y in taps(block.depthwise, row, height)):
                        return False, calls
                    if number < len(stage.tiles) - 1:
                        continue
                    # An addition reads a row while it writes one: just under it, or nowhere it was written.
                    under = 0 if distance == 0 and source == target else target
                    if block.add is not None and row * source < row * target + under - distance:
                        return False, calls
                    written = (row + 1) * target
    return True, calls


@given(stages())
@settings(max_examples=200, deadline=None)
def test_a_tile_keeps_the_rows_that_are_read_and_no_more(case: tuple[Graph, TileStage]) -> None:
    graph, stage = case
    ring, distance = stage.rings[1], stage.distance(graph, 0) or 0
    assert distance % 4 == 0
    fits, calls = plays(graph, stage, max(ring, 1), distance)
    assert fits
    assert calls == [stage.calls(graph, op) for op in graph.operators[:2]]
    if ring > 1:
        assert not plays(graph, stage, ring - 1, distance)[0]
    if distance > 0:
        assert not plays(graph, stage, max(ring, 1), distance - 4)[0]


@pytest.fixture(scope="module")
def graph() -> Graph:
    return network.load("zoo:mobilenet_v2?width=0.35&resolution=96&classes=10")


def scheduled(graph: Graph, stage: Stage) -> Schedule:
    """``stage`` and everything else layer by layer."""
    numbers = [op.index for op in graph.operators]
    first, last = numbers.index(stage.first), numbers.index(stage.last)
    before = Stage(first=numbers[0], last=numbers[first - 1], mode="op")
    behind = Stage(first=numbers[last + 1], last=numbers[-1], mode="op")
    return Schedule(name="tiles", stages=(before, stage, behind))


def test_a_schedule_with_tiles_goes_through_json(graph: Graph) -> None:
    schedule = scheduled(graph, Stage(first=24, last=27, mode="ctile", channels=48, bands=2, chunk=2))
    validate(schedule, graph)
    assert msgspec.json.decode(dump(schedule), type=Schedule) == schedule


@pytest.mark.parametrize(
    ("stage", "reason"),
    [
        (Stage(first=24, last=27, mode="ctile", channels=6), "multiple of 4 channels, at most 144, not 6"),
        (Stage(first=24, last=27, mode="ctile", channels=148), "at most 144, not 148"),
        (Stage(first=24, last=27, mode="ctile"), "not 0"),
        (Stage(first=24, last=27, mode="ctile", channels=8, bands=7), "6 rows .* cut into 7 bands"),
        (Stage(first=24, last=27, mode="ctile", channels=8, bands=4), "cut into 4 bands of as many rows"),
        (Stage(first=24, last=27, mode="ctile", channels=8, chunk=3), "makes 1 or 2 rows at a time, not 3"),
        (Stage(first=20, last=24, mode="ctile", channels=8), "20 to 24 are no inverted residual"),
        (Stage(first=21, last=22, mode="ctile", channels=8), "operator 22 .* is no average pool"),
        (Stage(first=61, last=62, mode="ctile", channels=8, bands=3), "operator 62 pools everything"),
        (Stage(first=25, last=27, mode="ctile", channels=8), "operator 25 .* is no 1x1 convolution"),
        (Stage(first=26, last=28, mode="ctile", channels=8), "operator 27 .* is no depthwise"),
    ],
)  # fmt: skip
def test_what_cannot_be_tiled_is_refused_with_the_reason(graph: Graph, stage: Stage, reason: str) -> None:
    with pytest.raises(ScheduleError, match=reason):
        validate(scheduled(graph, stage), graph)


@pytest.fixture(scope="module")
def found(graph: Graph) -> list[Piece]:
    return tile_pieces(graph, PieceSearch(graph, Known("flash", operator_cycles(graph), lower_all(graph))))


def test_the_search_knows_what_tiles_need(graph: Graph, found: list[Piece]) -> None:
    assert {(graph.operators[p.first].index, graph.operators[p.last].index) for p in found} >= {
        (24, 26), (24, 27), (50, 53), (58, 60), (61, 62),
    }  # fmt: skip
    for piece in found[::37]:
        (stage,) = partition.stages_for(graph, [piece])
        schedule = msgspec.structs.replace(scheduled(graph, stage), input_in="flash")
        validate(schedule, graph)
        program = make_program(graph, schedule)
        live = [step.live_bytes for step in program.plan.steps[piece.first : piece.last + 1]]
        assert max(live) == piece.bytes
        operators = stage_operators(graph, stage)
        whole = schedule_macs(graph, schedule) - piece.macs
        alone = Schedule(name="op", stages=(Stage(first=0, last=graph.operators[-1].index, mode="op"),))
        assert whole == schedule_macs(graph, alone) - schedule_macs_of(graph, operators)


def schedule_macs_of(graph: Graph, operators: tuple[Operator, ...]) -> int:
    return sum(network.geometry.macs(graph, op) for op in operators)


def test_sums_are_counted(graph: Graph) -> None:
    stage = Stage(first=24, last=27, mode="ctile", channels=24, bands=3)
    (tiled,) = stages_of(graph, scheduled(graph, stage))
    size = spatial.extent(graph.output_of(stage_operators(graph, stage)[2]))
    assert (
        tiled.buffer_bytes(graph, stage_operators(graph, stage)[2].outputs[0])
        == 4 * 2 * size.width * size.channels
    )
    assert tiled.buffer_bytes(graph, stage_operators(graph, stage)[0].outputs[0]) == 3 * size.width * 24
