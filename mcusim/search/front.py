"""The front of a network's schedules: as few cycles as its SRAM allows, planned from one measured run.

The operators are measured once, layer by layer; what streams and bands add to that follows from how often
kernels are called and what is computed twice. ``verify`` builds and runs the points.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mcusim import chips
from mcusim.chips import Chip
from mcusim.compiler.analysis import mac_factor
from mcusim.compiler.automatic import STACK_BYTES
from mcusim.compiler.build import build
from mcusim.compiler.partition import BANDS, cycles, find_pieces, front, peak, stages_for
from mcusim.compiler.program import lower_all, make_program
from mcusim.compiler.schedule import InputIn, Schedule, layer_schedule
from mcusim.errors import FitError
from mcusim.machine.ports import pseudo_random_inputs
from mcusim.network.graph import Graph
from mcusim.parallel import run_all
from mcusim.simulate import SimulationResult, simulate

ROOMY_CHIP = "mps2-an386"
"""Where a network is measured that does not fit the chip in question; the cycle model is the same."""

WORTHWHILE = 0.01
"""A point is kept if it saves at least this share of the arena."""


@dataclass(frozen=True)
class Point:
    """A schedule with its planned arena, scratch and arena together, MACs over those of ``layer``, and
    estimated cycles; the measured ones, and whether the run filled the arena to the last byte, if it was
    verified."""

    schedule: Schedule
    arena_bytes: int
    sram_bytes: int
    mac_factor: float
    cycles: float
    measured_cycles: int | None = None
    measured_peak_bytes: int | None = None
    arena_as_planned: bool | None = None

    @property
    def needed_bytes(self) -> int:
        """What a chip must have, the stack included."""
        return self.sram_bytes + STACK_BYTES


def plan_front(graph: Graph, chip: Chip, input_in: InputIn) -> list[Point]:
    """From the fastest schedule to the smallest. Raises UnsupportedError, FitError."""
    whole = measure_operators(graph, chip, input_in)
    lowered = lower_all(graph)
    pieces = find_pieces(graph, input_in, bands=BANDS, measured=whole, lowered=lowered)
    points: list[Point] = []
    for cover in front(pieces, len(graph.operators)):
        if points and peak(cover) > points[-1].sram_bytes * (1 - WORTHWHILE):
            continue
        schedule = Schedule(name=f"front:{len(points)}", input_in=input_in, stages=stages_for(graph, cover))
        plan = make_program(graph, schedule, lowered=lowered).plan
        if points and plan.arena_bytes > points[-1].arena_bytes * (1 - WORTHWHILE):
            continue
        factor = mac_factor(graph, schedule)
        points.append(Point(schedule, plan.arena_bytes, plan.sram_bytes, factor, cycles(cover)))
    return points


def measure_operators(graph: Graph, chip: Chip, input_in: InputIn) -> dict[int, float]:
    """Cycles of every operator as a whole, by index, from a run layer by layer."""
    lies_in: InputIn = "sram" if input_in == "camera" else input_in
    schedule = Schedule(name="layer", input_in=lies_in, stages=layer_schedule(graph).stages)
    try:
        result = _run(graph, schedule, chip)
    except FitError:
        result = _run(graph, schedule, chips.load(ROOMY_CHIP))
    measured: dict[int, float] = dict.fromkeys((op.index for op in graph.operators), 0.0)
    return measured | {layer.index: float(layer.cycles) for layer in result.trace.layers}


def verify(
    graph: Graph, chip: Chip, points: Sequence[Point], watch: Callable[[int], None] = lambda _: None
) -> list[Point]:
    """``points`` with what building and running them measures, in order, on all cores; ``watch`` is told how
    many are done."""
    return run_all(_verify, [(graph, chip, point) for point in points], watch=watch)


def _verify(task: tuple[Graph, Chip, Point]) -> Point:
    graph, chip, point = task
    try:
        result = _run(graph, point.schedule, chip)
    except FitError:
        return point
    memory = result.trace.memory
    return replace(
        point,
        measured_cycles=result.trace.totals.cycles,
        measured_peak_bytes=memory.sram_peak_bytes,
        arena_as_planned=memory.arena_high_water_bytes == point.arena_bytes,
    )


def _run(graph: Graph, schedule: Schedule, chip: Chip) -> SimulationResult:
    """One inference over pseudo-random inputs, always the same."""
    with tempfile.TemporaryDirectory(prefix="mcusim-") as folder:
        built = build(graph, schedule, chip, out=Path(folder) / "firmware.elf")
        result = simulate(built.elf, chip, inputs=pseudo_random_inputs(built.section.inputs))
    if result.error is not None:
        raise result.error
    return result
