"""Several runs side by side, the first one being what the others are measured against."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from mcusim.report import figures
from mcusim.report.canvas import bar, has_blocks, show
from mcusim.report.layer_table import short_op
from mcusim.report.terminal import section
from mcusim.trace import Layer, Trace

STYLES = ("cyan", "magenta", "yellow", "green", "blue", "red")
BAR = 20
MANY = 3
"""From so many runs on the bars are left out of the tables."""


@dataclass(frozen=True)
class Candidate:
    """A run and the name under which it is compared."""

    label: str
    trace: Trace


@dataclass(frozen=True)
class _Metric:
    name: str
    value: Callable[[Trace], float]
    text: Callable[[Trace], str]
    indent: int = 0


def _bytes(name: str, value: Callable[[Trace], int], indent: int = 0) -> _Metric:
    return _Metric(name, value, lambda trace: figures.kib(value(trace)), indent)


METRICS = (
    _Metric("cycles", lambda t: t.totals.cycles, lambda t: figures.count(t.totals.cycles)),
    _Metric("time", lambda t: t.totals.seconds, lambda t: figures.time(t.totals.seconds)),
    _Metric("instructions", lambda t: t.totals.instructions, lambda t: figures.count(t.totals.instructions)),
    _Metric("MACs", lambda t: t.totals.macs, lambda t: figures.count(t.totals.macs)),
    _bytes("SRAM peak", lambda t: t.memory.sram_peak_bytes),
    _bytes("arena", lambda t: t.memory.arena_bytes, 1),
    _bytes("of it input", lambda t: t.memory.input_bytes, 2),
    _bytes("scratch", lambda t: t.memory.scratch_bytes, 1),
    _bytes("stack", lambda t: t.memory.stack_bytes, 1),
    _bytes("static", lambda t: t.memory.static_bytes, 1),
    _bytes("heap", lambda t: t.memory.heap_bytes, 1),
    _bytes("flash", lambda t: t.firmware.flash_bytes),
)


def render(candidates: Sequence[Candidate], console: Console, *, notes: Sequence[str] = ()) -> None:
    """Print totals, then layers; ``notes`` (such as whether the outputs agree) stand at the end."""
    blocks = has_blocks(console)
    colour = console.color_system is not None and not console.no_color
    parts: list[RenderableType] = [_key(candidates), Rule(style="bright_black")]
    parts.append(totals(candidates, blocks=blocks, colour=colour))
    if any(candidate.trace.layers for candidate in candidates):
        parts += [section("Cycles by layer"), layers(candidates, console.width, blocks=blocks)]
    if notes:
        parts.append(Text("\n" + "\n".join(notes)))
    show(console, Group(*parts))


def _letters(candidates: Sequence[Candidate]) -> list[Text]:
    return [
        Text(_letter(position), style=f"bold {STYLES[position % len(STYLES)]}")
        for position in range(len(candidates))
    ]


def _letter(position: int) -> str:
    return chr(ord("A") + position) if position < 26 else str(position + 1)


def _key(candidates: Sequence[Candidate]) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    grid.add_column(no_wrap=True)
    grid.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    grid.add_column(justify="right", no_wrap=True)
    for letter, candidate in zip(_letters(candidates), candidates, strict=True):
        chip = candidate.trace.chip
        where = f"{chip.name}, {figures.frequency(chip.clock_hz)}, {chip.wait_states} wait states"
        grid.add_row(letter, Text(candidate.label, style="bold"), Text(where, style="dim"))
    return grid


def totals(candidates: Sequence[Candidate], *, blocks: bool, colour: bool) -> Table:
    """One row a metric: the first run's value, then each further one and its factor over the first.

    The bars of the parts of the SRAM peak share the scale of the peak; every other row has its own.
    """
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    header: list[Text] = [Text("")]
    bars = blocks and len(candidates) == 2
    for position, letter in enumerate(_letters(candidates)):
        table.add_column(justify="right", no_wrap=True)
        header.append(letter)
        if position:
            table.add_column(justify="right", no_wrap=True)
            header.append(Text(f"{_letter(position)} / A", style="dim"))
    if bars:
        table.add_column(no_wrap=True)
        header.append(Text(""))
    table.add_row(*header)
    most = 0.0
    for metric in METRICS:
        values = [metric.value(candidate.trace) for candidate in candidates]
        if not any(values):
            continue
        cells = _metric_cells(metric, candidates, values)
        if bars:
            most = most if metric.indent else max(values)
            cells.append(_paired_bars(values[0] / most, values[1] / most, colour=colour))
        table.add_row(*cells)
    return table


def _metric_cells(metric: _Metric, candidates: Sequence[Candidate], values: Sequence[float]) -> list[Text]:
    style = "dim" if metric.indent else ""
    cells = [Text("  " * metric.indent + metric.name, style=style)]
    for position, candidate in enumerate(candidates):
        cells.append(Text(metric.text(candidate.trace), style=style))
        if position:
            cells.append(_factor(values[position], values[0]))
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


def layers(candidates: Sequence[Candidate], width: int, *, blocks: bool) -> Table:
    """One row an operator index, in the order in which any run has it."""
    by_index = [{layer.index: layer for layer in candidate.trace.layers} for candidate in candidates]
    indices = sorted(set().union(*by_index))
    most = max(1, max(layer.cycles for found in by_index for layer in found.values()))
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
        if position:
            table.add_column(justify="right", no_wrap=True)
            header.append(Text(f"{_letter(position)} / A", style="dim"))
    table.add_row(*header)
    for index in indices:
        row = [found.get(index) for found in by_index]
        table.add_row(*_layer_cells(index, row, most, bars=bars, blocks=blocks))
    return table


def _layer_cells(
    index: int, row: Sequence[Layer | None], most: int, *, bars: bool, blocks: bool
) -> list[Text]:
    named = next(layer for layer in row if layer is not None)
    cells = [Text(str(index)), Text(short_op(named.op) or named.name[:24])]
    base = row[0].cycles if row[0] else 0
    for position, layer in enumerate(row):
        cycles = layer.cycles if layer else 0
        cells.append(Text(figures.count(cycles) if layer else "-"))
        if bars:
            cells.append(bar(cycles / most, 12, blocks=blocks, style=STYLES[position % len(STYLES)]))
        if position:
            cells.append(_factor(cycles, base) if layer else Text("-", style="dim"))
    return cells
