"""How little SRAM networks need at a given share of additional MACs, built and run.

``python benchmarks/schedules.py [--models FOLDER] [--write docs/schedules.md] [NAME...]`` takes for every row
the smallest schedule of the front whose MACs stay within the factor, runs it with the stored random input
(zoo networks: pseudo-random numbers), and compares the outputs with the stored ones (the executor's).
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mcusim import chips, network
from mcusim.compiler.analysis import mac_factor
from mcusim.compiler.build import build
from mcusim.compiler.partition import BANDS, Piece, find_pieces, front, stages_for
from mcusim.compiler.program import lower_all
from mcusim.compiler.schedule import InputIn, Schedule
from mcusim.network import executor
from mcusim.network.graph import Graph
from mcusim.network.prune import prune
from mcusim.simulate import simulate

CHIP = "mps2-an386"
"""Has room for every network; the cycles are those of any Cortex-M4 without wait states."""

HEADING = """# What streams and bands need

SRAM of whole images: arena, scratch, stack and statics, as a run touched them, in KiB of 1024 bytes; cycles
at zero wait states. "limit": the most MACs, over those layer by layer, that a schedule of the front (cycles
against SRAM) might take; "planned": arena and scratch, and whether the run filled the arena to the last byte;
"target": the goal in KiB that this project sets itself. Written by `python benchmarks/schedules.py --write
docs/schedules.md`.

| network | image in | limit | planned | filled | SRAM | target | MACs | Mcycles | outputs |
|---|---|---|---|---|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Row:
    """A network, where its image lies, the limit of its MACs, and the KiB to stay below."""

    model: str
    input_in: InputIn
    limit: float
    target: float


ROWS = (
    Row("mcunet_vww", "flash", 1.0, 18.5),
    Row("mcunet_vww", "flash", 1.05, 13),
    Row("mcunet_vww", "flash", 1.3, 11),
    Row("mcunet_vww", "sram", 1.0, 24),
    Row("vww_96_int8", "flash", 1.0, 17),
    Row("vww_96_int8", "flash", 1.05, 13),
    Row("vww_96_int8", "flash", 1.3, 10),
    Row("person_detect", "flash", 1.0, 17),
    Row("person_detect", "flash", 1.05, 12),
    Row("person_detect", "flash", 1.3, 10),
    Row("person_detect", "sram", 1.0, 17.5),
    Row("zoo:mobilenet_v2?width=0.35&resolution=144", "flash", 1.0, 30),
    Row("zoo:mobilenet_v2?width=0.35&resolution=144", "flash", 1.05, 16),
    Row("zoo:mobilenet_v2?width=0.35&resolution=144", "flash", 1.3, 13),
)


def least(graph: Graph, pieces: Sequence[Piece], input_in: InputIn, limit: float) -> Schedule:
    """The smallest schedule of the front whose MACs stay within ``limit``."""
    if limit == 1.0:
        pieces = [piece for piece in pieces if piece.bands == 1]
    covers = front(pieces, len(graph.operators))
    schedules = [Schedule(name="least", input_in=input_in, stages=stages_for(graph, c)) for c in covers]
    return next(s for s in reversed(schedules) if mac_factor(graph, s) <= limit)


def case(graph: Graph, model: str, folder: Path) -> tuple[NDArray[np.int8], list[bytes]]:
    """An input and the outputs that belong to it."""
    if not model.startswith("zoo:"):
        return np.load(folder / f"{model}.rand.in.npy"), [np.load(folder / f"{model}.rand.out.npy").tobytes()]
    shape = graph.tensors[graph.inputs[0]].shape
    picture = np.random.default_rng(0).integers(-128, 128, shape, dtype=np.int8)
    return picture, [output.tobytes() for output in executor.outputs(graph, [picture])]


def line(row: Row, graph: Graph, schedule: Schedule, folder: Path) -> str:
    """Build, run and compare: a line of the table."""
    picture, wanted = case(graph, row.model, folder)
    with tempfile.TemporaryDirectory(prefix="mcusim-") as scratch:
        built = build(graph, schedule, chips.load(CHIP), out=Path(scratch) / "network.elf")
        result = simulate(built.elf, CHIP, inputs=[picture])
    if result.error is not None:
        raise result.error
    memory = result.trace.memory
    same = [output.tobytes() for output in result.outputs[0]] == wanted
    as_planned = memory.arena_high_water_bytes == built.plan.arena_bytes
    return (
        f"| {row.model} | {row.input_in} | {row.limit:.2f}x | {built.plan.sram_bytes:,} B "
        f"| {'yes' if as_planned else 'no'} | {memory.sram_peak_bytes / 1024:.1f} | {row.target:g} "
        f"| {mac_factor(graph, schedule):.3f}x | {result.trace.totals.cycles / 1e6:.1f} "
        f"| {'exact' if same else 'DIFFER'} |"
    )


def lines(rows: Sequence[Row], folder: Path) -> Iterator[str]:
    """The table, line by line; networks are read, and their stages found, once."""
    known: dict[tuple[str, InputIn], tuple[Graph, list[Piece]]] = {}
    for row in rows:
        key = row.model, row.input_in
        if key not in known:
            path = row.model if row.model.startswith("zoo:") else str(folder / f"{row.model}.tflite")
            graph = prune(network.load(path)).graph
            known[key] = graph, find_pieces(graph, row.input_in, bands=BANDS, lowered=lower_all(graph))
        graph, pieces = known[key]
        yield line(row, graph, least(graph, pieces, row.input_in, row.limit), folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--models", type=Path, default=Path(os.environ.get("MCUSIM_MODELS", "models")))
    parser.add_argument("--write", type=Path, metavar="FILE.md")
    parser.add_argument("names", nargs="*", help="only these networks")
    options = parser.parse_args()
    wanted = [row for row in ROWS if not options.names or row.model in options.names]
    table = []
    for text in lines(wanted, options.models):
        sys.stdout.write(f"{text}\n")
        table.append(text)
    if options.write:
        options.write.write_text(HEADING + "\n".join(table) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
