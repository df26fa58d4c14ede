"""Which schedules a network could have, what each would need, and which one fits a memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from mcusim.compiler import analysis, spatial
from mcusim.compiler.layout import layout_of
from mcusim.compiler.lowering.types import LoweredOp
from mcusim.compiler.memory_plan import plan_memory
from mcusim.compiler.placement import lower_bound
from mcusim.compiler.program import make_program
from mcusim.compiler.schedule import InputIn, Schedule, layer_schedule, patch_ends, patch_schedule
from mcusim.network import geometry
from mcusim.network.graph import Graph

GRIDS = ((2, 2), (3, 3), (4, 4), (5, 5), (6, 6))
"""Grids tried for advice; the published systems stop at 4 x 4."""


@dataclass(frozen=True)
class Candidate:
    """A schedule with what it needs. ``needed_bytes`` is the lower bound of the arena, which planning nearly
    always reaches, and of the kernels' scratch if they are known."""

    schedule: Schedule
    needed_bytes: int
    mac_factor: float

    @property
    def name(self) -> str:
        """As the command line takes it."""
        place = "" if self.schedule.input_in == "sram" else " with the image in flash"
        return f"{self.schedule.name}{place}"


def candidates(
    graph: Graph,
    *,
    input_in: InputIn = "sram",
    lowered: Mapping[int, LoweredOp] | None = None,
    grids: Iterable[tuple[int, int]] = GRIDS,
) -> list[Candidate]:
    """The layer schedule and every patch stage that may be, under ``grids`` that fit its output; none of them
    can take lines of a camera."""
    if input_in == "camera":
        return []
    schedules = [layer_schedule(graph)]
    sizes = {op.index: spatial.extent(graph.output_of(op)) for op in graph.operators}
    for last in patch_ends(graph):
        schedules += [
            patch_schedule(graph, grid, last)
            for grid in grids
            if grid[0] <= sizes[last].height and grid[1] <= sizes[last].width
        ]
    placed = [msgspec.structs.replace(schedule, input_in=input_in) for schedule in schedules]
    return [_candidate(graph, schedule, lowered) for schedule in placed]


def best_fit(found: Iterable[Candidate], limit: int) -> Candidate | None:
    """The candidate of fewest MACs (then fewest bytes) that needs at most ``limit`` bytes."""
    fitting = [candidate for candidate in found if candidate.needed_bytes <= limit]
    return min(fitting, key=lambda c: (c.mac_factor, c.needed_bytes), default=None)


def advise(graph: Graph, limit: int, lowered: Mapping[int, LoweredOp] | None = None) -> Candidate | None:
    """A schedule whose arena and scratch fit ``limit`` bytes, the image in SRAM if that is possible."""
    for input_in in ("sram", "flash"):
        found = candidates(graph, input_in=input_in, lowered=lowered)
        while (best := best_fit(found, limit)) is not None:
            if _planned(graph, best, lowered) <= limit:
                return best
            found.remove(best)
    return None


def _candidate(graph: Graph, schedule: Schedule, lowered: Mapping[int, LoweredOp] | None) -> Candidate:
    layout = layout_of(graph, schedule, lowered=lowered or {})
    needed = lower_bound(layout.ranges)
    factor = analysis.staged_macs(graph, layout.ranges.stages) / max(geometry.total_macs(graph), 1)
    return Candidate(schedule, needed, factor)


def _planned(graph: Graph, candidate: Candidate, lowered: Mapping[int, LoweredOp] | None) -> int:
    if lowered is None:
        return plan_memory(graph, candidate.schedule).sram_bytes
    return make_program(graph, candidate.schedule, lowered=lowered).plan.sram_bytes
