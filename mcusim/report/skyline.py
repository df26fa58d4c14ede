"""SRAM over time by amount: cycles across, bytes up, a block a layer; runs side by side on one scale."""

from __future__ import annotations

from collections.abc import Sequence

from mcusim.report import figures
from mcusim.report.changes import layer_title
from mcusim.report.drawing import Drawing, Line, Rectangle, Shape, Text, palette
from mcusim.report.panels import BOTTOM, RIGHT, TOP, WIDTH, Panel, heading, label, side_by_side, time_axis
from mcusim.trace import Layer, Trace

HEIGHT = 300
LEFT, GAP = 66, 26
STEPS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
"""KiB between lines of the grid."""


def picture(traces: Sequence[Trace]) -> Drawing | None:
    """A panel for each run that has layers, as wide as it took; None if none has.

    A block's height is the most bytes that were live in the layer, or, where liveness was not measured, the
    bytes that it touched; the dashed line is the SRAM that the run needs.
    """
    shown = [trace for trace in traces if trace.layers and trace.totals.cycles]
    if not shown:
        return None
    most = max(max(trace.memory.sram_peak_bytes, *map(height_of, trace.layers)) for trace in shown)
    scale = (HEIGHT - TOP - BOTTOM) / max(most, 1)
    shapes = _grid(most, scale)
    for panel in side_by_side(shown, LEFT, GAP):
        shapes += _panel(panel, scale)
    return Drawing(WIDTH, HEIGHT, label("SRAM over time", shown), tuple(shapes))


def is_live(trace: Trace) -> bool:
    """Whether the run measured which bytes were live."""
    return any(layer.live_peak_bytes for layer in trace.layers)


def height_of(layer: Layer) -> int:
    """Bytes that a layer's block stands for."""
    return layer.live_peak_bytes or layer.touched_bytes


def _grid(most: int, scale: float) -> list[Shape]:
    """Lines every so many KiB up to ``most`` bytes, at most six of them."""
    step = next((size for size in STEPS if size * 1024 * 6 >= most), STEPS[-1]) * 1024
    shapes: list[Shape] = []
    for size in range(0, most + 1, step):
        y = HEIGHT - BOTTOM - size * scale
        shapes.append(Line(LEFT, y, WIDTH - RIGHT, y, "grid"))
        shapes.append(Text(LEFT - 6, y + 4, f"{size // 1024} KiB", "faint", anchor="end"))
    return shapes


def _panel(panel: Panel, scale: float) -> list[Shape]:
    peak = panel.trace.memory.sram_peak_bytes
    top = HEIGHT - BOTTOM - peak * scale
    return [
        *heading(panel, f"needs {figures.kib(peak)}", "peak"),
        Rectangle(panel.left, top, panel.width, peak * scale, "wasted"),
        *_blocks(panel, scale),
        Line(panel.left, top, panel.right, top, "peak", is_dashed=True),
        *time_axis(panel, HEIGHT),
    ]


def _blocks(panel: Panel, scale: float) -> list[Shape]:
    """A block a layer, as wide as its share of the cycles; what lies outside layers is left blank."""
    trace = panel.trace
    what = "live" if is_live(trace) else "touched"
    blocks: list[Shape] = []
    cycles = (trace.totals.cycles - sum(layer.cycles for layer in trace.layers)) / 2
    for layer in trace.layers:
        size = height_of(layer)
        words = (
            f"{layer_title(layer)} {figures.shape(layer.shape_out)}: {figures.kib(size)} {what}, "
            f"{figures.count(layer.cycles)} cycles"
        )
        left = panel.x(cycles)
        cycles += layer.cycles
        top, width = HEIGHT - BOTTOM - size * scale, panel.x(cycles) - left
        ink = palette.stage(layer.stage)
        blocks.append(Rectangle(left, top, width, size * scale, ink, is_edged=True, title=words))
    return blocks
