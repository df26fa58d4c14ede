"""Random inverted residuals and heads in channel tiles: the firmware computes what the executor computes."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from moved import tensors_left

from mcusim import chips
from mcusim.compiler.build import build
from mcusim.compiler.schedule import Schedule, Stage
from mcusim.network import executor
from mcusim.network.graph import Activation, Graph
from mcusim.network.zoo.builder import Builder
from mcusim.simulate import simulate

CHIP = "stm32f412zg"
EXPAND, LAST = 1, 3
"""Operators that begin the block and, without an addition, end it."""


def random_block(rng: random.Random) -> Graph:
    """A convolution, a block with or without an addition, and a classifier; any channels that may be."""
    net = Builder("block", f"block-{rng.random()}")
    x = net.image_input(rng.randint(3, 13), rng.randint(3, 13), rng.choice([1, 3]))
    x = net.conv(x, rng.choice([4, 6, 7, 12]), (3, 3), 1, Activation.RELU6)
    y = net.conv(x, rng.choice([8, 20, 36, 72]), activation=rng.choice(list(Activation)[:3]))
    add = rng.random() < 0.6
    stride = 1 if add else rng.choice([1, 2])
    y = net.depthwise(y, rng.choice([3, 3, 5]), stride, rng.choice(list(Activation)[:3]))
    y = net.conv(y, net.channels(x) if add else rng.choice([3, 8, 13]))
    y = net.add(x, y) if add else y
    y = net.conv(y, rng.choice([4, 20, 44]), activation=Activation.RELU6)
    return net.graph(net.dense(net.flatten(net.global_average_pool(y)), 4))


def random_tiles(rng: random.Random, graph: Graph) -> Schedule:
    """The block and the head in tiles, and everything else layer by layer."""
    last = LAST + (graph.operators[LAST + 1].kind == "ADD")
    height = graph.output_of(graph.operators[last]).shape[1]
    channels = graph.output_of(graph.operators[EXPAND]).shape[3]
    block = Stage(
        first=EXPAND,
        last=last,
        mode="ctile",
        channels=rng.randrange(4, channels + 1, 4),
        bands=-(-height // rng.randint(1, height)),
        chunk=rng.choice([1, 2]),
    )
    before = Stage(first=0, last=EXPAND - 1, mode="op")
    wide = graph.output_of(graph.operators[last + 1]).shape[3]
    head = Stage(first=last + 1, last=last + 2, mode="ctile", channels=rng.randrange(4, wide + 1, 4))
    behind = Stage(first=last + 3, last=graph.operators[-1].index, mode="op")
    stages = (before, block, head, behind)
    return Schedule(name="tiles", input_in=rng.choice(["sram", "flash"]), stages=stages)


@pytest.mark.parametrize("seed", range(8))
def test_tiles_equal_the_executor(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    graph = random_block(rng)
    schedule = random_tiles(rng, graph)
    shape = graph.tensors[graph.inputs[0]].shape
    picture = np.random.default_rng(seed).integers(-128, 128, shape, dtype=np.int8)
    wanted = executor.run(graph, [picture])
    built = build(graph, schedule, chips.load(CHIP), out=tmp_path / "network.elf")
    result = simulate(built.elf, CHIP, inputs=[picture], capture=True)
    assert result.error is None
    left = tensors_left(graph, result.trace.layers)
    for index, content in result.captured.items():
        assert content == wanted[left[index]].tobytes(), f"operator {index}"
    block = schedule.stages[1]
    assert set(range(block.first, block.last + 1)) & result.captured.keys() == {block.last}
    assert result.trace.memory.arena_high_water_bytes == built.plan.arena_bytes
    assert [layer.calls for layer in result.trace.layers] == [layer.calls for layer in built.section.layers]
