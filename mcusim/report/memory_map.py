"""SRAM over time as an SVG: addresses up, cycles across, coloured by the layer that wrote what lies there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from mcusim.report import figures
from mcusim.report.changes import layer_title
from mcusim.report.skyline import BOTTOM, GAP, LEFT, RIGHT, TOP, WIDTH, fitted_title, grid
from mcusim.trace import MemorySpan, Trace

HEIGHT = 380
LABEL = (24, 14)
"""Width and height from which on a block carries its layer's number."""
TURN = 137.508
"""Degrees between the hues of one layer and the next: the golden angle, so that neighbours differ."""

STYLE = """
.map { font: 12px system-ui, sans-serif; fill: #1c2330; }
.map .faint { fill: #667085; }
.map .grid { stroke: #d5dae3; stroke-width: 1; }
.map .frame { fill: none; stroke: #d5dae3; }
.map .outside { fill: #98a2b3; }
.map .number { font-size: 10px; fill: #1c2330; pointer-events: none; }
@media (prefers-color-scheme: dark) {
  .map { fill: #e6e9ef; }
  .map .faint { fill: #98a2b3; }
  .map .grid, .map .frame { stroke: #333b49; }
  .map .outside { fill: #667085; }
}
"""


@dataclass(frozen=True)
class _Axes:
    """Where a run is drawn, and units of the picture for a cycle and for a byte."""

    left: float
    per_cycle: float
    base: int
    per_byte: float

    def place(self, span: MemorySpan) -> tuple[float, float, float, float]:
        """x, y, width and height of a span's block."""
        top = HEIGHT - BOTTOM - (span.address + span.bytes - self.base) * self.per_byte
        return (
            self.left + span.start * self.per_cycle,
            top,
            (span.end - span.start) * self.per_cycle,
            span.bytes * self.per_byte,
        )


def picture(traces: Sequence[Trace]) -> str:
    """An SVG with a panel for each run that kept a memory map, as wide as it took; empty text if none did.

    A block is data that one layer wrote, from when that layer began until something else was written there.
    """
    shown = [trace for trace in traces if trace.memory_map and trace.totals.cycles]
    if not shown:
        return ""
    most = max(_extent(trace) for trace in shown)
    per_byte = (HEIGHT - TOP - BOTTOM) / most
    seconds = sum(trace.totals.seconds for trace in shown)
    unit = (WIDTH - LEFT - RIGHT - GAP * (len(shown) - 1)) / seconds
    parts = [grid(most, per_byte, HEIGHT)]
    left = float(LEFT)
    for trace in shown:
        width = trace.totals.seconds * unit
        axes = _Axes(left, width / trace.totals.cycles, _base(trace), per_byte)
        parts.append(_panel(trace, axes, width))
        left += width + GAP
    return (
        f'<svg class="map" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">\n'
        f"<style>{STYLE}</style>\n" + "\n".join(parts) + "\n</svg>\n"
    )


def _base(trace: Trace) -> int:
    return min(span.address for span in trace.memory_map)


def _extent(trace: Trace) -> int:
    return max(span.address + span.bytes for span in trace.memory_map) - _base(trace)


def _panel(trace: Trace, axes: _Axes, width: float) -> str:
    title = fitted_title(trace, width)
    right = axes.left + width
    parts = [
        f'<text x="{axes.left:.1f}" y="14">{escape(title)}</text>',
        f'<text class="faint" x="{axes.left:.1f}" y="31">SRAM from 0x{axes.base:08x}</text>',
        *(_block(trace, span, axes) for span in trace.memory_map),
        f'<text class="faint" x="{axes.left:.1f}" y="{HEIGHT - 8}">0</text>',
        f'<text class="faint" x="{right:.1f}" y="{HEIGHT - 8}" text-anchor="end">'
        f"{figures.time(trace.totals.seconds)}</text>",
    ]
    return "\n".join(parts)


def _block(trace: Trace, span: MemorySpan, axes: _Axes) -> str:
    x, y, width, height = axes.place(span)
    layer = trace.layers[span.layer] if span.layer >= 0 else None
    name = layer_title(layer) if layer else "outside all layers"
    words = f"{name}: {figures.kib(span.bytes)} at 0x{span.address:08x}"
    shape = f'x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}"'
    title = f"<title>{escape(words)}</title>"
    if layer is None:
        return f'<rect class="outside" {shape}>{title}</rect>'
    hue = span.layer * TURN % 360
    drawn = f'<rect fill="hsl({hue:.0f} 60% 66%)" {shape}>{title}</rect>'
    if width >= LABEL[0] and height >= LABEL[1]:
        drawn += f'<text class="number" x="{x + 3:.1f}" y="{y + 11:.1f}">#{layer.index}</text>'
    return drawn
