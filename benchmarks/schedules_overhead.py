"""What streams cost beside whole layers, and how close plans come to runs: parts of docs/schedules.md."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from schedules_runs import CHIP, load, run

from mcusim import chips
from mcusim.compiler.schedule import parse_spec
from mcusim.search.front import plan_front, verify

OVERHEAD_PERCENT = 6
"""Most cycles that ``stream`` may add to those of ``layer``."""

GROWTH_BYTES = 3 * 1024
"""Most flash that it may add."""

OVERHEAD_HEADING = f"""
## What streams cost

`stream` beside `layer`, the image in SRAM. Cycles: at most {OVERHEAD_PERCENT} % more; flash, code and tables:
at most {GROWTH_BYTES:,} bytes more; "over" is what lies above.

| network | layer, Mcycles | stream, Mcycles | more | over | more flash | over | outputs |
|---|---|---|---|---|---|---|---|
"""

PLAN_HEADING = """
## Plans and runs

`mcusim plan --front` with the image in flash: its points, and the seconds it took, measured once, by wall
clock, on a machine of two cores with other work to do (limit for mcunetv2_large: 20). Where points were
verified: those whose run filled the arena to the planned byte, and the largest difference of measured from
planned cycles (limit: 5 %).

| network | points | seconds | arena as planned | cycles apart |
|---|---|---|---|---|
"""

STREAMED = ("vww_96_int8", "person_detect", "mcunet_vww", "mcunet_detection", "pretrainedResnet_quant")

FRONTS = {"vww_96_int8": True, "mcunet_vww": True, "mcunetv2_large": False}
"""Networks whose front is planned, and whether its points are built and run."""


def overhead_line(model: str, folder: Path) -> str:
    """Both schedules of a network, run."""
    graph = load(model, folder)
    layer, stream = (run(graph, model, parse_spec(spec, graph), folder) for spec in ("layer", "stream"))
    before, after = layer.trace.totals.cycles, stream.trace.totals.cycles
    more = 100 * (after / before - 1)
    growth = stream.trace.firmware.flash_bytes - layer.trace.firmware.flash_bytes
    return (
        f"| {model} | {before / 1e6:.2f} | {after / 1e6:.2f} | {more:+.1f} % "
        f"| {_over(more - OVERHEAD_PERCENT, '{:.1f} points')} "
        f"| {growth:+,} B | {_over(growth - GROWTH_BYTES, '{:,} B')} "
        f"| {'exact' if layer.exact and stream.exact else 'DIFFER'} |"
    )


def plan_line(model: str, verified: bool, folder: Path) -> str:
    """The front of a network, planned and, if it shall be, run."""
    graph, chip = load(model, folder), chips.load(CHIP)
    start = time.perf_counter()
    points = plan_front(graph, chip, "flash")
    seconds = time.perf_counter() - start
    if not verified:
        return f"| {model} | {len(points)} | {seconds:.1f} | | |"
    done = verify(graph, chip, points)
    apart = max(abs(point.measured_cycles / point.cycles - 1) for point in done if point.measured_cycles)
    as_planned = sum(bool(point.arena_as_planned) for point in done)
    return f"| {model} | {len(points)} | {seconds:.1f} | {as_planned} of {len(done)} | {100 * apart:.1f} % |"


def overhead_lines(names: list[str], folder: Path) -> Iterator[str]:
    """A line for every network of ``names``, all if there are none."""
    yield from (overhead_line(model, folder) for model in STREAMED if not names or model in names)


def plan_lines(names: list[str], folder: Path) -> Iterator[str]:
    """A line for every network of ``names``, all if there are none."""
    yield from (
        plan_line(model, verified, folder)
        for model, verified in FRONTS.items()
        if not names or model in names
    )


def _over(excess: float, form: str) -> str:
    return form.format(excess) if excess > 0 else ""
