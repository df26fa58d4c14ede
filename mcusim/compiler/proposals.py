"""Schedules worth a look, from the fastest to the smallest, by exact bytes and estimated cycles."""

from __future__ import annotations

from dataclasses import dataclass

from mcusim.compiler.automatic import STACK_BYTES
from mcusim.compiler.memory_plan import MemoryPlan
from mcusim.compiler.partition import BANDS, cycles, find_pieces, front, peak, stages_for
from mcusim.compiler.program import lower_all, make_program
from mcusim.compiler.schedule import InputIn, Schedule
from mcusim.network.graph import Graph

APART = 0.12
"""Share of the bytes by which a proposal needs less than the one before it."""


@dataclass(frozen=True)
class Proposal:
    """``spec`` names the schedule for whatever takes one; ``constant_bytes``: see ``Program``; ``cycles`` are
    estimated."""

    spec: str
    schedule: Schedule
    plan: MemoryPlan
    constant_bytes: int
    cycles: float


def proposals(graph: Graph, input_in: InputIn) -> list[Proposal]:
    """The schedule of the fewest cycles, that of the least SRAM, and between them the fastest ones that save
    at least ``APART``. Raises UnsupportedError for what no kernel computes."""
    pieces = find_pieces(graph, input_in, bands=BANDS, lowered=lower_all(graph))
    covers = list(front(pieces, len(graph.operators)))
    found: list[Proposal] = []
    least = float("inf")
    for cover in covers:
        if peak(cover) > least * (1 - APART) and cover is not covers[-1]:
            continue
        least = peak(cover)
        schedule = Schedule(name="", input_in=input_in, stages=stages_for(graph, cover))
        program = make_program(graph, schedule)
        plan = program.plan
        if found and plan.sram_bytes >= found[-1].plan.sram_bytes:
            continue
        spec = f"auto:sram={plan.sram_bytes + STACK_BYTES}B"
        found.append(Proposal(spec, schedule, plan, program.constant_bytes, cycles(cover)))
    return found
