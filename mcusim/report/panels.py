"""Runs side by side in one picture, on one scale of time: what pictures of SRAM have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mcusim.report import figures
from mcusim.report.drawing import Shape, Text
from mcusim.report.terminal import title_of
from mcusim.trace import Trace

WIDTH = 960
RIGHT, TOP, BOTTOM = 8, 44, 26
"""Margins, in the units of the picture."""
LETTER = 7.0
"""Width of a letter of the titles, generously."""
NARROWEST = 40.0


@dataclass(frozen=True)
class Panel:
    """Where a run is drawn: ``left`` and ``width`` in units of the picture."""

    trace: Trace
    left: float
    width: float

    @property
    def right(self) -> float:
        """Where the panel ends."""
        return self.left + self.width

    def x(self, cycles: float) -> float:
        """Where a cycle of the run lies."""
        return self.left + self.width * cycles / self.trace.totals.cycles


def side_by_side(traces: Sequence[Trace], left: float, gap: float) -> list[Panel]:
    """A panel for each run, as wide as it took: the first from ``left`` on, ``gap`` between two."""
    room = WIDTH - left - RIGHT - gap * (len(traces) - 1)
    least = min(NARROWEST, room / len(traces))
    seconds = sum(trace.totals.seconds for trace in traces)
    shares = [max(room * trace.totals.seconds / seconds, least) for trace in traces]
    panels = []
    for trace, share in zip(traces, shares, strict=True):
        panels.append(Panel(trace, left, share * room / sum(shares)))
        left = panels[-1].right + gap
    return panels


def label(what: str, traces: Sequence[Trace]) -> str:
    """The picture in words."""
    return f"{what}: " + ", ".join(title_of(trace) for trace in traces)


def heading(panel: Panel, below: str, ink: str) -> list[Shape]:
    """Network and schedule, cut at their beginning where the room is short (the schedule differs), and a
    line below."""
    title = title_of(panel.trace)
    fitting = int(panel.width / LETTER)
    if len(title) > fitting:
        title = f"~{title[len(title) - max(fitting - 1, 0) :]}"
    return [Text(panel.left, 14, title), Text(panel.left, 31, below, ink)]


def time_axis(panel: Panel, height: float) -> list[Shape]:
    """Start and end of the run, at the foot of a picture of this height."""
    end = figures.time(panel.trace.totals.seconds)
    return [
        Text(panel.left, height - 8, "0", "faint"),
        Text(panel.right, height - 8, end, "faint", anchor="end"),
    ]
