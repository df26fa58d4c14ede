"""How little SRAM networks need at a given share of additional MACs, built and run.

``python benchmarks/schedules.py [--models FOLDER] [--write docs/schedules.md] [NAME...]`` takes for every row
the schedule that needs least SRAM among all streams, bands and patches whose MACs stay within the factor,
runs it with the stored random input (zoo networks: pseudo-random numbers), and compares the outputs with the
stored ones (the executor's). Tables of what ``stream`` costs and of how close plans come to runs follow.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from schedules_overhead import OVERHEAD_HEADING, PLAN_HEADING, overhead_lines, plan_lines
from schedules_runs import load, run

from mcusim.compiler.analysis import mac_factor
from mcusim.compiler.candidates import candidates
from mcusim.compiler.partition import BANDS, Piece, find_pieces, front_of_macs, stages_for
from mcusim.compiler.program import lower_all, make_program
from mcusim.compiler.schedule import InputIn, Schedule
from mcusim.network import geometry
from mcusim.network.graph import Graph

HEADING = """# What streams and bands need

SRAM of whole images: arena, scratch, stack and statics, as a run touched them, in KiB of 1024 bytes; cycles
at zero wait states. "limit": the most MACs, over those layer by layer, that a schedule might take; the row's
needs least SRAM among all streams, bands, tiles and patches within it; "planned": arena and scratch, and
whether the run filled the arena to the last byte; "target": the goal in KiB that this project sets itself
(from a camera: that in flash and 4 lines), and "over" by how much it is missed. "As stored": with channels
that no output depends on (`--prune none`), which all other rows leave out, also of the MACs. Written by
`python benchmarks/schedules.py --write docs/schedules.md`.

| network | image in | limit | planned | filled | SRAM | target | over | MACs | Mcycles | outputs |
|---|---|---|---|---|---|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Row:
    """A network, where its image lies, the limit of its MACs, and the KiB to stay below, if any; ``pruned``:
    without what its outputs do not depend on, of whose MACs the limit is then."""

    model: str
    input_in: InputIn
    limit: float
    target: float | None = None
    pruned: bool = True

    @property
    def name(self) -> str:
        """As the table has it."""
        return self.model if self.pruned else f"{self.model}, as stored"


SMALL_ZOO = "zoo:mobilenet_v2?width=0.35&resolution=144"
LARGE_ZOO = "zoo:mobilenet_v2?width=1.0&resolution=224"

ROWS = (
    Row("mcunet_vww", "flash", 1.0, 18.5),
    Row("mcunet_vww", "flash", 1.05, 13),
    Row("mcunet_vww", "flash", 1.3, 11),
    Row("mcunet_vww", "sram", 1.0, 24),
    Row("mcunet_vww", "camera", 1.0, 19.4),
    Row("vww_96_int8", "flash", 1.0, 17),
    Row("vww_96_int8", "flash", 1.05, 13),
    Row("vww_96_int8", "flash", 1.3, 10),
    Row("vww_96_int8", "sram", 1.0),
    Row("vww_96_int8", "flash", 1.0, 17, pruned=False),
    Row("vww_96_int8", "flash", 1.05, 13, pruned=False),
    Row("vww_96_int8", "flash", 1.3, 10, pruned=False),
    Row("vww_96_int8", "camera", 1.0, 18.1),
    Row("person_detect", "flash", 1.0, 17),
    Row("person_detect", "flash", 1.05, 12),
    Row("person_detect", "flash", 1.3, 10),
    Row("person_detect", "sram", 1.0, 17.5),
    Row("person_detect", "camera", 1.0, 17.4),
    Row("mcunet_detection", "flash", 1.0, 33),
    Row("mcunet_detection", "flash", 1.05, 20),
    Row("mcunet_detection", "sram", 1.0, 77),
    Row("mcunet_detection", "camera", 1.0, 34.9),
    Row("mcunetv2_large", "flash", 1.0, 232),
    Row("mcunetv2_large", "flash", 1.3, 67),
    Row("mcunetv2_large", "sram", 1.0),
    Row("mcunetv2_large", "camera", 1.0, 234.6),
    Row(SMALL_ZOO, "flash", 1.0, 30),
    Row(SMALL_ZOO, "flash", 1.05, 16),
    Row(SMALL_ZOO, "flash", 1.3, 13),
    Row(SMALL_ZOO, "sram", 1.0),
    Row(SMALL_ZOO, "camera", 1.0, 31.7),
    Row(LARGE_ZOO, "flash", 1.0, 132),
    Row(LARGE_ZOO, "flash", 1.05, 64),
    Row(LARGE_ZOO, "flash", 1.3, 43),
    Row(LARGE_ZOO, "sram", 1.0),
    Row(LARGE_ZOO, "camera", 1.0, 134.6),
)


