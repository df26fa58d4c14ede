"""Chips on a terminal: one line each, or one chip with the source of every number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from mcusim.report import figures
from mcusim.report.canvas import show


@dataclass(frozen=True)
class RegionLine:
    """Memory [start, start + size) in bytes; ``kind`` is flash, sram or peripheral."""

    name: str
    kind: str
    start: int
    size: int
    source: str


@dataclass(frozen=True)
class ChipSheet:
    """What a chip's description says, each number with where it is from."""

    name: str
    title: str
    core: str
    clock_hz: int
    clock_source: str
    wait_states: int
    wait_states_source: str
    regions: tuple[RegionLine, ...]

    def size_of(self, kind: str) -> int:
        """Bytes in all regions of one kind."""
        return sum(region.size for region in self.regions if region.kind == kind)


def render_list(sheets: Sequence[ChipSheet], console: Console) -> None:
    """One line a chip."""
    table = Table.grid(padding=(0, 3, 0, 0))
    table.add_column(style="bold cyan", no_wrap=True)
    table.add_column()
    for _ in range(4):
        table.add_column(justify="right", no_wrap=True)
    titles = ("name", "chip", "clock", "wait states", "SRAM", "flash")
    table.add_row(*(Text(title, style="dim") for title in titles))
    for sheet in sheets:
        table.add_row(
            sheet.name,
            sheet.title,
            figures.frequency(sheet.clock_hz),
            str(sheet.wait_states),
            figures.kib(sheet.size_of("sram")),
            figures.kib(sheet.size_of("flash")),
        )
    show(console, table)


def render_sheet(sheet: ChipSheet, console: Console) -> None:
    """One chip: core, clock, wait states and regions, a source beside every number."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, justify="right")
    table.add_column(style="dim", overflow="fold")
    table.add_row("core", sheet.core, "", "")
    table.add_row("clock", "", figures.frequency(sheet.clock_hz), sheet.clock_source)
    table.add_row("wait states", "", str(sheet.wait_states), sheet.wait_states_source)
    for region in sheet.regions:
        table.add_row(region.name, f"0x{region.start:08x}", figures.kib(region.size), region.source)
    show(console, Group(Text(f"{sheet.name}: {sheet.title}", style="bold cyan"), table))
