"""The fastest schedule that fits a memory, or the smallest that is fast enough: what ``auto`` means."""

from __future__ import annotations

import math
import re

from mcusim.compiler.build import DEFAULT_STACK_BYTES
from mcusim.compiler.partition import BANDS, cycles, find_pieces, front, least_limit, stages_for
from mcusim.compiler.program import lower_all, make_program
from mcusim.compiler.schedule import InputIn, Schedule
from mcusim.errors import ScheduleError, UsageError
from mcusim.network.graph import Graph

STACK_BYTES = 850
"""Taken by the deepest stack, which stays below, and the state of streams. An image for a whole chip
reserves DEFAULT_STACK_BYTES."""

_LIMIT = re.compile(r"auto:sram=(\d+(?:\.\d+)?)(KiB|B)?")
_TIME = re.compile(r"auto:ms=(\d+(?:\.\d+)?)(?:@(\d+(?:\.\d+)?)MHz)?")


def depends_on_clock(spec: str) -> bool:
    """Whether ``spec`` limits the time of an inference, so that another clock may make another schedule."""
    return spec.startswith("auto:ms")


def cycles_of(spec: str, clock_hz: float | None) -> float | None:
    """Cycles within which ``spec`` wants an inference: auto:ms=TIME at ``clock_hz``, or auto:ms=TIME@CLOCK;
    None if it says nothing of time.

    Raises UsageError if no clock is known, or the time cannot be read.
    """
    if not depends_on_clock(spec):
        return None
    match = _TIME.fullmatch(spec)
    if match is None:
        raise UsageError(
            f"schedule {spec!r} is not auto:ms=TIME or auto:ms=TIME@CLOCK, as in auto:ms=80@48MHz"
        )
    hertz = float(match[2]) * 1e6 if match[2] else clock_hz
    if hertz is None:
        raise UsageError("how many cycles that are depends on the clock; name it as in auto:ms=80@48MHz")
    return float(match[1]) / 1000 * hertz


def limit_of(spec: str, sram_bytes: int | None) -> int:
    """SRAM in bytes that ``spec`` (auto or auto:sram=SIZE) may use; ``sram_bytes`` is a chip's.

    Raises UsageError if there is no limit, or none that can be read.
    """
    if match := _LIMIT.fullmatch(spec):
        return int(float(match[1]) * (1024 if match[2] == "KiB" else 1))
    if spec != "auto":
        raise UsageError(f"schedule {spec!r} is neither auto nor auto:sram=SIZE, with SIZE as in 32KiB")
    if sram_bytes is None:
        raise UsageError("schedule auto needs a chip; say how much it may use, as in auto:sram=32KiB")
    return sram_bytes - DEFAULT_STACK_BYTES + STACK_BYTES


def automatic_schedule(graph: Graph, input_in: InputIn, limit: int, name: str = "auto") -> Schedule:
    """The schedule of the fewest estimated cycles whose arena, scratch and stack fit ``limit`` bytes.

    Raises ScheduleError if none fits, UnsupportedError for what no kernel computes.
    """
    lowered = lower_all(graph)
    pieces = find_pieces(graph, input_in, bands=BANDS, lowered=lowered)
    count = len(graph.operators)
    for cover in front([piece for piece in pieces if piece.bytes <= limit], count):
        schedule = Schedule(name=name, input_in=input_in, stages=stages_for(graph, cover))
        if make_program(graph, schedule, lowered=lowered).plan.sram_bytes + STACK_BYTES <= limit:
            return schedule
    raise ScheduleError(
        f"no schedule of {graph.name} that mcusim knows fits {_size(limit)}: activations alone take "
        f"{_size(least_limit(pieces, count))}, kernels and stack come on top"
    )


def timely_schedule(graph: Graph, input_in: InputIn, limit: float, name: str) -> Schedule:
    """The schedule of the fewest bytes whose cycles, estimated at zero wait states, are at most ``limit``.

    Raises ScheduleError if none is as fast, UnsupportedError for what no kernel computes.
    """
    pieces = find_pieces(graph, input_in, bands=BANDS, lowered=lower_all(graph))
    best = None
    for cover in front(pieces, len(graph.operators)):
        needed = cycles(cover)
        if needed > limit:
            if best is None:
                raise ScheduleError(
                    f"no schedule of {graph.name} that mcusim knows is done within "
                    f"{_digits(limit / 1e6)} million cycles: the fastest is estimated at "
                    f"{_digits(needed / 1e6)} million"
                )
            break
        best = cover
    return Schedule(name=name, input_in=input_in, stages=stages_for(graph, best or ()))


def _size(count: float) -> str:
    """``count`` bytes, in KiB from one on."""
    return f"{count / 1024:.1f} KiB" if count >= 1024 else f"{count:.0f} B"


def _digits(value: float) -> str:
    """Three significant digits, or all of a larger number's, without an exponent."""
    places = max(0, 2 - math.floor(math.log10(value))) if value > 0 else 1
    return f"{value:.{places}f}"
