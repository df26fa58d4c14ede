"""An image that a camera delivers: which schedules may take it, and how many lines lie in the arena."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcusim import network
from mcusim.compiler.camera import camera_lines, last_reader
from mcusim.compiler.candidates import candidates
from mcusim.compiler.partition import find_pieces
from mcusim.compiler.program import make_program
from mcusim.compiler.proposals import proposals
from mcusim.compiler.rows import pull, row_needs
from mcusim.compiler.schedule import Schedule, Stage, dump, parse_spec, validate
from mcusim.errors import ScheduleError
from mcusim.network.graph import Attributes, Graph, Operator, OpKind, Padding, Tensor, Window


@pytest.fixture(scope="module")
def graph() -> Graph:
    return network.load("zoo:tiny")


@st.composite
def readers(draw: st.DrawFn) -> Graph:
    """A windowed operator that reads the image, a depthwise convolution behind it, and perhaps an addition of
    the image to what they make."""
    lines = draw(st.integers(4, 16))
    kernel, stride = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    padding = Padding(top=draw(st.integers(0, kernel - 1)), bottom=draw(st.integers(0, kernel - 1)))
    window = Window(kernel, 1, stride, 1, padding)
    made = (lines + padding.top + padding.bottom - kernel) // stride + 1
    pair = Window(3, 1, 1, 1, Padding(top=1, bottom=1))
    operators = [
        Operator(0, OpKind.MAX_POOL_2D, (0,), (1,), Attributes(window=window)),
        Operator(1, OpKind.DEPTHWISE_CONV_2D, (1,), (2,), Attributes(window=pair)),
    ]
    heights = [lines, made, made]
    if made == lines and draw(st.booleans()):
        operators.append(Operator(2, OpKind.ADD, (2, 0), (3,)))
        heights.append(lines)
    tensors = {i: Tensor(i, f"t{i}", (1, rows, 3, 2), "int8") for i, rows in enumerate(heights)}
    return Graph("reader", tensors, tuple(operators), (0,), (len(heights) - 1,))


def overwrites(graph: Graph, chunk: int, capacity: int) -> bool:
    """Play a stream over a ring of ``capacity`` lines, of which the next is always on its way: whether a line
    is lost that is still to be read."""
    places: dict[int, int] = {}
    delivered = 0
    for call in pull(graph, graph.operators, chunk):
        op = graph.operators[call.step]
        if 0 not in op.inputs:
            continue
        needs = row_needs(graph, op, 0)
        lines = graph.tensors[0].shape[1]
        delivered = max(delivered, int(needs.until[call.end]))
        for line in range(min(delivered + 1, lines)):
            if line > max(places.values(), default=-1):
                places[line % capacity] = line
        wanted = range(int(needs.still[call.first]), int(needs.until[call.end]))
        if any(places.get(line % capacity) != line for line in wanted):
            return True
    return False


@settings(max_examples=60, deadline=None)
@given(readers(), st.sampled_from([1, 2]))
def test_as_many_lines_as_are_needed_and_no_more(graph: Graph, chunk: int) -> None:
    lines = camera_lines(graph, chunk)
    assert not overwrites(graph, chunk, lines)
    assert lines == 1 or overwrites(graph, chunk, lines - 1)


def test_three_lines_of_a_window_and_the_one_on_its_way(graph: Graph) -> None:
    schedule = parse_spec("stream", graph, "camera")
    plan = make_program(graph, schedule).plan
    _, _, width, channels = graph.tensors[graph.inputs[0]].shape
    assert camera_lines(graph, 1) == 3 + 1
    assert plan.input_bytes == 4 * width * channels
    in_flash = make_program(graph, parse_spec("stream", graph, "flash")).plan
    assert plan.sram_bytes <= in_flash.sram_bytes + plan.input_bytes


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("layer", "the first stage must be of mode stream, not op"),
        ("patch:2x2@6", "the first stage must be of mode stream, not patch"),
        ("bands:2@2", "the first stage must be of mode stream, not bands"),
    ],
)
def test_lines_are_not_delivered_twice(graph: Graph, spec: str, said: str) -> None:
    with pytest.raises(ScheduleError, match=said):
        parse_spec(spec, graph, "camera")
    assert not candidates(graph, input_in="camera")


def test_a_first_stage_must_read_all_of_the_image() -> None:
    tensors = {i: Tensor(i, f"t{i}", (1, 8, 3, 2), "int8") for i in range(4)}
    window = Attributes(window=Window(1, 1))
    operators = (
        Operator(0, OpKind.MAX_POOL_2D, (0,), (1,), window),
        Operator(1, OpKind.MAX_POOL_2D, (1,), (2,), window),
        Operator(2, OpKind.ADD, (2, 0), (3,)),
    )
    graph = Graph("again", tensors, operators, (0,), (3,))
    assert last_reader(graph) == 2
    stages = (Stage(first=0, last=1, mode="stream"), Stage(first=2, last=2, mode="op"))
    with pytest.raises(ScheduleError, match="operator 2 reads the image behind the first stage"):
        validate(Schedule(name="", input_in="camera", stages=stages), graph)
    validate(Schedule(name="", input_in="camera", stages=(Stage(first=0, last=2, mode="stream"),)), graph)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("zoo:autoencoder", "a camera delivers lines, and the input of autoencoder has none"),
        ("two", "a camera delivers one image, and two takes 2 inputs"),
        ("late", "no stream of late from operator 0 .SOFTMAX. to operator 0 .SOFTMAX. can take them so"),
    ],
)
def test_networks_that_no_camera_can_feed(model: str, said: str) -> None:
    tensors = {i: Tensor(i, f"t{i}", (1, 4, 3, 2), "int8") for i in range(3)}
    graphs = {
        "two": Graph("two", tensors, (Operator(0, OpKind.ADD, (0, 1), (2,)),), (0, 1), (2,)),
        "late": Graph("late", tensors, (Operator(0, OpKind.SOFTMAX, (0,), (1,)),), (0,), (1,)),
    }
    graph = graphs.get(model) or network.load(model)
    with pytest.raises(ScheduleError, match=said):
        find_pieces(graph, "camera")


def test_every_proposal_starts_with_a_stream(graph: Graph) -> None:
    found = proposals(graph, "camera")
    assert len(found) > 1
    for proposal in found:
        assert proposal.schedule.stages[0].mode == "stream"
        validate(proposal.schedule, graph)


def test_a_document_says_so(graph: Graph, tmp_path: Path) -> None:
    path = tmp_path / "schedule.json"
    schedule = parse_spec("stream", graph, "camera")
    path.write_bytes(dump(schedule))
    assert b'"input_in": "camera"' in path.read_bytes()
    assert parse_spec(str(path), graph) == schedule
