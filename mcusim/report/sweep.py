"""The results of a sweep: a table, comma-separated values, or JSON."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from pathlib import PurePath
from typing import Literal

import msgspec
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mcusim.report import figures
from mcusim.report.canvas import open_console, show
from mcusim.sweep.document import Failure, Figures, Result

ASKED = ("network", "chip", "clock", "schedule", "input_in")


def render(
    results: Sequence[Result],
    failures: Sequence[Failure],
    measured: int,
    form: Literal["text", "csv", "json"],
) -> None:
    """Print ``results``, of which ``measured`` are new, to standard output; ``failures`` in the table only,
    for they are no results."""
    if form == "text":
        render_text(results, failures, measured, open_console())
    elif form == "csv":
        _write_csv(results)
    else:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(results), indent=2) + b"\n")


def render_text(
    results: Sequence[Result], failures: Sequence[Failure], measured: int, console: Console
) -> None:
    """One line a point; what cannot be stands with its reason."""
    parts: list[RenderableType] = [_table(results)]
    refused = [(result.refusal, _name(result)) for result in results if result.figures is None]
    parts += _reasons("These cannot be:", refused, "bold")
    parts += _reasons("These failed:", [(failure.reason, _name(failure)) for failure in failures], "bold red")
    parts.append(Text(f"\n{_sentence(len(results), measured)}", style="dim"))
    show(console, Group(*parts))


def _reasons(title: str, points: Sequence[tuple[str, str]], style: str) -> list[RenderableType]:
    """Every reason once, with the points that it holds for; ``points``: pairs of a reason and a name."""
    if not points:
        return []
    parts: list[RenderableType] = [Text(f"\n{title}", style=style)]
    for reason in dict.fromkeys(reason for reason, _ in points):
        parts += [Padding(Text(name), (0, 0, 0, 2)) for other, name in points if other == reason]
        parts.append(Padding(Text(reason, style="dim"), (0, 0, 0, 4)))
    return parts


def _sentence(count: int, measured: int) -> str:
    points = "1 point" if count == 1 else f"{count:,} points"
    return f"{points}: {measured:,} measured now, {count - measured:,} kept from before"


def _name(point: Result | Failure) -> str:
    parts = (_short(point.network), _short(point.schedule), point.chip, point.clock)
    return " ".join(part for part in parts if part)


def _short(name: str) -> str:
    """A file without its folder."""
    return name if name.startswith("zoo:") else PurePath(name).name


def _table(results: Sequence[Result]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("network", "schedule", "chip"):
        table.add_column(title, no_wrap=True, overflow="ellipsis")
    for title in ("MHz", "waits", "cycles", "ms", "SRAM", "flash"):
        table.add_column(title, justify="right", no_wrap=True)
    for result in results:
        if result.figures is not None:
            names = (_short(result.network), _short(result.schedule), result.chip)
            table.add_row(*names, *_cells(result.figures))
    return table


def _cells(found: Figures) -> tuple[str, ...]:
    return (
        f"{found.clock_hz / 1e6:g}",
        str(found.wait_states),
        figures.count(found.cycles),
        f"{found.seconds * 1e3:,.2f}",
        figures.kib(found.sram_peak_bytes),
        figures.kib(found.flash_bytes),
    )


def _write_csv(results: Sequence[Result]) -> None:
    names = Figures.__struct_fields__
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow((*ASKED, *names, "refusal"))
    for result in results:
        asked = [getattr(result, name) for name in ASKED]
        measured = [getattr(result.figures, name) if result.figures else "" for name in names]
        writer.writerow((*asked, *measured, result.refusal))
