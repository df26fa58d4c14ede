"""A network before and after its receptive field was moved behind the patch stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from mcusim.report.canvas import section, show

TITLES = ("", "before", "after", "")


@dataclass(frozen=True)
class BlockRow:
    """An inverted residual in words, "" where a side has none; ``in_stage`` whether patches run it."""

    before: str
    after: str
    in_stage: bool


@dataclass(frozen=True)
class FigureRow:
    """A figure of both sides as text, and how it changed."""

    name: str
    before: str
    after: str
    change: str = ""


@dataclass(frozen=True)
class Sheet:
    """``network``: name under which the redistributed network is in the zoo. ``notes``: whole sentences."""

    title: str
    network: str
    figures: tuple[FigureRow, ...]
    blocks: tuple[BlockRow, ...]
    notes: tuple[str, ...] = ()


def render(sheet: Sheet, console: Console) -> None:
    """Print figures, then blocks side by side, those of the patch stage marked."""
    parts: list[RenderableType] = [section(sheet.title), _figures(sheet.figures)]
    parts += [section("Blocks (| in the patch stage), with their channels at width 1"), _blocks(sheet.blocks)]
    parts += [Text(f"\n{note}", style="yellow") for note in sheet.notes]
    parts.append(Text(f"\nThe network is {sheet.network}", style="dim"))
    show(console, Group(*parts))


def _figures(rows: Sequence[FigureRow]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column()
    for _ in TITLES[1:]:
        table.add_column(justify="right", no_wrap=True)
    table.add_row(*(Text(title, style="dim") for title in TITLES))
    for row in rows:
        table.add_row(row.name, row.before, row.after, Text(row.change, style="dim"))
    return table


def _blocks(rows: Sequence[BlockRow]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    for row in rows:
        style = "cyan" if row.in_stage else ""
        changed = "bold" if row.before != row.after else "dim"
        table.add_row(
            Text("|" if row.in_stage else " ", style=style),
            Text(row.before, style="dim"),
            Text(row.after, style=changed),
        )
    return table
