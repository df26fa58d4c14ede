"""SRAM over time as an SVG: cycles across, bytes up, a block a layer; runs side by side on one scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from mcusim.report import figures
from mcusim.report.changes import layer_title
from mcusim.report.terminal import title_of
from mcusim.trace import Layer, Trace

WIDTH, HEIGHT = 960, 300
LEFT, RIGHT, TOP, BOTTOM = 66, 8, 44, 26
GAP = 26
"""Between panels, in the units of the picture."""
LETTER = 7.0
"""Width of a letter of the titles, generously."""
STEPS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
"""KiB between lines of the grid."""
STAGES = 6
"""Colours that stages of a schedule take in turn."""

STYLE = """
.sky { font: 12px system-ui, sans-serif; fill: #1c2330; }
.sky .grid { stroke: #d5dae3; stroke-width: 1; }
.sky .peak { stroke: #c2410c; stroke-width: 1.5; stroke-dasharray: 5 4; }
.sky .faint { fill: #667085; }
.sky .need { fill: #c2410c; }
.sky .wasted { fill: #c2410c; fill-opacity: 0.09; }
.sky rect.block { stroke: #ffffff; stroke-width: 0.6; }
.sky .s0 { fill: #0891b2; } .sky .s1 { fill: #7c3aed; } .sky .s2 { fill: #059669; }
.sky .s3 { fill: #d97706; } .sky .s4 { fill: #db2777; } .sky .s5 { fill: #4f46e5; }
@media (prefers-color-scheme: dark) {
  .sky { fill: #e6e9ef; }
  .sky .grid { stroke: #333b49; }
  .sky .faint { fill: #98a2b3; }
  .sky .peak { stroke: #fb923c; }
  .sky .need { fill: #fb923c; }
  .sky .wasted { fill: #fb923c; fill-opacity: 0.12; }
  .sky rect.block { stroke: #12161d; }
}
"""


@dataclass(frozen=True)
class _Panel:
    """Where a run is drawn: ``left`` and ``width`` in units of the picture, ``scale`` units a byte."""

    trace: Trace
    left: float
    width: float
    scale: float

    def y(self, size: float) -> float:
        """Height at which ``size`` bytes end."""
        return HEIGHT - BOTTOM - size * self.scale


def picture(traces: Sequence[Trace]) -> str:
    """An SVG with a panel for each run that has layers, as wide as it took; empty text if none has.

    A block's height is the most bytes that were live in the layer, or, where liveness was not measured, the
    bytes that it touched; the dashed line is the SRAM that the run needs.
    """
    shown = [trace for trace in traces if trace.layers and trace.totals.cycles]
    if not shown:
        return ""
    most = max(max(trace.memory.sram_peak_bytes, *map(height_of, trace.layers)) for trace in shown)
    scale = (HEIGHT - TOP - BOTTOM) / max(most, 1)
    unit = (WIDTH - LEFT - RIGHT - GAP * (len(shown) - 1)) / sum(trace.totals.seconds for trace in shown)
    parts = [grid(most, scale, HEIGHT)]
    left = float(LEFT)
    for trace in shown:
        width = trace.totals.seconds * unit
        parts.append(_panel(_Panel(trace, left, width, scale)))
        left += width + GAP
    label = "SRAM over time: " + ", ".join(title_of(trace) for trace in shown)
    return (
        f'<svg class="sky" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(label, _QUOTE)}">\n<style>{STYLE}</style>\n' + "\n".join(parts) + "\n</svg>\n"
    )


_QUOTE = {'"': "&quot;"}


def is_live(trace: Trace) -> bool:
    """Whether the run measured which bytes were live."""
    return any(layer.live_peak_bytes for layer in trace.layers)


def height_of(layer: Layer) -> int:
    """Bytes that a layer's block stands for."""
    return layer.live_peak_bytes or layer.touched_bytes


def fitted_title(trace: Trace, width: float) -> str:
    """Network and schedule, cut at its beginning if ``width`` units are too few: the schedule differs."""
    title = title_of(trace)
    fitting = int(width / LETTER)
    return title if len(title) <= fitting else f"~{title[len(title) - max(fitting - 1, 0) :]}"


def grid(most: int, scale: float, height: int) -> str:
    """Lines every so many KiB up to ``most`` bytes, at most six of them, in a picture of this height."""
    step = next((size for size in STEPS if size * 1024 * 6 >= most), STEPS[-1]) * 1024
    lines = []
    for size in range(0, most + 1, step):
        y = height - BOTTOM - size * scale
        lines.append(f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>')
        text = f"{size // 1024} KiB"
        lines.append(f'<text class="faint" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{text}</text>')
    return "\n".join(lines)


def _panel(panel: _Panel) -> str:
    trace = panel.trace
    peak = trace.memory.sram_peak_bytes
    y = panel.y(peak)
    right = panel.left + panel.width
    title = fitted_title(trace, panel.width)
    parts = [
        f'<text x="{panel.left:.1f}" y="14">{escape(title)}</text>',
        f'<text class="need" x="{panel.left:.1f}" y="31">needs {figures.kib(peak)}</text>',
        f'<rect class="wasted" x="{panel.left:.1f}" y="{y:.1f}" width="{panel.width:.1f}" '
        f'height="{peak * panel.scale:.1f}"/>',
        *_blocks(panel),
        f'<line class="peak" x1="{panel.left:.1f}" y1="{y:.1f}" x2="{right:.1f}" y2="{y:.1f}"/>',
        f'<text class="faint" x="{panel.left:.1f}" y="{HEIGHT - 8}">0</text>',
        f'<text class="faint" x="{right:.1f}" y="{HEIGHT - 8}" text-anchor="end">'
        f"{figures.time(trace.totals.seconds)}</text>",
    ]
    return "\n".join(parts)


def _blocks(panel: _Panel) -> list[str]:
    """A block a layer, as wide as its share of the cycles; what lies outside layers is left blank."""
    trace = panel.trace
    unit = panel.width / trace.totals.cycles
    outside = trace.totals.cycles - sum(layer.cycles for layer in trace.layers)
    x = panel.left + outside * unit / 2
    what = "live" if is_live(trace) else "touched"
    blocks = []
    for layer in trace.layers:
        width = layer.cycles * unit
        height = height_of(layer)
        words = (
            f"{layer_title(layer)} {figures.shape(layer.shape_out)}: {figures.kib(height)} {what}, "
            f"{figures.count(layer.cycles)} cycles"
        )
        blocks.append(
            f'<rect class="block s{layer.stage % STAGES}" x="{x:.2f}" y="{panel.y(height):.1f}" '
            f'width="{width:.2f}" height="{height * panel.scale:.1f}"><title>{escape(words)}</title></rect>'
        )
        x += width
    return blocks
