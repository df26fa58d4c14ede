"""Receptive fields against brute force: sets of pixels pulled back through every window."""

from __future__ import annotations

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from mcusim import network
from mcusim.compiler import analysis
from mcusim.compiler.patches import Axis, PatchGeometry, Span, patch_distance, patch_geometry, split
from mcusim.compiler.schedule import parse_spec
from mcusim.network import geometry
from mcusim.network.graph import Attributes, Graph, Operator, OpKind, Padding, Tensor, Window

axes = st.builds(
    Axis,
    kernel=st.integers(1, 7),
    stride=st.integers(1, 3),
    padding=st.integers(0, 3),
    dilation=st.integers(1, 2),
)


@given(axis=axes, extent=st.integers(1, 40), first=st.integers(0, 20), size=st.integers(1, 10))
def test_input_span_is_the_hull_of_the_taps_inside(axis: Axis, extent: int, first: int, size: int) -> None:
    rows = [
        {y * axis.stride - axis.padding + k * axis.dilation for k in range(axis.kernel)} & set(range(extent))
        for y in range(first, first + size)
    ]
    inside = set[int]().union(*rows)
    span = axis.input_span(Span(first, first + size), extent)
    assert 0 <= span.first <= span.end <= extent
    assert inside <= set(range(span.first, span.end))
    if rows[0] and rows[-1] and axis.dilation == 1:
        assert (span.first, span.end) == (min(inside), max(inside) + 1)


@given(extent=st.integers(1, 200), parts=st.integers(1, 20))
def test_split_is_even_and_complete(extent: int, parts: int) -> None:
    spans = split(extent, parts)
    assert [y for span in spans for y in range(span.first, span.end)] == list(range(extent))
    assert max(s.size for s in spans) - min(s.size for s in spans) <= 1


def test_published_patch_input_of_mobilenet_v2() -> None:
    """MCUNetV2 (arXiv 2110.15352): 4x4 patches over the first five blocks read 75x75 pixels each."""
    graph = network.load("zoo:mobilenet_v2?classes=10")
    stage = patch_geometry(graph, graph.operators[:13], (4, 4))
    assert max(span.size for span in stage.rows[graph.inputs[0]]) == 75
    assert max(span.size for span in stage.columns[graph.inputs[0]]) == 75


def test_a_residual_source_holds_what_both_consumers_need() -> None:
    """Block 3 adds its input (operator 5's output) to the result of a 3x3 window over it."""
    graph = network.load("zoo:mobilenet_v2?width=0.35&resolution=96&classes=10")
    source, output = graph.operators[5].outputs[0], graph.operators[9].outputs[0]
    stage = patch_geometry(graph, graph.operators[:10], (3, 3))
    assert stage.rows[output] == split(24, 3)
    assert stage.rows[source] == (Span(0, 9), Span(7, 17), Span(15, 24))


def test_macs_of_one_patch_are_those_of_the_layer_schedule() -> None:
    graph = network.load("zoo:mobilenet_v2?width=0.35&resolution=96&classes=10")
    total = geometry.total_macs(graph)
    assert analysis.schedule_macs(graph, parse_spec("patch:1x1@12", graph)) == total
    assert analysis.schedule_macs(graph, parse_spec("layer", graph)) == total
    factors = [
        analysis.mac_factor(graph, parse_spec(f"patch:{grid}@12", graph)) for grid in ("2x2", "3x2", "3x3")
    ]
    assert 1 < factors[0] < factors[1] < factors[2]


@st.composite
def stages(draw: st.DrawFn) -> tuple[Graph, tuple[int, int]]:
    """Up to three square windows one after the other, and a grid of patches of the last one's output."""
    shapes = [(draw(st.integers(3, 12)), draw(st.integers(3, 12)), draw(st.integers(1, 3)))]
    operators = []
    for index in range(draw(st.integers(1, 3))):
        kernel, stride = draw(st.sampled_from((1, 3))), draw(st.integers(1, 2))
        pad = kernel // 2
        window = Window(kernel, kernel, stride, stride, Padding(pad, pad, pad, pad))
        operators.append(Operator(index, OpKind.CONV_2D, (index,), (index + 1,), Attributes(window=window)))
        height, width, _ = shapes[-1]
        shapes.append(((height - 1) // stride + 1, (width - 1) // stride + 1, draw(st.integers(1, 4))))
    tensors = {index: Tensor(index, f"t{index}", (1, *shape), "int8") for index, shape in enumerate(shapes)}
    grid = (draw(st.integers(1, shapes[-1][0])), draw(st.integers(1, shapes[-1][1])))
    return Graph("stage", tensors, tuple(operators), (0,), (len(operators),)), grid


def survives(graph: Graph, stage: PatchGeometry, ahead: int) -> bool:
    """Whether every patch still finds the pixels of the stage's input if the output starts ``ahead`` bytes
    earlier; a stage of one operator writes while it reads."""
    output = graph.outputs[0]
    written: set[int] = set()
    for patch in product(range(stage.grid[0]), range(stage.grid[1])):
        places = {}
        for tensor in (0, output):
            _, _, width, channels = graph.tensors[tensor].shape
            rows, columns = stage.rows[tensor][patch[0]], stage.columns[tensor][patch[1]]
            pixels = product(range(*rows), range(*columns))
            places[tensor] = {(y * width + x) * channels + c for y, x in pixels for c in range(channels)}
        now = {place - ahead for place in places[output]}
        if places[0] & (written | now if len(graph.operators) == 1 else written):
            return False
        written |= now
    return True


@given(stages())
@settings(max_examples=150, deadline=None)
def test_patches_are_written_over_what_no_patch_reads_any_more(drawn: tuple[Graph, tuple[int, int]]) -> None:
    graph, grid = drawn
    stage = patch_geometry(graph, graph.operators, grid)
    distance = patch_distance(graph, graph.operators, 0, stage)
    assert survives(graph, stage, distance)
    whole_rows = grid[1] == 1
    if distance > 0 and len(graph.operators) > 1 and whole_rows:
        assert not survives(graph, stage, distance - 1)