class Choice:
    """The schedules of a network whose image lies in one place."""

    def __init__(self, graph: Graph, input_in: InputIn) -> None:
        self._graph = graph
        self._input_in = input_in
        self._lowered = lower_all(graph)
        self._pieces: list[Piece] = find_pieces(graph, input_in, bands=BANDS, lowered=self._lowered)

    def least(self, limit: float) -> Schedule:
        """The one that is planned with least SRAM among those whose MACs are at most ``limit`` of the
        network's; of those that need as much, the first of the front."""
        return min([*self._streams(limit), *self._patches(limit)], key=self._sram_bytes)

    def _streams(self, limit: float) -> list[Schedule]:
        most = limit * geometry.total_macs(self._graph)
        covers = front_of_macs(self._pieces, len(self._graph.operators), most)
        stages = [stages_for(self._graph, cover) for cover in covers]
        return [Schedule(name="least", input_in=self._input_in, stages=each) for each in stages]

    def _patches(self, limit: float) -> list[Schedule]:
        if limit == 1:
            return []
        found = candidates(self._graph, input_in=self._input_in, lowered=self._lowered)
        within = [candidate for candidate in found if candidate.mac_factor <= limit]
        return [min(within, key=lambda candidate: candidate.needed_bytes).schedule]

    def _sram_bytes(self, schedule: Schedule) -> int:
        return make_program(self._graph, schedule, lowered=self._lowered).plan.sram_bytes


def line(row: Row, graph: Graph, schedule: Schedule, folder: Path) -> str:
    """Build, run and compare: a line of the table."""
    done = run(graph, row.model, schedule, folder)
    memory = done.trace.memory
    as_planned = memory.arena_high_water_bytes == done.plan.arena_bytes
    kib = memory.sram_peak_bytes / 1024
    target = "" if row.target is None else f"{row.target:g}"
    over = "" if row.target is None or kib <= row.target else f"{kib - row.target:.2f}"
    return (
        f"| {row.name} | {row.input_in} | {row.limit:.2f}x | {done.plan.sram_bytes:,} B "
        f"| {'yes' if as_planned else 'no'} | {kib:.1f} | {target} | {over} "
        f"| {mac_factor(graph, schedule):.3f}x | {done.trace.totals.cycles / 1e6:.1f} "
        f"| {'exact' if done.exact else 'DIFFER'} |"
    )


def lines(rows: Sequence[Row], folder: Path) -> Iterator[str]:
    """The table, line by line; networks are read, and their stages found, once."""
    known: dict[tuple[str, InputIn], tuple[Graph, Choice]] = {}
    for row in rows:
        key = row.name, row.input_in
        if key not in known:
            graph = load(row.model, folder, pruned=row.pruned)
            known[key] = graph, Choice(graph, row.input_in)
        graph, choice = known[key]
        yield line(row, graph, choice.least(row.limit), folder)


def tables(names: list[str], folder: Path) -> Iterator[str]:
    """The document, piece by piece; for ``names`` alone if there are any."""
    yield HEADING
    yield from (f"{text}\n" for text in lines([r for r in ROWS if not names or r.model in names], folder))
    yield OVERHEAD_HEADING
    yield from (f"{text}\n" for text in overhead_lines(names, folder))
    yield PLAN_HEADING
    yield from (f"{text}\n" for text in plan_lines(names, folder))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--models", type=Path, default=Path(os.environ.get("MCUSIM_MODELS", "models")))
    parser.add_argument("--write", type=Path, metavar="FILE.md")
    parser.add_argument("names", nargs="*", help="only these networks")
    options = parser.parse_args()
    written = []
    for text in tables(options.names, options.models):
        sys.stdout.write(text)
        sys.stdout.flush()
        written.append(text)
    if options.write:
        options.write.write_text("".join(written), encoding="utf-8")


if __name__ == "__main__":
    main()
