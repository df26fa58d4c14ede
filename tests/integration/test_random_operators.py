"""Random networks of all operators as firmware: every output is the executor's, bit for bit.

50 networks in an ordinary run, by both compilers; MCUSIM_EXAMPLES sets another number.
"""

from __future__ import annotations

import os
import random
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from moved import tensors_left
from numpy.typing import NDArray
from operator_networks import STEPS, Step, random_graph

from mcusim import chips
from mcusim.compiler import spatial, toolchains
from mcusim.compiler.build import build
from mcusim.compiler.schedule import Schedule, parse_spec, patch_ends, patch_schedule
from mcusim.errors import ToolchainError
from mcusim.network import executor, validate
from mcusim.network.graph import Graph
from mcusim.simulate import simulate

CHIP = "stm32f412zg"
EXAMPLES = int(os.environ.get("MCUSIM_EXAMPLES", "50"))
PART = 10


@pytest.mark.parametrize("part", range(-(-EXAMPLES // PART)))
def test_firmware_computes_what_the_executor_computes(part: int) -> None:
    @seed(part)
    @settings(
        max_examples=PART,
        deadline=None,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(0, 2**32 - 1), st.lists(st.sampled_from(STEPS), min_size=4, max_size=10))
    def check(number: int, steps: list[Step]) -> None:
        graph = random_graph(number, steps)
        validate.check(graph)
        shape = graph.tensors[graph.inputs[0]].shape
        image = np.random.default_rng(number).integers(-128, 128, shape, dtype=np.int8)
        check_schedule(graph, random_schedule(graph, random.Random(number)), image, compiler)

    compiler = "gcc" if part % 2 and has_gcc() else "zig"
    check()


def has_gcc() -> bool:
    try:
        toolchains.find("gcc")
    except ToolchainError:
        return False
    return True


def random_schedule(graph: Graph, rng: random.Random) -> Schedule:
    """Patches or rows where the network can have any, but not always."""
    ends = patch_ends(graph)
    mode = rng.choice(["layer", "patch", "patch", "stream"])
    if not ends or mode != "patch":
        return parse_spec("stream" if mode == "stream" else "layer", graph)
    last = rng.choice(ends)
    size = spatial.extent(graph.output_of(graph.operators[last]))
    grid = (rng.randint(1, min(3, size.height)), rng.randint(1, min(3, size.width)))
    return patch_schedule(graph, grid, last)


def check_schedule(graph: Graph, schedule: Schedule, image: NDArray[np.int8], compiler: str) -> None:
    wanted = executor.run(graph, [image])
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "firmware.elf"
        built = build(graph, schedule, chips.load(CHIP), out=out, toolchain=compiler)
        result = simulate(built.elf, CHIP, inputs=[image], capture=True)
    assert result.error is None
    left = tensors_left(graph, result.trace.layers)
    kinds = {layer.index: layer.op for layer in result.trace.layers}
    for index, content in result.captured.items():
        assert content == wanted[left[index]].tobytes(), f"operator {index} ({kinds[index]}), {schedule.name}"
    for tensor, output in zip(graph.outputs, result.outputs[0], strict=True):
        np.testing.assert_array_equal(output, wanted[tensor])
