"""Depthwise convolutions that write over their input's ring, against a ring played pixel by pixel."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mcusim import network
from mcusim.compiler import rows, spatial
from mcusim.compiler.in_place import SharedRing, shared_rings
from mcusim.compiler.lowering.types import LoweredOp, pixelwise
from mcusim.compiler.names import location_of
from mcusim.compiler.partition import find_pieces
from mcusim.compiler.patches import PatchGeometry, patch_geometry
from mcusim.compiler.placement import step_bytes
from mcusim.compiler.program import lower_all, make_program
from mcusim.compiler.schedule import parse_spec
from mcusim.compiler.stages import StreamStage
from mcusim.network.graph import Attributes, Graph, Operator, OpKind, Padding, Tensor, Window

DEPTHWISE = 1
SOURCE, TARGET = 1, 2
POINT = Window(1, 1)


@dataclass(frozen=True)
class Case:
    """A block of expansion, depthwise convolution and projection, with another window behind them."""

    graph: Graph
    geometry: PatchGeometry
    chunk: int
    columns_at_once: int
    has_whole_rows: bool = False

    @property
    def lowered(self) -> dict[int, LoweredOp]:
        kernel = replace(pixelwise("kernel", "{}"), grouped_columns=self.columns_at_once)
        at_once = replace(kernel, grouped_columns=1000)
        return {DEPTHWISE: replace(kernel, whole_rows=(lambda _: at_once) if self.has_whole_rows else None)}

    def shared(self) -> SharedRing | None:
        return shared_rings(self.graph, (0, 3), self.chunk, self.geometry, self.lowered).get(TARGET)


def case_of(
    extent: tuple[int, int], window: Window, stride: int, calls: tuple[int, int], bands: int = 1
) -> Case:
    """``calls``: rows and columns that are made at once."""
    made = made_of(extent, window)
    last = Window(1, 1, stride, stride)
    kinds = (OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D, OpKind.CONV_2D, OpKind.MAX_POOL_2D)
    windows = (POINT, window, POINT, last)
    extents = (extent, extent, made, made, (-(-made[0] // stride), -(-made[1] // stride)))
    graph = Graph(
        "block",
        {index: Tensor(index, f"t{index}", (1, *each, 4), "int8") for index, each in enumerate(extents)},
        tuple(
            Operator(index, kind, (index,), (index + 1,), Attributes(window=each))
            for index, (kind, each) in enumerate(zip(kinds, windows, strict=True))
        ),
        (0,),
        (4,),
    )
    geometry = patch_geometry(graph, graph.operators, (1, min(bands, extents[4][1])))
    return Case(graph, geometry, *calls)


def made_of(extent: tuple[int, int], window: Window) -> tuple[int, int]:
    """Rows and columns of the depthwise convolution's output."""
    padding = window.padding
    height = (extent[0] + padding.top + padding.bottom - window.kernel_h) // window.stride_h + 1
    return height, (extent[1] + padding.left + padding.right - window.kernel_w) // window.stride_w + 1


@st.composite
def cases(draw: st.DrawFn) -> Case:
    size, height, width = (draw(st.integers(1, most)) for most in (5, 12, 20))
    pads = [draw(st.integers(0, size - 1)) for _ in range(4)]
    strides = draw(st.sampled_from([(1, 1), (2, 2), (2, 1), (1, 2)]))
    window = Window(size, size, *strides, Padding(*pads))
    assume(min(made_of((height, width), window)) > 0)
    calls = draw(st.integers(1, 2)), draw(st.integers(1, 24))
    case = case_of((height, width), window, draw(st.integers(1, 2)), calls, draw(st.integers(1, 3)))
    return replace(case, has_whole_rows=draw(st.booleans()))


