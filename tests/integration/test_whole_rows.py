"""Depthwise convolutions whose calls read all columns first, so that outputs may lie on what they read."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from operator_networks import RandomNetwork

from mcusim import chips
from mcusim.compiler.build import build
from mcusim.compiler.program import make_program
from mcusim.compiler.schedule import Schedule, Stage
from mcusim.compiler.stages import StreamStage
from mcusim.network import executor
from mcusim.network.graph import Attributes, Graph, OpKind, Padding, Window
from mcusim.simulate import simulate

CHIP = "stm32f412zg"


def pointwise(net: RandomNetwork, x: int, outputs: int) -> int:
    _, height, width, channels = net.shape(x)
    attributes = Attributes(window=Window(1, 1))
    shape = (1, height, width, outputs)
    return net.weighted(OpKind.CONV_2D, x, (outputs, 1, 1, channels), shape, 0, attributes)


def depthwise(net: RandomNetwork, x: int, size: int) -> int:
    pad = size // 2
    attributes = Attributes(window=Window(size, size, 1, 1, Padding(pad, pad, pad, pad)))
    weights = (1, size, size, net.shape(x)[3])
    return net.weighted(OpKind.DEPTHWISE_CONV_2D, x, weights, net.shape(x), 3, attributes)


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
