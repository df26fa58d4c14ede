"""Tensors that move between two stages: what they save, and that the firmware still computes the same."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import pytest
from host_kernels import McuRows, library
from hypothesis import given, settings
from hypothesis import strategies as st
from moved import tensors_left

from mcusim import chips, network
from mcusim.compiler import planner, schedule
from mcusim.compiler.build import build
from mcusim.compiler.moves import places_for_moves, with_moves
from mcusim.compiler.program import make_program
from mcusim.compiler.schedule import Schedule, Stage
from mcusim.network import executor
from mcusim.network.graph import Graph, OpKind
from mcusim.simulate import simulate

CHIP = "stm32f412zg"


@pytest.fixture(scope="module")
def graph() -> Graph:
    return network.load("zoo:mobilenet_v1?width=0.25&resolution=64")


@pytest.fixture(scope="module")
def staged(graph: Graph) -> Schedule:
    """A stream that wants its input elsewhere than the operators before it."""
    stages = (
        Stage(first=0, last=1, mode="op"),
        Stage(first=2, last=3, mode="stream"),
        Stage(first=4, last=graph.operators[-1].index, mode="op"),
    )
    return Schedule(name="staged", input_in="flash", stages=stages)


def picture(graph: Graph) -> np.ndarray:
    shape = graph.tensors[graph.inputs[0]].shape
    return np.random.default_rng(0).integers(-128, 128, shape, dtype=np.int8)


def test_moves_change_no_value(graph: Graph, staged: Schedule) -> None:
    places = places_for_moves(graph, staged)
    assert places == {2: graph.operators[1].outputs[0], 4: graph.operators[3].outputs[0]}
    moved, stages = with_moves(graph, staged, places)
    schedule.validate(stages, moved)
    assert [op.index for op in moved.operators if op.kind is OpKind.MOVE] == [102, 104]
    wanted, found = (executor.outputs(each, [picture(graph)]) for each in (graph, moved))
    np.testing.assert_array_equal(wanted[0], found[0])


def test_a_move_reaches_what_the_fullest_step_needs(
    graph: Graph, staged: Schedule, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = make_program(graph, staged)
    assert moved.plan.sram_bytes == moved.plan.lower_bound_bytes
    assert [op.index for op in moved.graph.operators if op.kind is OpKind.MOVE] == [104]
    monkeypatch.setattr(planner, "WORTH_MOVES", 1.0)
    still = make_program(graph, staged)
    assert still.plan.sram_bytes > moved.plan.sram_bytes * 1.01
    assert still.graph.operators == graph.operators


def test_nothing_moves_for_less_than_it_is_worth(graph: Graph) -> None:
    program = make_program(graph, schedule.layer_schedule(graph))
    assert program.graph.operators == graph.operators


def test_firmware_with_a_move_equals_the_executor(graph: Graph, staged: Schedule, tmp_path: Path) -> None:
    image = picture(graph)
    wanted = executor.run(graph, [image])
    built = build(graph, staged, chips.load(CHIP), out=tmp_path / "network.elf")
    result = simulate(built.elf, CHIP, inputs=[image], capture=True)
    assert result.error is None
    left = tensors_left(graph, result.trace.layers)
    assert left[104] == graph.operators[3].outputs[0]
    for index, content in result.captured.items():
        assert content == wanted[left[index]].tobytes(), f"operator {index}"
    assert 104 in result.captured
    assert result.trace.memory.arena_high_water_bytes == built.plan.arena_bytes
    (move,) = [layer for layer in result.trace.layers if layer.op == "MOVE"]
    assert move.macs == 0
    assert move.cycles < 1.25 * wanted[left[104]].nbytes


@given(st.integers(1, 70), st.integers(-30, 30), st.integers(0, 2**32 - 1))
@settings(max_examples=200, deadline=None)
def test_a_tensor_may_move_over_itself(size: int, words: int, seed: int) -> None:
    memory = np.random.default_rng(seed).integers(-128, 128, 4 * 100, dtype=np.int8)
    source, target = 4 * 40, 4 * (40 + words)
    wanted = memory.copy()
    wanted[target : target + size] = memory[source : source + size]
    pointers = [(ctypes.c_void_p * 1)(memory.ctypes.data + offset) for offset in (source, target)]
    rows = McuRows(in_=ctypes.addressof(pointers[0]), out=ctypes.addressof(pointers[1]), rows=1)
    library().mcu_shift(ctypes.byref(ctypes.c_int32(size)), ctypes.byref(rows))
    np.testing.assert_array_equal(memory, wanted)
