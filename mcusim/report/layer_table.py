"""The per-layer table of a run: who took the cycles, how well the MACs went, how much memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from mcusim.report import figures
from mcusim.report.canvas import bar
from mcusim.trace import Layer, Trace

WIDE = 96
"""Columns from which on the table shows shapes and live or touched bytes as well."""
LONGEST = 24
"""Characters of a layer's name; longer ones are cut."""
OP_NAMES = {
    "DEPTHWISE_CONV_2D": "DEPTHWISE",
    "FULLY_CONNECTED": "DENSE",
    "AVERAGE_POOL_2D": "AVG_POOL",
    "MAX_POOL_2D": "MAX_POOL",
    "RESIZE_NEAREST_NEIGHBOR": "RESIZE",
}


@dataclass(frozen=True)
class _Column:
    title: str
    cell: Callable[[Layer], Text | str]
    right: bool = True


def short_op(op: str) -> str:
    """An operator's name as narrow tables print it."""
    return OP_NAMES.get(op, op)


def layer_label(layer: Layer) -> str:
    """An operator's short name; the function's name where a function was taken as a layer."""
    name = layer.name if layer.op in {"", "function"} else short_op(layer.op)
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "~"


def layer_table(trace: Trace, width: int, *, blocks: bool) -> Table:
    """One row a layer in execution order, and a last row for the cycles outside all layers."""
    columns = _columns(trace, width, blocks=blocks)
    table = Table.grid(padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(justify="right" if column.right else "left", no_wrap=True)
    table.add_row(*(Text(column.title, style="dim") for column in columns))
    previous = trace.layers[0].stage
    for layer in trace.layers:
        if layer.stage != previous:
            table.add_row()
        previous = layer.stage
        table.add_row(*(column.cell(layer) for column in columns))
    rest = trace.totals.cycles - sum(layer.cycles for layer in trace.layers)
    cells = {"cycles": figures.count(rest), "share": figures.percent(rest, trace.totals.cycles)}
    cells[columns[1].title] = "(the rest)"
    table.add_row(*(Text(cells.get(column.title, ""), style="dim") for column in columns))
    return table


def _columns(trace: Trace, width: int, *, blocks: bool) -> list[_Column]:
    wide = width >= WIDE
    total = trace.totals.cycles
    most = max(1, max(layer.cycles for layer in trace.layers))
    bar_width = 14 if wide and not any(layer.live_peak_bytes for layer in trace.layers) else 10
    columns = [_Column("#", lambda layer: str(layer.index)), _Column("layer", layer_label, right=False)]
    if wide and any(layer.shape_out for layer in trace.layers):
        columns.append(_Column("output", lambda layer: figures.shape(layer.shape_out)))
    if any(layer.calls > 1 for layer in trace.layers):
        columns.append(_Column("calls", lambda layer: figures.count(layer.calls)))
    columns += [
        _Column("cycles", lambda layer: figures.count(layer.cycles)),
        _Column("share", lambda layer: figures.percent(layer.cycles, total)),
        _Column("", lambda layer: bar(layer.cycles / most, bar_width, blocks=blocks), right=False),
    ]
    if any(layer.macs for layer in trace.layers):
        columns.append(_Column("MAC/cycle", _efficiency))
    columns.append(_Column("stack", lambda layer: figures.kib(layer.stack_bytes)))
    if wide:
        columns += _memory_columns(trace, blocks=blocks)
    return columns


def _memory_columns(trace: Trace, *, blocks: bool) -> list[_Column]:
    """The most bytes live in a layer, with a bar; the bytes that it touched where that was not measured."""
    most = max(layer.live_peak_bytes for layer in trace.layers)
    if most:
        return [
            _Column("live", lambda layer: figures.kib(layer.live_peak_bytes)),
            _Column(
                "", lambda layer: bar(layer.live_peak_bytes / most, 6, blocks=blocks, style="blue"), False
            ),
        ]
    if any(layer.touched_bytes for layer in trace.layers):
        return [_Column("touched", lambda layer: figures.kib(layer.touched_bytes))]
    return []


def _efficiency(layer: Layer) -> Text:
    """MACs per cycle: one 32-bit SIMD instruction makes two, so 1 is very good and below 0.2 is poor."""
    if not layer.macs or not layer.cycles:
        return Text("-", style="dim")
    value = layer.macs / layer.cycles
    style = "green" if value >= 0.4 else "yellow" if value >= 0.2 else "red"
    return Text(f"{value:.2f}", style=style)
