"""Random small networks under random schedules: the firmware computes what the executor computes."""

from __future__ import annotations

import random
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from memory_checks import STACK_BYTES
from moved import tensors_left

from mcusim import chips
from mcusim.compiler import spatial
from mcusim.compiler.build import build
from mcusim.compiler.live_ranges import Sharing
from mcusim.compiler.memory_plan import plan_memory
from mcusim.compiler.schedule import (
    Schedule,
    Stage,
    layer_schedule,
    parse_spec,
    patch_ends,
    patch_schedule,
)
from mcusim.network import executor
from mcusim.network.graph import Activation, Graph
from mcusim.network.zoo.builder import Builder
from mcusim.simulate import simulate

CHIP = "stm32f412zg"
SEEDS = range(8)


def random_network(rng: random.Random) -> Graph:
    """Three to seven convolutional layers of any small shape, some in residual blocks, and a classifier."""
    net = Builder("random", f"random-{rng.random()}")
    x = net.image_input(rng.randint(5, 23), rng.randint(5, 23), rng.choice([1, 2, 3, 4, 7]))
    for _ in range(rng.randint(2, 4)):
        activation = rng.choice(list(Activation)[:3])
        kind = rng.choice(["conv", "depthwise", "residual"])
        if kind == "conv":
            kernel = rng.choice([(1, 1), (3, 3), (5, 5), (3, 1), (1, 4)])
            x = net.conv(x, rng.choice([3, 4, 8, 13, 16]), kernel, rng.choice([1, 1, 2]), activation)
        elif kind == "depthwise":
            x = net.depthwise(x, rng.choice([3, 3, 5, 7]), rng.choice([1, 2]), activation)
        else:
            y = net.conv(x, 2 * net.channels(x), activation=activation)
            y = net.depthwise(y, 3, 1, activation)
            x = net.add(x, net.conv(y, net.channels(x)))
    return net.graph(net.dense(net.flatten(net.global_average_pool(x)), 4))


def random_stream(rng: random.Random, graph: Graph, last: int) -> Schedule:
    """One stream up to operator ``last`` and the rest as a whole."""
    chunk = rng.choice([1, 2])
    bands = rng.randint(1, min(3, spatial.extent(graph.output_of(graph.operators[last])).width))
    stages = (
        Stage(first=0, last=last, mode="bands", bands=bands, chunk=chunk),
        Stage(first=last + 1, last=graph.operators[-1].index, mode="op"),
    )
    return Schedule(name=f"bands:{bands}@{last}", stages=stages)


@pytest.mark.parametrize("seed", SEEDS)
def test_firmware_equals_executor(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    graph = random_network(rng)
    picture = np.random.default_rng(seed).integers(
        -128, 128, graph.tensors[graph.inputs[0]].shape, dtype=np.int8
    )
    wanted = executor.run(graph, [picture])
    last = rng.choice(patch_ends(graph))
    size = spatial.extent(graph.output_of(graph.operators[last]))
    grid = (rng.randint(1, min(4, size.height)), rng.randint(1, min(4, size.width)))
    schedules = (
        layer_schedule(graph),
        patch_schedule(graph, grid, last),
        parse_spec("stream", graph),
        random_stream(rng, graph, last),
        parse_spec("stream", graph, "camera"),
    )
    for schedule in schedules:
        built = build(
            graph,
            schedule,
            chips.load(CHIP),
            out=tmp_path / "firmware.elf",
            sharing=rng.choice(get_args(Sharing)),
            input_in=schedule.input_in if schedule.input_in == "camera" else rng.choice(("sram", "flash")),
        )
        result = simulate(built.elf, CHIP, inputs=[picture], capture=True)
        assert result.error is None
        left = tensors_left(graph, result.trace.layers)
        for index, content in result.captured.items():
            assert content == wanted[left[index]].tobytes(), f"operator {index} under {schedule.name}"
        assert graph.operators[-1].index in result.captured
        memory = result.trace.memory
        assert memory.arena_high_water_bytes == built.plan.arena_bytes
        assert memory.stack_bytes < STACK_BYTES


def test_plans_of_random_networks_reach_the_lower_bound() -> None:
    """Within 10 % on every one."""
    for seed in range(20):
        graph = random_network(random.Random(seed))
        for spec in ("layer", f"patch:2x2@{patch_ends(graph)[-2]}"):
            plan = plan_memory(graph, parse_spec(spec, graph, "flash"))
            assert plan.lower_bound_bytes - 4 < plan.arena_bytes <= 1.1 * plan.lower_bound_bytes
