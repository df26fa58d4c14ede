"""Firmware of networks with squeeze-excite blocks in two passes: bit-exact, and as large as planned."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import squeeze_excite
from memory_checks import check_memory
from moved import tensors_left

from mcusim import chips
from mcusim.compiler import spatial
from mcusim.compiler.build import build
from mcusim.compiler.schedule import Schedule, Stage
from mcusim.network import executor
from mcusim.network.graph import Graph, OpKind
from mcusim.simulate import simulate

CHIP = "stm32f412zg"


def in_passes(rng: random.Random, graph: Graph) -> Schedule:
    """Both blocks, the second one behind the first or in one stage with it, and a stream up to the mean."""
    ends = squeeze_excite.block_ends(graph)
    first, last = ends[0], graph.operators[-1].index
    if rng.random() < 0.4:
        first = ends[1]
    chunk, bands = rng.choice([1, 2]), _bands(rng, graph, first)
    stages = [Stage(first=0, last=first, mode="se2", bands=bands, chunk=chunk)]
    if first != ends[1]:
        stages.append(Stage(first=first + 1, last=ends[1], mode="se2", bands=_bands(rng, graph, ends[1])))
    stages.append(Stage(first=ends[1] + 1, last=last - 2, mode="stream"))
    return Schedule(name="", stages=(*stages, Stage(first=last - 1, last=last, mode="op")))


def _bands(rng: random.Random, graph: Graph, last: int) -> int:
    return rng.randint(1, min(3, spatial.extent(graph.output_of(graph.operators[last])).width))


@pytest.mark.parametrize("seed", range(6))
def test_two_passes_compute_what_the_executor_computes(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    graph = squeeze_excite.network(seed)
    shape = graph.tensors[graph.inputs[0]].shape
    picture = np.random.default_rng(seed).integers(-128, 128, shape, dtype=np.int8)
    schedule = in_passes(rng, graph)
    place = rng.choice(("sram", "flash"))
    built = build(graph, schedule, chips.load(CHIP), out=tmp_path / "firmware.elf", input_in=place)
    result = simulate(built.elf, CHIP, inputs=[picture], capture=True)
    assert result.error is None
    wanted = executor.run(graph, [picture])
    left = tensors_left(graph, result.trace.layers)
    for index, content in result.captured.items():
        assert content == wanted[left[index]].tobytes(), f"operator {index}"
    assert {op.index for op in graph.operators if op.kind is OpKind.FULLY_CONNECTED} <= set(result.captured)
    check_memory(result.trace, built.plan.arena_bytes)
