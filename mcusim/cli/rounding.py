"""What one rounding in place of two does to a network's outputs, measured by running its firmware."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mcusim.errors import InputError

if TYPE_CHECKING:
    from mcusim.chips import Chip
    from mcusim.cli.files import Array
    from mcusim.network.graph import Graph

INFERENCES = 8


def effect(elf: Path, graph: Graph, chip: Chip, inputs: Sequence[Array] | None) -> str:
    """A sentence on how the outputs of ``elf`` differ from those of ``graph`` with both roundings.

    ``inputs`` are those of one or more inferences, one array for each of the network's inputs; None: as many
    pseudo-random ones as ``INFERENCES`` takes. Raises InputError for a wrong number, and what the run ended
    with.
    """
    import numpy as np

    from mcusim.cli.subjects import default_inputs
    from mcusim.network import executor
    from mcusim.simulate import simulate

    arrays = list(inputs) if inputs is not None else default_inputs(elf, INFERENCES)
    if len(arrays) % len(graph.inputs):
        raise InputError(
            f"{graph.name} has {len(graph.inputs)} inputs an inference, {len(arrays)} were given"
        )
    result = simulate(elf, chip, inputs=arrays, memory=False)
    if result.error is not None:
        raise result.error
    each = [arrays[i : i + len(graph.inputs)] for i in range(0, len(arrays), len(graph.inputs))]
    off = [
        np.abs(found.astype(np.int64) - wanted).reshape(-1)
        for one, outputs in zip(each, result.outputs, strict=True)
        for found, wanted in zip(outputs, executor.outputs(graph, one), strict=True)
    ]
    differences = np.concatenate(off)
    share = np.count_nonzero(differences) / differences.size
    runs = f"{len(each)} inference{'s' if len(each) > 1 else ''}"
    kind = "given" if inputs is not None else "random"
    return (
        f"Rounded once, {share:.2%} of the outputs of {runs} on {kind} inputs differ, "
        f"by at most {differences.max()}"
    )
