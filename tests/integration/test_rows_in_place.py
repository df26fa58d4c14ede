"""Outputs that lie on what the same call reads: depthwise convolutions, and means of every row."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from operator_networks import RandomNetwork

from mcusim import chips
from mcusim.compiler.build import build
from mcusim.compiler.in_place import SharedRing
from mcusim.compiler.program import make_program
from mcusim.compiler.schedule import Schedule, Stage
from mcusim.compiler.stages import StreamStage
from mcusim.network import executor
from mcusim.network.geometry import window_output
from mcusim.network.graph import Attributes, Graph, OpKind, Padding, Window
from mcusim.simulate import simulate

CHIP = "stm32f412zg"


def pointwise(net: RandomNetwork, x: int, outputs: int) -> int:
    _, height, width, channels = net.shape(x)
    attributes = Attributes(window=Window(1, 1))
    shape = (1, height, width, outputs)
    return net.weighted(OpKind.CONV_2D, x, (outputs, 1, 1, channels), shape, 0, attributes)


def depthwise(net: RandomNetwork, x: int, size: int, stride: int = 1) -> int:
    pad, (_, height, width, channels) = size // 2, net.shape(x)
    window = Window(size, size, stride, stride, Padding(pad, pad, pad, pad))
    shape = (1, *window_output(height, width, window), channels)
    attributes = Attributes(window=window)
    return net.weighted(OpKind.DEPTHWISE_CONV_2D, x, (1, size, size, channels), shape, 3, attributes)


def run_in_planned_arena(graph: Graph, schedule: Schedule, folder: Path) -> None:
    """The firmware computes what the executor does, and its arena is filled to the planned byte."""
    shape = graph.tensors[graph.inputs[0]].shape
    image = np.random.default_rng(0).integers(-128, 128, shape, dtype=np.int8)
    built = build(graph, schedule, chips.load(CHIP), out=folder / "network.elf")
    result = simulate(built.elf, CHIP, inputs=[image], capture=True)
    assert result.error is None
    wanted = executor.run(graph, [image])
    for op in graph.operators:
        if op.index in result.captured:
            assert result.captured[op.index] == wanted[op.outputs[0]].tobytes(), f"operator {op.index}"
    assert result.captured[graph.operators[-1].index] == wanted[graph.outputs[0]].tobytes()
    assert result.trace.memory.arena_high_water_bytes == built.plan.arena_bytes


@pytest.mark.parametrize(("size", "extent"), [(5, (14, 14)), (7, (14, 13)), (5, (18, 15)), (7, (3, 9))])
def test_all_of_a_small_map_is_made_on_its_input(size: int, extent: tuple[int, int], tmp_path: Path) -> None:
    net = RandomNetwork(random.Random(size))
    first = net.activation((1, *extent, 120))
    depthwise(net, first, size)
    graph = net.graph(first)
    schedule = Schedule(name="layer", input_in="sram", stages=(Stage(first=0, last=0, mode="op"),))
    program = make_program(graph, schedule)
    assert program.lowered[0].rows_per_call == program.rows_per_call(graph.operators[0]) == extent[0]
    scratch = program.lowered[0].scratch_bytes(extent[1], extent[1])
    assert program.plan.arena_bytes == -(-graph.tensors[first].bytes // 4) * 4 + scratch
    run_in_planned_arena(graph, schedule, tmp_path)


def test_a_map_with_more_rows_than_a_call_takes_needs_rows_between(tmp_path: Path) -> None:
    net = RandomNetwork(random.Random(1))
    first = net.activation((1, 19, 9, 120))
    depthwise(net, first, 5)
    graph = net.graph(first)
    schedule = Schedule(name="layer", input_in="sram", stages=(Stage(first=0, last=0, mode="op"),))
    assert make_program(graph, schedule).lowered[0].rows_per_call <= 8
    run_in_planned_arena(graph, schedule, tmp_path)


@pytest.mark.parametrize("chunk", [1, 2])
@pytest.mark.parametrize(("channels", "spared"), [(120, True), (16, False)])
def test_a_stream_takes_whole_rows_where_columns_cost_more(
    channels: int, spared: bool, chunk: int, tmp_path: Path
) -> None:
    """Two columns of every ring row, or a scratch for a strip as wide as the row."""
    net = RandomNetwork(random.Random(2))
    first = net.activation((1, 12, 28, 16))
    expanded = pointwise(net, first, channels)
    made = depthwise(net, expanded, 5)
    pointwise(net, made, 16)
    graph = net.graph(first)
    stages = (Stage(first=0, last=2, mode="stream", chunk=chunk),)
    schedule = Schedule(name="stream", input_in="flash", stages=stages)
    program = make_program(graph, schedule)
    stage = program.ranges.stages[0]
    assert isinstance(stage, StreamStage)
    assert stage.shared[made].whole_rows == spared
    assert stage.spare(expanded) == (0 if spared else 2)
    assert program.lowered[1].grouped_columns >= 28 or not spared
    run_in_planned_arena(graph, schedule, tmp_path)


@pytest.mark.parametrize("chunk", [1, 2])
@pytest.mark.parametrize(("size", "extent"), [(3, (13, 60)), (3, (12, 9)), (5, (11, 28)), (7, (15, 14))])
def test_rows_of_stride_2_lie_on_every_other_row(
    size: int, extent: tuple[int, int], chunk: int, tmp_path: Path
) -> None:
    """In the ring of what is expanded, whose rows are an odd number, also in two bands."""
    net = RandomNetwork(random.Random(size))
    first = net.activation((1, *extent, 8))
    expanded = pointwise(net, first, 24)
    made = depthwise(net, expanded, size, 2)
    pointwise(net, made, 12)
    graph = net.graph(first)
    for bands in (1, 2):
        stages = (Stage(first=0, last=2, mode="bands", bands=bands, chunk=chunk),)
        if bands == 1:
            stages = (Stage(first=0, last=2, mode="stream", chunk=chunk),)
        schedule = Schedule(name="stream", input_in="flash", stages=stages)
        stage = make_program(graph, schedule).ranges.stages[0]
        assert isinstance(stage, StreamStage)
        assert stage.shared[made] == SharedRing(expanded, size // 2, 0, shift=1)
        assert stage.rings[expanded] % 2 == 1
        run_in_planned_arena(graph, schedule, tmp_path)


@pytest.mark.parametrize("stride", [1, 2])
def test_the_mean_of_a_row_lies_on_its_first_pixel(stride: int, tmp_path: Path) -> None:
    net = RandomNetwork(random.Random(stride))
    first = net.activation((1, 11, 13, 8))
    expanded = pointwise(net, first, 28)
    made = depthwise(net, expanded, 5, stride)
    _, height, _, channels = net.shape(made)
    means = net.keep(OpKind.MEAN, made, (1, height, 1, channels), Attributes(axes=(2,)))
    net.keep(OpKind.MEAN, means, (1, 1, 1, channels), Attributes(axes=(1,)))
    graph = net.graph(first)
    schedule = Schedule(name="stream", input_in="flash", stages=(Stage(first=0, last=3, mode="stream"),))
    stage = make_program(graph, schedule).ranges.stages[0]
    assert isinstance(stage, StreamStage)
    assert stage.shared[means] == SharedRing(expanded, 2, 0, shift=stride - 1)
    assert stage.rings[means] == 1
    run_in_planned_arena(graph, schedule, tmp_path)