class Played:
    """One band of a case, pixel by pixel: which pixel of which tensor each place holds."""

    def __init__(self, case: Case, ring: SharedRing, band: int) -> None:
        self._case, self._ring = case, ring
        self._columns = {tensor: case.geometry.columns[tensor][band] for tensor in (SOURCE, TARGET)}
        self._capacity = rows.ring_rows(case.graph, 0, case.chunk) or 0
        self._memory: dict[int, tuple[int, int, int]] = {}
        self.survives = all(
            self._makes(case.graph.operators[call.step], range(call.first, call.end))
            for call in rows.pull(case.graph, case.graph.operators, case.chunk)
        )

    def _makes(self, op: Operator, made: range) -> bool:
        if op.index == 0:
            self._write(SOURCE, made, self._span(SOURCE))
        if op.index == DEPTHWISE:
            span = self._span(TARGET)
            starts = range(span.start, span.stop, self._columns_at_once)
            return all(self._convolves(made, span[x - span.start :]) for x in starts)
        return op.index != TARGET or self._holds(TARGET, made, self._span(TARGET))

    def _convolves(self, made: range, rest: range) -> bool:
        """As many columns as are made at once, if all that they are made of is there."""
        window = spatial.window_of(self._case.graph.operators[DEPTHWISE])
        strip = rest[: self._columns_at_once]
        span = self._span(SOURCE)
        top, left = (made.start * window.stride_h, strip.start * window.stride_w)
        bottom, right = ((made.stop - 1) * window.stride_h, (strip.stop - 1) * window.stride_w)
        above, before = window.padding.top, window.padding.left
        taps = range(max(0, top - above), min(bottom - above + window.kernel_h, self._height(SOURCE)))
        columns = range(max(span.start, left - before), min(right - before + window.kernel_w, span.stop))
        holds = self._holds(SOURCE, taps, columns)
        self._write(TARGET, made, strip)
        return holds

    def _holds(self, tensor: int, made: range, columns: range) -> bool:
        wanted = ((tensor, y, x) for y in made for x in columns)
        return all(self._memory.get(self._place(*pixel)) == pixel for pixel in wanted)

    def _write(self, tensor: int, made: range, columns: range) -> None:
        self._memory.update({self._place(tensor, y, x): (tensor, y, x) for y in made for x in columns})

    def _place(self, tensor: int, row: int, column: int) -> int:
        pitch, x = len(self._span(SOURCE)) + self._ring.spare, column - self._span(tensor).start
        if tensor == SOURCE:
            return row % self._capacity * pitch + self._ring.spare + x
        return ((row << self._ring.shift) - self._ring.lag) % self._capacity * pitch + x

    @property
    def _columns_at_once(self) -> int:
        return 1000 if self._ring.whole_rows else self._case.columns_at_once

    def _span(self, tensor: int) -> range:
        return range(self._columns[tensor].first, self._columns[tensor].end)

    def _height(self, tensor: int) -> int:
        return rows.height(self._case.graph, tensor)


@given(cases())
@settings(max_examples=150, deadline=None)
def test_no_row_is_written_over_one_that_is_still_read(case: Case) -> None:
    ring = case.shared()
    for band in range(case.geometry.grid[1]):
        assert ring is None or Played(case, ring, band).survives


@pytest.mark.parametrize(("columns_at_once", "spare"), [(12, 0), (11, 1)])
def test_rows_wider_than_a_strip_need_a_column_more(columns_at_once: int, spare: int) -> None:
    """What is left of a strip is needed by the next one; the ring is as deep as it must be, too."""
    case = case_of((9, 12), Window(3, 3, 1, 1, Padding(1, 1, 1, 1)), 1, (2, columns_at_once))
    ring = case.shared()
    assert ring == SharedRing(SOURCE, lag=1, spare=spare)
    assert Played(case, ring, 0).survives
    assert not Played(case, replace(ring, lag=0), 0).survives
    assert Played(case, replace(ring, spare=0), 0).survives == (spare == 0)


def test_whole_rows_need_no_column_more() -> None:
    case = replace(case_of((9, 12), Window(3, 3, 1, 1, Padding(1, 1, 1, 1)), 1, (2, 11)), has_whole_rows=True)
    ring = case.shared()
    assert ring == SharedRing(SOURCE, lag=1, spare=0, whole_rows=True)
    assert Played(case, ring, 0).survives
    assert not Played(case, replace(ring, whole_rows=False), 0).survives


def test_blocks_share_their_rings() -> None:
    """Every inverted residual that is streamed as a whole; and its projection, unless it is of stride 2 and
    added to a later row."""
    graph = network.load("zoo:mobilenet_v2?width=0.35&resolution=96&classes=10")
    program = make_program(graph, parse_spec("bands:2@9", graph, "flash"))
    stage = program.ranges.stages[0]
    assert isinstance(stage, StreamStage)
    depthwise = [op for op in graph.operators[:10] if op.kind is OpKind.DEPTHWISE_CONV_2D]
    strides = {op.outputs[0]: spatial.window_of(op).stride_h for op in depthwise}
    inplace = {tensor: ring for tensor, ring in stage.shared.items() if tensor in strides}
    assert {tensor: ring.shift + 1 for tensor, ring in inplace.items()} == strides
    projected = {
        op.outputs[0]: inplace[op.inputs[0]] for op in graph.operators[:10] if op.inputs[0] in inplace
    }
    once = {
        t
        for t, ring in projected.items()
        if ring.shift == 0 or sum(t in op.inputs for op in graph.operators) == 1
    }
    assert once == projected.keys() & stage.shared.keys()
    for tensor, ring in inplace.items():
        assert location_of(program, tensor) == location_of(program, ring.source)
        strip = program.lowered[depthwise[0].index].grouped_columns
        widest = max(span.size for span in stage.geometry.columns[tensor])
        assert stage.spare(ring.source) == (1 if widest > strip and strides[tensor] == 1 else 0)
    own = sum(stage.buffer_bytes(graph, tensor) for tensor in stage.rings)
    assert stage.ring_bytes(graph) < own


