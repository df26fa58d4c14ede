"""Tensors that name bytes of others: operators that move nothing, and plans in which they do not."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operator_networks import (
    RandomNetwork,
    Step,
    combine,
    depthwise,
    join,
    pointwise,
    random_graph,
    reshape,
    rows_apart,
    split_and_join,
    strided_slice,
    transpose,
)

from mcusim import chips
from mcusim.compiler import spatial
from mcusim.compiler.aliases import find_aliases
from mcusim.compiler.build import build
from mcusim.compiler.live_ranges import live_ranges
from mcusim.compiler.names import ARENA, location_of
from mcusim.compiler.placement import lower_bound
from mcusim.compiler.program import lower_all, make_program
from mcusim.compiler.schedule import parse_spec
from mcusim.network import executor, validate
from mcusim.network.graph import Attributes, Graph, Operator, OpKind, Quantisation, Slice, Window
from mcusim.simulate import simulate

CHIP = "stm32f412zg"
STORED = Quantisation((0.05,), (3,))

moving: st.SearchStrategy[list[Step]] = st.lists(
    st.sampled_from(
        [
            rows_apart,
            rows_apart,
            split_and_join,
            strided_slice,
            transpose,
            reshape,
            combine,
            pointwise,
            depthwise,
        ]
    ),
    min_size=1,
    max_size=6,
)


@given(number=st.integers(0, 2**32 - 1), steps=moving, spec=st.sampled_from(["layer", "stream"]))
@settings(max_examples=80, deadline=None)
def test_every_operator_finds_what_was_computed_for_it(number: int, steps: list[Step], spec: str) -> None:
    """Played with the executor's tensors: what is written where the plan says is still there when it is read,
    and at the end. Operators of a stream are checked where whole tensors enter and leave it."""
    graph = random_graph(number, steps)
    validate.check(graph)
    image = np.random.default_rng(number).integers(-128, 128, graph.tensors[0].shape, dtype=np.int8)
    wanted = executor.run(graph, [image])
    program = make_program(graph, parse_spec(spec, graph))
    arena = np.zeros(program.plan.sram_bytes, np.int8)

    def place(tensor: int) -> slice:
        symbol, offset = location_of(program, tensor)
        assert symbol == ARENA
        assert offset % 4 == 0
        return slice(offset, offset + graph.tensors[tensor].bytes)

    arena[place(graph.inputs[0])] = image.ravel()
    for position, op in enumerate(graph.operators):
        stage = program.ranges.stage_at(position)
        for tensor in spatial.activations(graph, op):
            if program.lies_whole(tensor) and (stage is None or position == stage.first):
                np.testing.assert_array_equal(arena[place(tensor)], wanted[tensor].ravel())
        for tensor in op.outputs if op.index in program.lowered else ():
            if program.lies_whole(tensor):
                arena[place(tensor)] = wanted[tensor].ravel()
    for tensor in graph.outputs:
        np.testing.assert_array_equal(arena[place(tensor)], wanted[tensor].ravel())


@dataclass(frozen=True)
class Case:
    """One operator on a tensor of ``shape``, and whether it moves nothing."""

    kind: OpKind
    shape: tuple[int, ...]
    attributes: Attributes
    outputs: tuple[tuple[int, ...], ...]
    free: bool


def taken(*slices: Slice) -> Attributes:
    return Attributes(slices=(Slice(0, 1), *slices))


CASES = {
    "reshape": Case(OpKind.RESHAPE, (1, 4, 4, 3), Attributes(), ((1, 48),), True),
    "axes of one element": Case(
        OpKind.TRANSPOSE, (1, 1, 8, 4), Attributes(permutation=(0, 2, 1, 3)), ((1, 8, 1, 4),), True
    ),
    "two axes": Case(
        OpKind.TRANSPOSE, (1, 2, 8, 4), Attributes(permutation=(0, 2, 1, 3)), ((1, 8, 2, 4),), False
    ),
    "rows": Case(OpKind.SPLIT, (1, 4, 2, 2), Attributes(axis=1), ((1, 3, 2, 2), (1, 1, 2, 2)), True),
    "rows that begin anywhere": Case(
        OpKind.SPLIT, (1, 4, 1, 3), Attributes(axis=1), ((1, 3, 1, 3), (1, 1, 1, 3)), False
    ),
    "columns of one row": Case(OpKind.SPLIT, (1, 1, 8, 4), Attributes(axis=2), ((1, 1, 4, 4),) * 2, True),
    "columns": Case(OpKind.SPLIT, (1, 2, 8, 4), Attributes(axis=2), ((1, 2, 4, 4),) * 2, False),
    "channels of one pixel": Case(OpKind.SPLIT, (1, 1, 1, 8), Attributes(axis=3), ((1, 1, 1, 4),) * 2, True),
    "some rows": Case(
        OpKind.STRIDED_SLICE,
        (1, 8, 2, 4),
        taken(Slice(3, 2), Slice(0, 2), Slice(0, 4)),
        ((1, 2, 2, 4),),
        True,
    ),
    "part of a row": Case(
        OpKind.STRIDED_SLICE,
        (1, 8, 8, 4),
        taken(Slice(3, 1), Slice(2, 5), Slice(0, 4)),
        ((1, 1, 5, 4),),
        True,
    ),
    "every other row": Case(
        OpKind.STRIDED_SLICE,
        (1, 8, 2, 4),
        taken(Slice(0, 4, 2), Slice(0, 2), Slice(0, 4)),
        ((1, 4, 2, 4),),
        False,
    ),
    "rows upside down": Case(
        OpKind.STRIDED_SLICE,
        (1, 8, 2, 4),
        taken(Slice(7, 8, -1), Slice(0, 2), Slice(0, 4)),
        ((1, 8, 2, 4),),
        False,
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_operators_that_leave_bytes_where_they_are_are_free(case: Case) -> None:
    net = RandomNetwork(random.Random(1))
    x = net.activation(case.shape, STORED)
    outputs = tuple(net.activation(shape, STORED) for shape in case.outputs)
    op = Operator(0, case.kind, (x,), outputs, case.attributes)
    graph = Graph("one", net.tensors, (op,), (x,), outputs)
    validate.check(graph)
    aliases = find_aliases(graph)
    assert aliases.free == ({0} if case.free else set())
    assert all(aliases.roots[output] == (x if case.free else output) for output in outputs)
    assert find_aliases(graph, frozenset({0})).free == set()


def head(net: RandomNetwork, x: int) -> int:
    """A convolution to twice the channels."""
    shape = net.shape(x)
    weights = (2 * shape[3], 1, 1, shape[3])
    y = net.weighted(OpKind.CONV_2D, x, weights, (*shape[:3], weights[0]), 0, Attributes(window=Window(1, 1)))
    return net.apply(OpKind.QUANTIZE, [y], net.shape(y), None, STORED)


def two_heads() -> tuple[RandomNetwork, int, list[int]]:
    """A small image and two heads, each of twice the bytes of the image."""
    net = RandomNetwork(random.Random(5))
    x = net.activation((1, 8, 8, 4), STORED)
    return net, x, [head(net, x), head(net, x)]


def test_heads_are_made_where_they_are_joined(tmp_path: Path) -> None:
    """The image and the joined heads, where copying holds the heads twice; as the plan says so it runs."""
    net, x, parts = two_heads()
    join(net, parts)
    graph = net.graph(x)
    schedule = parse_spec("layer", graph)
    plan = make_program(graph, schedule).plan
    concatenation = graph.operators[-1].index
    assert plan.free == (concatenation,)
    scratch = max(each.bytes for each in plan.scratch)
    assert plan.lower_bound_bytes <= plan.sram_bytes == 256 + 2 * 512 + scratch
    assert lower_bound(live_ranges(graph, schedule, copied=frozenset({concatenation}))) == 4 * 512
    image = np.random.default_rng(0).integers(-128, 128, (1, 8, 8, 4), dtype=np.int8)
    built = build(graph, schedule, chips.load(CHIP), out=tmp_path / "heads.elf")
    result = simulate(built.elf, CHIP, inputs=[image], capture=True)
    (output,) = executor.outputs(graph, [image])
    np.testing.assert_array_equal(result.outputs[0][0], output)
    assert concatenation not in result.captured


def test_a_concatenation_that_cannot_hold_its_inputs_copies_them() -> None:
    """A tensor twice, a tensor that another concatenation holds, the image, and a part of another tensor."""
    net, x, (first, second) = two_heads()
    third = net.apply(OpKind.QUANTIZE, [second], net.shape(second), None, STORED)
    piece, _ = net.split(net.apply(OpKind.QUANTIZE, [second], net.shape(second), None, STORED), 1, [4, 4])
    wide = net.keep(OpKind.RESHAPE, x, (1, 4, 8, 8), Attributes())
    joined = [join(net, parts) for parts in ([first, second], [third, third], [second, first], [third, wide])]
    joined.append(join(net, [third, piece]))
    graph = net.graph(x)
    validate.check(graph)
    aliases = find_aliases(graph)
    makers = {op.outputs[0]: op.index for op in graph.operators}
    assert [makers[tensor] in aliases.free for tensor in joined] == [True, False, False, False, False]
    assert aliases.roots[first] == aliases.roots[second] == joined[0]
    assert (aliases.shift(first), aliases.shift(second)) == (0, 512)


def test_parts_are_copied_where_keeping_the_whole_alive_would_cost_more() -> None:
    """One of two halves is needed only in the end, and between there is a step that is fuller without the
    other."""
    net = RandomNetwork(random.Random(3))
    x = net.activation((1, 16, 4, 4), STORED)
    start = net.apply(OpKind.QUANTIZE, [x], net.shape(x), None, STORED)
    kept, used = net.split(start, 1, [8, 8])
    y = used
    for _ in range(2):
        y = head(net, y)
    weights = (4, 1, 1, net.shape(y)[3])
    y = net.weighted(OpKind.CONV_2D, y, weights, net.shape(kept), 0, Attributes(window=Window(1, 1)))
    net.apply(OpKind.ADD, [kept, y], net.shape(kept), None, STORED)
    graph = net.graph(x)
    schedule = parse_spec("layer", graph)
    split = next(op.index for op in graph.operators if op.kind is OpKind.SPLIT)
    plan = make_program(graph, schedule).plan
    assert split not in plan.free
    assert plan.lower_bound_bytes < lower_bound(live_ranges(graph, schedule, lowered=lower_all(graph)))


def test_an_operator_of_two_parts_of_a_tensor_writes_over_neither() -> None:
    """The rows of two overlapping slices: a sum in place of the first or the second would be read as the
    other's operand."""
    net = RandomNetwork(random.Random(2))
    x = net.activation((1, 8, 2, 4), STORED)
    parts = [
        net.keep(OpKind.STRIDED_SLICE, x, (1, 6, 2, 4), taken(Slice(first, 6), Slice(0, 2), Slice(0, 4)))
        for first in (0, 2)
    ]
    net.apply(OpKind.ADD, parts, (1, 6, 2, 4), None, STORED)
    graph = net.graph(x)
    ranges = live_ranges(graph, parse_spec("layer", graph), lowered=lower_all(graph))
    assert len(ranges.aliases.free) == 2
    assert ranges.overlaps == ()


def test_an_operator_runs_in_place_in_part_of_a_tensor() -> None:
    """The second half dies with its whole: what is made of it lies on it, not on the first."""
    net = RandomNetwork(random.Random(2))
    x = net.activation((1, 8, 2, 4), STORED)
    _, second = net.split(x, 1, [4, 4])
    net.apply(OpKind.LOGISTIC, [second], net.shape(second))
    graph = replace(net.graph(x), outputs=(net.operators[-1].outputs[0],))
    program = make_program(graph, parse_spec("layer", graph))
    assert program.plan.arena_bytes == 64
    assert location_of(program, graph.outputs[0]) == (ARENA, 32)
