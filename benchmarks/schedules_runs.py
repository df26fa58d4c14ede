"""Networks of the table of schedules with inputs and outputs that belong to them, built and run."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mcusim import chips, network
from mcusim.compiler.build import build
from mcusim.compiler.memory_plan import MemoryPlan
from mcusim.compiler.schedule import Schedule
from mcusim.network import executor
from mcusim.network.graph import Graph
from mcusim.network.prune import prune
from mcusim.simulate import simulate
from mcusim.trace import Trace

CHIP = "mps2-an386"
"""Has room for every network; the cycles are those of any Cortex-M4 without wait states."""


@dataclass(frozen=True)
class Run:
    """``exact``: whether all outputs are those wanted, byte for byte."""

    plan: MemoryPlan
    trace: Trace
    exact: bool


def load(model: str, folder: Path, *, pruned: bool = True) -> Graph:
    """A network of ``folder``, or of the zoo; ``pruned``: without what its outputs do not depend on."""
    graph = network.load(model if model.startswith("zoo:") else str(folder / f"{model}.tflite"))
    return prune(graph).graph if pruned else graph


def case(graph: Graph, model: str, folder: Path) -> tuple[NDArray[np.int8], list[bytes]]:
    """An input and the outputs that belong to it."""
    if not model.startswith("zoo:"):
        files = sorted(folder.glob(f"{model}.rand.out*.npy"))
        return np.load(folder / f"{model}.rand.in.npy"), [np.load(file).tobytes() for file in files]
    shape = graph.tensors[graph.inputs[0]].shape
    picture = np.random.default_rng(0).integers(-128, 128, shape, dtype=np.int8)
    return picture, [output.tobytes() for output in executor.outputs(graph, [picture])]


def run(graph: Graph, model: str, schedule: Schedule, folder: Path) -> Run:
    """One inference on the roomy chip. Raises what building or running raises."""
    picture, wanted = case(graph, model, folder)
    with tempfile.TemporaryDirectory(prefix="mcusim-") as scratch:
        built = build(graph, schedule, chips.load(CHIP), out=Path(scratch) / "network.elf")
        result = simulate(built.elf, CHIP, inputs=[picture])
    if result.error is not None:
        raise result.error
    outputs = [output.tobytes() for output in result.outputs[0]]
    return Run(built.plan, result.trace, outputs == wanted)
