"""Several runs side by side, the first one being what the others are measured against."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from mcusim.report import figures
from mcusim.report.canvas import bar, has_blocks, rule, section, show
from mcusim.report.layer_table import layer_label
from mcusim.report.metrics import METRICS, Metric
from mcusim.report.terminal import chip_line
from mcusim.trace import Trace

STYLES = ("cyan", "magenta", "yellow", "green", "blue", "red")
BAR = 20
FOLDED = 3
"""So many neighbouring layers that are alike become one row."""
UNBOUNDED = 1000
"""Columns that no table takes."""
MANY = 3
"""From so many runs on the bars are left out of the tables."""


@dataclass(frozen=True)
class Candidate:
    """A run and the name under which it is compared."""

    label: str
    trace: Trace


ROWS = (
    ("cycles", 0),
    ("time", 0),
    ("instructions", 0),
    ("macs", 0),
    ("sram", 0),
    ("live", 1),
    ("arena", 1),
    ("input", 2),
    ("written", 2),
    ("scratch", 1),
    ("stack", 1),
    ("static", 1),
    ("heap", 1),
    ("flash", 0),
    ("code", 1),
)
"""The figures that are shown, with the depth at which they are parts of those above."""


def render(
    candidates: Sequence[Candidate], console: Console, *, notes: Sequence[str] = (), fold: bool = True
) -> None:
    """Print totals, then layers; ``notes`` (such as whether the outputs agree) stand at the end. ``fold``
    makes one row of neighbouring layers that cost the same in all runs."""
    blocks = has_blocks(console)
    colour = console.color_system is not None and not console.no_color
    factors = _have_room(totals(candidates, blocks=blocks, colour=colour, factors=True), console)
    parts: list[RenderableType] = [_key(candidates), rule(blocks=blocks)]
    parts.append(totals(candidates, blocks=blocks, colour=colour, factors=factors))
    if any(candidate.trace.layers for candidate in candidates):
        parts.append(section("Cycles by layer"))
        parts.append(layers(candidates, console.width, blocks=blocks, fold=fold, factors=factors))
    if notes:
        parts.append(Text("\n" + "\n".join(notes)))
    show(console, Group(*parts))


def _have_room(table: Table, console: Console) -> bool:
    return (
        console.measure(table, options=console.options.update(max_width=UNBOUNDED)).maximum <= console.width
    )


def _letters(candidates: Sequence[Candidate]) -> list[Text]:
    return [
        Text(_letter(position), style=f"bold {STYLES[position % len(STYLES)]}")
        for position in range(len(candidates))
    ]


def _letter(position: int) -> str:
    return chr(ord("A") + position) if position < 26 else str(position + 1)


def _key(candidates: Sequence[Candidate]) -> RenderableType:
    """What each letter stands for, and on which chip; one line for all if the chip is the same."""
    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    grid.add_column(no_wrap=True)
    grid.add_column(ratio=1, overflow="fold")
    grid.add_column(justify="right", no_wrap=True)
    places = [chip_line(candidate.trace) for candidate in candidates]
    same = len(set(places)) == 1
    for letter, candidate, place in zip(_letters(candidates), candidates, places, strict=True):
        grid.add_row(letter, Text(candidate.label, style="bold"), Text("" if same else place, style="dim"))
    if same:
        grid.add_row("", Text(f"on {places[0]}", style="dim"), "")
    return grid


def totals(candidates: Sequence[Candidate], *, blocks: bool, colour: bool, factors: bool) -> Table:
    """One row a metric: the first run's value, then each further one and, if there is room for ``factors``,
    its factor over the first.

    The bars of the parts of the SRAM peak and of the flash share the scale of the whole; every other row has
    its own.
    """
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    header: list[Text] = [Text("")]
    bars = blocks and len(candidates) == 2
    for position, letter in enumerate(_letters(candidates)):
        table.add_column(justify="right", no_wrap=True)
        header.append(letter)
        if position and factors:
            table.add_column(justify="right", no_wrap=True)
            header.append(Text(f"{_letter(position)} / A", style="dim"))
    if bars:
        table.add_column(no_wrap=True)
        header.append(Text(""))
    table.add_row(*header)
    most = 0.0
    for name, depth in ROWS:
        metric = METRICS[name]
        values = [metric.of(candidate.trace) for candidate in candidates]
        if not any(values):
            continue
        cells = _metric_cells(metric, depth, values, factors=factors)
        if bars:
            most = most if depth else max(values)
            cells.append(_paired_bars(values[0] / most, values[1] / most, colour=colour))
        table.add_row(*cells)
    return table


def _metric_cells(metric: Metric, depth: int, values: Sequence[float], *, factors: bool) -> list[Text]:
    style = "dim" if depth else ""
    cells = [Text("  " * depth + metric.title, style=style)]
    for position, value in enumerate(values):
        cells.append(Text(metric.text(value), style=style))
        if position and factors:
            cells.append(_factor(value, values[0]))
    return cells


def _factor(value: float, base: float) -> Text:
    """Less is better for every metric that is compared."""
    text = figures.ratio(value, base)
    if base <= 0 or text == "1.000x":
        return Text(text, style="dim")
    return Text(text, style="green" if value < base else "red")


def _paired_bars(first: float, second: float, *, colour: bool) -> Text:
    """Two bars (shares of the width) in one line: the first in the upper halves, the second below."""
    columns = [min(BAR, max(round(BAR * share), 1 if share > 0 else 0)) for share in (first, second)]
    both = min(columns)
    text = Text()
    text.append(("▀" if colour else "█") * both, style=f"{STYLES[0]} on {STYLES[1]}" if colour else "")
    text.append("▀" * (columns[0] - both), style=STYLES[0])
    text.append("▄" * (columns[1] - both), style=STYLES[1])
    return text


def layers(candidates: Sequence[Candidate], width: int, *, blocks: bool, fold: bool, factors: bool) -> Table:
    """One row an operator index that any run has; ``fold`` makes one row of neighbours that cost the
    same in all runs. ``factors``: as in ``totals``."""
    rows = _layer_rows(candidates)
    if fold:
        rows = _folded(rows)
    single = [cycles for row in rows for cycles in row.cycles if cycles is not None and not row.folded]
    most = max(single, default=1) or 1
    bars = len(candidates) < MANY and width >= 80
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    header = [Text("#", style="dim"), Text("layer", style="dim")]
    for position, letter in enumerate(_letters(candidates)):
        table.add_column(justify="right", no_wrap=True)
        header.append(letter)
        if bars:
            table.add_column(no_wrap=True)
            header.append(Text(""))
        if position and factors:
            table.add_column(justify="right", no_wrap=True)
            header.append(Text(f"{_letter(position)} / A", style="dim"))
    table.add_row(*header)
    for row in rows:
        table.add_row(*_layer_cells(row, most, bars=bars, blocks=blocks, factors=factors))
    return table


@dataclass(frozen=True)
class _LayerRow:
    """Cycles of one layer, or of several neighbours together, in every run; None where it has none."""

    first: int
    last: int
    name: str
    cycles: tuple[int | None, ...]

    @property
    def folded(self) -> bool:
        return self.first != self.last

    @property
    def alike(self) -> bool:
        """Whether all runs spent the same on it, as far as the factors show."""
        base = self.cycles[0]
        return base is not None and all(
            cycles is not None and figures.ratio(cycles, base) in {"1.000x", "-"} for cycles in self.cycles
        )


def _layer_rows(candidates: Sequence[Candidate]) -> list[_LayerRow]:
    by_index = [{layer.index: layer for layer in candidate.trace.layers} for candidate in candidates]
    rows = []
    for index in sorted(set().union(*by_index)):
        found = [layers.get(index) for layers in by_index]
        named = next(layer for layer in found if layer is not None)
        cycles = tuple(layer.cycles if layer else None for layer in found)
        rows.append(_LayerRow(index, index, layer_label(named), cycles))
    return rows


def _folded(rows: Sequence[_LayerRow]) -> list[_LayerRow]:
    """``rows`` with every ``FOLDED`` or more neighbours that are alike made one."""
    folded: list[_LayerRow] = []
    for alike, group in itertools.groupby(rows, key=lambda row: row.alike):
        together = list(group)
        if not alike or len(together) < FOLDED:
            folded += together
            continue
        columns = zip(*(row.cycles for row in together), strict=True)
        sums = tuple(sum(cycles or 0 for cycles in column) for column in columns)
        name = f"{len(together)} layers alike"
        folded.append(_LayerRow(together[0].first, together[-1].last, name, sums))
    return folded


def _layer_cells(row: _LayerRow, most: int, *, bars: bool, blocks: bool, factors: bool) -> list[Text]:
    style = "dim" if row.folded else ""
    number = f"{row.first}-{row.last}" if row.folded else str(row.first)
    cells = [Text(number, style=style), Text(row.name, style=style)]
    base = row.cycles[0] or 0
    for position, cycles in enumerate(row.cycles):
        cells.append(Text(figures.count(cycles) if cycles is not None else "-", style=style))
        if bars:
            share = 0 if row.folded else (cycles or 0) / most
            cells.append(bar(share, 12, blocks=blocks, style=STYLES[position % len(STYLES)]))
        if position and factors:
            cells.append(_factor(cycles, base) if cycles is not None else Text("-", style="dim"))
    return cells