def test_nothing_is_shared_that_is_read_elsewhere_or_not_in_rows() -> None:
    """The whole input of a stage is no ring; what kernels do is known of kernels only."""
    graph = network.load("zoo:mobilenet_v2?width=0.35&resolution=96&classes=10")
    geometry = patch_geometry(graph, graph.operators[:10], (1, 1))
    assert shared_rings(graph, (0, 9), 1, geometry, {}) == {}
    found = shared_rings(graph, (0, 9), 1, geometry, lower_all(graph))
    later = shared_rings(graph, (1, 9), 1, geometry, lower_all(graph))
    first = graph.operators[1].outputs[0]
    assert first in found
    assert found.keys() - later.keys() == {first}


def gated_block(reader: Window, *, twice: bool = False) -> Graph:
    """Expansion, depthwise convolution, product with one pixel, projection, and another window; ``twice``:
    what is projected is read again."""
    extents = [(9, 8, 4), (9, 8, 12), (9, 8, 12), (9, 8, 12), (9, 8, 4), (9, 8, 4)]
    tensors = {index: Tensor(index, f"t{index}", (1, *each), "int8") for index, each in enumerate(extents)}
    tensors |= {6: Tensor(6, "gate", (1, 1, 1, 12), "int8"), 7: Tensor(7, "again", (1, 9, 8, 12), "int8")}
    window = Window(3, 3, 1, 1, Padding(1, 1, 1, 1))
    operators = (
        Operator(0, OpKind.CONV_2D, (0,), (1,), Attributes(window=POINT)),
        Operator(1, OpKind.DEPTHWISE_CONV_2D, (1,), (2,), Attributes(window=window)),
        Operator(2, OpKind.MUL, (2, 6), (3,)),
        Operator(3, OpKind.CONV_2D, (3,), (4,), Attributes(window=POINT)),
        Operator(4, OpKind.CONV_2D, (4,), (5,), Attributes(window=reader)),
        *([Operator(5, OpKind.ADD, (3, 3), (7,))] if twice else []),
    )
    return Graph("gated", tensors, operators, (0, 6), (5, 7) if twice else (5,))


def lags(graph: Graph) -> dict[int, tuple[int, int]]:
    kernels = {
        1: replace(pixelwise("depthwise", "{}"), grouped_columns=8),
        2: pixelwise("product", "{}"),
        3: replace(pixelwise("pointwise", "{}"), pixels_at_once=2),
    }
    geometry = patch_geometry(graph, graph.operators[:5], (1, 1))
    found = shared_rings(graph, (0, 4), 1, geometry, kernels)
    return {tensor: (ring.source, ring.lag) for tensor, ring in found.items()}


def test_products_and_projections_follow_in_the_same_ring() -> None:
    assert lags(gated_block(POINT)) == {2: (1, 1), 3: (1, 1), 4: (1, 1)}


def test_a_ring_whose_reader_pads_rows_lies_alone() -> None:
    """There is no row of padding between the rows of another ring."""
    padded = Window(3, 3, 1, 1, Padding(1, 1, 1, 1))
    assert lags(gated_block(padded)) == {2: (1, 1), 3: (1, 1)}


def test_what_is_read_again_is_not_written_over() -> None:
    assert 4 not in lags(gated_block(POINT, twice=True))


@pytest.mark.parametrize("spec", ["stream", "bands:2@9"])
def test_the_search_knows_what_is_shared(spec: str) -> None:
    """Stages that share rings need as many bytes as the search says."""
    graph = network.load("zoo:mobilenet_v2?width=0.35&resolution=96&classes=10")
    found = find_pieces(graph, "flash", bands=(2,), lowered=lower_all(graph))
    plain = [piece for piece in found if not piece.channels]
    sizes = {(piece.first, piece.last, piece.chunk, piece.bands): piece.bytes for piece in plain}
    ranges = make_program(graph, parse_spec(spec, graph, "flash")).ranges
    streams = [stage for stage in ranges.stages if isinstance(stage, StreamStage)]
    known = [stage for stage in streams if (stage.first, stage.last, stage.chunk, stage.bands) in sizes]
    assert any(stage.shared for stage in known)
    for stage in known:
        needed = max(step_bytes(ranges, step) for step in range(stage.first, stage.last + 1))
        assert needed == sizes[stage.first, stage.last, stage.chunk, stage.bands]
