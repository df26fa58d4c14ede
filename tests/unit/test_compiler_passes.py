"""Two passes over squeeze-excite blocks: what they compute, what they cost, and where they cannot be."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import numpy as np
import pytest
import squeeze_excite
from squeeze_excite import block_ends, gated, squeeze

from mcusim.cli.schedule_drawing import drawing_of
from mcusim.compiler import partition, passes, schedule
from mcusim.compiler.analysis import schedule_macs
from mcusim.compiler.memory_plan import plan_memory
from mcusim.compiler.program import lower_all, make_program
from mcusim.compiler.schedule import Mode, Schedule, Stage
from mcusim.errors import ScheduleError
from mcusim.network import executor, geometry
from mcusim.network.graph import Activation, Graph, OpKind
from mcusim.network.zoo.builder import Builder


def staged(graph: Graph, first: int, last: int, mode: Mode = "se2", bands: int = 1) -> Schedule:
    """One stage, operator by operator before and behind it."""
    end = graph.operators[-1].index
    ahead = (Stage(first=0, last=first - 1, mode="op"),) if first else ()
    behind = (Stage(first=last + 1, last=end, mode="op"),) if last < end else ()
    return Schedule(name="", stages=(*ahead, Stage(first=first, last=last, mode=mode, bands=bands), *behind))


def picture(graph: Graph, seed: int = 0) -> np.ndarray:
    shape = graph.tensors[graph.inputs[0]].shape
    return np.random.default_rng(seed).integers(-128, 128, shape, dtype=np.int8)


@pytest.mark.parametrize("gates", [1, 2])
@pytest.mark.parametrize("seed", range(6))
def test_passes_compute_what_the_network_computes(seed: int, gates: int) -> None:
    graph = squeeze_excite.network(seed)
    unfolded, streams = passes.unfold(graph, staged(graph, 0, block_ends(graph)[gates - 1]))
    schedule.validate(streams, unfolded)
    image = picture(graph, seed)
    wanted, found = executor.run(graph, [image]), executor.run(unfolded, [image])
    for tensor, content in wanted.items():
        np.testing.assert_array_equal(found[tensor], content)
    copies = [op for op in unfolded.operators if op.copy_of is not None]
    assert len({op.index for op in unfolded.operators}) == len(graph.operators) + len(copies)


@pytest.mark.parametrize("seed", range(3))
def test_what_leads_to_the_mean_is_computed_twice(seed: int) -> None:
    graph = squeeze_excite.network(seed, blocks=1)
    multiply = next(op for op in graph.operators if op.kind is OpKind.MUL)
    twice = [op for op in graph.operators if op.index < multiply.index - 2]
    leading = sum(geometry.macs(graph, op) for op in twice if op.kind is not OpKind.MEAN)
    counted = schedule_macs(graph, staged(graph, 0, block_ends(graph)[0]))
    assert counted == geometry.total_macs(graph) + leading


def test_a_block_of_a_wide_tensor_needs_less() -> None:
    net = Builder("wide", "wide")
    x = net.conv(net.image_input(24, 24, 3), 8, (3, 3))
    y = gated(net, net.depthwise(net.conv(x, 48, activation=Activation.RELU6), 3), "axis by axis")
    graph = net.graph(net.add(x, net.conv(y, 8)))
    two_passes = staged(graph, 1, graph.operators[-1].index)
    assert plan_memory(graph, two_passes).arena_bytes < 24 * 24 * (8 + 48) // 2


def test_a_stage_is_kept_in_a_file(tmp_path: Path) -> None:
    graph = squeeze_excite.network(0)
    given = staged(graph, 0, block_ends(graph)[0], bands=2)
    path = tmp_path / "passes.json"
    path.write_bytes(schedule.dump(given))
    assert schedule.parse_spec(str(path), graph) == given


@pytest.mark.parametrize("mode", ["stream", "bands", "patch"])
def test_a_gate_stops_stages_of_one_pass(mode: Mode) -> None:
    graph = squeeze_excite.network(1)
    with pytest.raises(ScheduleError):
        plan_memory(graph, checked(graph, staged(graph, 0, block_ends(graph)[0], mode)))


def checked(graph: Graph, given: Schedule) -> Schedule:
    schedule.validate(given, graph)
    return given


def test_a_stage_without_a_gate_needs_one_pass() -> None:
    graph = squeeze_excite.network(0)
    with pytest.raises(ScheduleError, match="operators 0 to 1 make and use no gate: one pass is enough"):
        checked(graph, staged(graph, 0, 1))


def test_a_gate_that_is_no_mean_of_the_stage_is_refused() -> None:
    graph = squeeze_excite.network(0)
    mean = next(op for op in graph.operators if op.kind in (OpKind.MEAN, OpKind.AVERAGE_POOL_2D))
    with pytest.raises(ScheduleError, match="is not computed from the mean of one tensor of the stage"):
        checked(graph, staged(graph, mean.index, block_ends(graph)[0]))


def test_a_tensor_that_is_needed_later_ends_no_stage() -> None:
    net = Builder("kept", "kept")
    x = net.conv(net.image_input(9, 9, 3), 4)
    y = net.conv(x, 8, activation=Activation.RELU6)
    z = net.conv(gated(net, y, "at once"), 8)
    graph = net.graph(net.add(net.conv(z, 8), y))
    with pytest.raises(ScheduleError, match="2 tensors are live behind operator 6"):
        checked(graph, staged(graph, 0, 6))


@pytest.mark.parametrize("how", ["axis by axis", "at once", "pool"])
def test_a_mean_ends_a_stream(how: squeeze_excite.Squeeze) -> None:
    net = Builder("mean", "mean")
    x = net.depthwise(net.conv(net.image_input(12, 10, 3), 8, (3, 3)), 3)
    graph = net.graph(squeeze(net, x, how))
    stream = staged(graph, 0, graph.operators[-1].index, "stream")
    with_means = plan_memory(graph, checked(graph, stream)).arena_bytes
    assert with_means < graph.tensors[x].bytes
    with pytest.raises(ScheduleError, match="2 bands cannot be cut"):
        checked(graph, staged(graph, 0, graph.operators[-1].index, "bands", bands=2))


@pytest.mark.parametrize("seed", range(3))
def test_the_search_knows_what_two_passes_need(seed: int) -> None:
    graph = squeeze_excite.network(seed)
    lowered = lower_all(graph)
    pieces = partition.find_pieces(graph, "flash", bands=(2,), lowered=lowered)
    twice = [piece for piece in pieces if piece.two_pass]
    assert len(twice) >= 4
    for piece in random.Random(seed).sample(twice, 4):
        (stage,) = partition.stages_for(graph, [piece])
        given = staged(graph, stage.first, stage.last, bands=stage.bands)
        placed = msgspec.structs.replace(
            given, input_in="flash", stages=tuple(stage if s.mode == "se2" else s for s in given.stages)
        )
        program = make_program(graph, placed, lowered=lowered)
        positions = {op.index: position for position, op in enumerate(program.graph.operators)}
        steps = program.plan.steps[
            positions[_first_of(program.graph, stage.first)] : positions[stage.last] + 1
        ]
        assert piece.bytes == max(step.live_bytes for step in steps)
        others = geometry.total_macs(graph) - _macs(graph, stage.first, stage.last)
        assert piece.macs == schedule_macs(graph, placed) - others


def _first_of(unfolded: Graph, index: int) -> int:
    return next(op.index for op in unfolded.operators if op.copy_of == index)


def _macs(graph: Graph, first: int, last: int) -> int:
    return sum(geometry.macs(graph, op) for op in graph.operators if first <= op.index <= last)


def test_a_drawing_shows_both_passes_as_one_stage() -> None:
    graph = squeeze_excite.network(2)
    last = block_ends(graph)[0]
    drawn = drawing_of(graph, staged(graph, 0, last), "passes").stages[0]
    unfolded, _ = passes.unfold(graph, staged(graph, 0, last))
    assert drawn.mode == "se2"
    assert [index for index, _ in drawn.operators] == [
        op.index for op in unfolded.operators if op.index <= last or op.copy_of is not None
    ]
    once = sum(geometry.macs(graph, op) for op in graph.operators if op.index <= last)
    rest = geometry.total_macs(graph) - once
    assert drawn.mac_factor == (schedule_macs(graph, staged(graph, 0, last)) - rest) / once
