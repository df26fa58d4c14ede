"""Accuracy of the firmware itself over labelled inputs: one image a network, every input poked in.

Run: MCUSIM_MODELS=... MCUSIM_DATA=... python benchmarks/labelled.py [--inputs N]

Prints, per network, the accuracy on the simulated chip, whether every output equals the numpy executor's
byte for byte, and the spread of cycles over the inputs.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mcusim import chips, network
from mcusim.cli.progress import Progress
from mcusim.compiler.build import build
from mcusim.compiler.schedule import parse_spec
from mcusim.network import executor
from mcusim.parallel.inferences import Batch, simulate_batch

CHIP = "stm32f412zg"


@dataclass(frozen=True)
class Task:
    """A network and the labelled data set that it was trained for."""

    model: str
    data: str
    prepare: Callable[[NDArray[np.generic]], NDArray[np.int8]]


TASKS = (
    Task("kws_ref_model.tflite", "kws01.npz", lambda x: x.astype(np.int8)),
    Task(
        "pretrainedResnet_quant.tflite",
        "cifar10_test500.npz",
        lambda x: (x.astype(np.int16) - 128).astype(np.int8),
    ),
)


def measure(task: Task, models: Path, data: Path, count: int | None) -> str:
    """One line of the table."""
    graph = network.load(models / task.model)
    labelled = np.load(data / task.data)
    inputs, labels = task.prepare(labelled["x"][:count]), labelled["y"][:count]
    with tempfile.TemporaryDirectory() as folder:
        built = build(graph, parse_spec("layer", graph), chips.load(CHIP), out=Path(folder) / "network.elf")
        started = time.perf_counter()
        result = simulate_batch(
            Batch(built.elf, chips.load(CHIP)),
            list(inputs[:, None]),
            console=lambda _: None,
            progress=lambda shares: Progress("parts of the inputs", shares),
        )
        seconds = time.perf_counter() - started
    if result.error is not None or result.trace.inferences is None:
        raise SystemExit(f"{task.model}: {result.error}")
    found = np.concatenate([outputs[0] for outputs in result.outputs])
    equal = np.array_equal(found, executor.outputs(graph, [inputs])[0])
    accuracy = float((found.argmax(axis=1) == labels).mean())
    cycles = result.trace.inferences
    return (
        f"{graph.name:<24} {cycles.count:>6} {accuracy:>9.1%} {'yes' if equal else 'NO':>9} "
        f"{cycles.cycles_min:>12,} {cycles.cycles_max:>12,} {seconds:>8.1f}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--inputs", type=int, default=None, help="only the first N of each set")
    arguments = parser.parse_args()
    folders = [os.environ.get(name) for name in ("MCUSIM_MODELS", "MCUSIM_DATA")]
    if None in folders:
        sys.stderr.write("MCUSIM_MODELS and MCUSIM_DATA must name the folders of networks and inputs\n")
        return 2
    models, data = (Path(folder) for folder in folders if folder)
    columns = f"{'accuracy':>9} {'bit-exact':>9} {'cycles from':>12} {'to':>12} {'s':>8}"
    sys.stdout.write(f"{'network':<24} {'inputs':>6} {columns}\n")
    for task in TASKS:
        sys.stdout.write(measure(task, models, data, arguments.inputs) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
