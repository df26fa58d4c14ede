"""The front of schedules: SRAM against cycles, planned and, where they were run, measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from mcusim.report import figures
from mcusim.report.canvas import bar, has_blocks, section, show


@dataclass(frozen=True)
class FrontRow:
    """One schedule. ``stages`` says which operators run together; ``needed_bytes`` is arena, scratch and
    stack; what was measured is None where it was not run, ``exact`` whether the arena was as planned."""

    stages: str
    needed_bytes: int
    mac_factor: float
    cycles: float
    measured_bytes: int | None = None
    measured_cycles: int | None = None
    exact: bool | None = None


def render(network: str, rows: Sequence[FrontRow], console: Console) -> None:
    """Print the front, the fastest schedule first."""
    parts: list[RenderableType] = [section(f"Front of {network}")]
    parts.append(_table(rows, blocks=has_blocks(console)))
    note = "Cycles at zero wait states, planned from one run layer by layer; not streamed: one by one."
    show(console, Group(*parts, Text(note, style="dim")))


def _table(rows: Sequence[FrontRow], *, blocks: bool) -> RenderableType:
    verified = any(row.measured_cycles is not None for row in rows)
    table = Table.grid(padding=(0, 2, 0, 0))
    titles = ["SRAM", "", "MACs", "Mcycles"]
    titles += ["measured SRAM", "Mcycles", "arena", ""] if verified else [""]
    for title in titles:
        table.add_column(justify="left" if title in ("", "arena") else "right", no_wrap=title != "")
    table.add_row(*(Text(title, style="dim") for title in titles))
    most = max(row.needed_bytes for row in rows)
    for row in rows:
        cells: list[RenderableType] = [
            figures.kib(row.needed_bytes),
            bar(row.needed_bytes / most, 16, blocks=blocks),
            f"{row.mac_factor:.3f}x",
            f"{row.cycles / 1e6:.2f}",
        ]
        if verified:
            cells += _measured(row)
        table.add_row(*cells, Text(row.stages, style="dim"))
    return table


def _measured(row: FrontRow) -> list[RenderableType]:
    if row.measured_cycles is None or row.measured_bytes is None:
        return [Text("does not fit", style="red"), "", ""]
    off = row.cycles / row.measured_cycles - 1
    arena = Text("exact", style="green") if row.exact else Text("differs", style="red")
    return [figures.kib(row.measured_bytes), f"{row.measured_cycles / 1e6:.2f} ({off:+.1%})", arena]
