"""SRAM over time by address: addresses up, cycles across, coloured by layer or by live and dead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mcusim.report import figures
from mcusim.report.drawing import Drawing, Pixels, Raster, Rectangle, Shape, Text, palette
from mcusim.report.panels import BOTTOM, TOP, WIDTH, Panel, heading, label, side_by_side, time_axis
from mcusim.report.sram_grid import PIECES, Grid, grid
from mcusim.trace import Trace

Colour = Literal["layer", "live"]

HEIGHT = 400
MARGIN = 92
"""To the left of a panel, for the names of the parts."""
BAR = 5
CUT = 6.0
"""Between addresses that are not drawn to scale because nothing between them was written."""
NEAR = 0.25
"""Unwritten addresses are cut out if they are more than this share of those written."""
LEGEND = 14
LINE = 14.0
"""Heights of the legend and of a line of text."""
DEAD_IN_LAYER = 0.28
"""How much of its layer's colour a dead byte keeps."""
NUMBER = (22, 13)
"""Width and height from which on a block carries its layer's number."""


@dataclass(frozen=True)
class _Stretch:
    """Addresses [start, end) that are drawn to scale, from ``y`` upwards; ``rows`` of the grid lie in it."""

    start: int
    end: int
    rows: slice
    y: float = 0.0


def picture(traces: Sequence[Trace], colours: Sequence[Colour] = ("layer",)) -> Drawing | None:
    """A panel for each run that has a map, as wide as it took, all on one scale; None if none has.

    With several ``colours`` there is a raster named by-COLOUR for each, on top of one another.
    """
    shown = [trace for trace in traces if trace.sram_map and trace.totals.cycles]
    if not shown:
        return None
    grids = [grid(trace) for trace in shown]
    stretched = [_stretches(one) for one in grids]
    most = max(sum(part.end - part.start for part in parts) for parts in stretched)
    cuts = max(len(parts) - 1 for parts in stretched)
    scale = (HEIGHT - TOP - BOTTOM - CUT * cuts) / most
    shapes: list[Shape] = list(_legend()) if tuple(colours) == ("live",) else []
    panels = side_by_side(shown, MARGIN, MARGIN)
    for panel, one, parts in zip(panels, grids, stretched, strict=True):
        shapes += _panel(panel, one, _placed(parts, scale), scale, colours)
    height = HEIGHT + LEGEND if tuple(colours) == ("live",) else HEIGHT
    return Drawing(WIDTH, height, label("SRAM by address over time", shown), tuple(shapes))


def _stretches(one: Grid) -> list[_Stretch]:
    """The written spans and the parts, joined where little lies between them."""
    pieces = sorted([*one.spans, *((part.address, part.address + part.bytes) for part in one.parts)])
    near = NEAR * sum(end - start for start, end in one.spans)
    joined = [pieces[0]]
    for start, end in pieces[1:]:
        if start - joined[-1][1] <= near:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    addresses = one.addresses
    return [
        _Stretch(start, end, slice(*np.searchsorted(addresses, (start, end)).tolist()))
        for start, end in joined
    ]


def _placed(parts: Sequence[_Stretch], scale: float) -> list[_Stretch]:
    """The stretches from the foot of the picture upwards."""
    placed, y = [], float(HEIGHT - BOTTOM)
    for part in parts:
        placed.append(_Stretch(part.start, part.end, part.rows, y))
        y -= (part.end - part.start) * scale + CUT
    return placed


def _panel(
    panel: Panel, one: Grid, stretches: Sequence[_Stretch], scale: float, colours: Sequence[Colour]
) -> list[Shape]:
    needs = figures.kib(panel.trace.memory.sram_peak_bytes)
    live = figures.kib(panel.trace.memory.live_peak_bytes)
    shapes = heading(panel, f"needs {needs}, at most {live} live", "peak")
    for stretch in stretches:
        shapes += _names(panel, one, stretch, scale)
        for colour in colours:
            shapes += _rasters(panel, one, stretch, scale, colour)
        if tuple(colours) == ("layer",):
            shapes += _numbers(panel, one, stretch, scale)
    return [*shapes, *time_axis(panel, HEIGHT)]


def _names(panel: Panel, one: Grid, stretch: _Stretch, scale: float) -> list[Shape]:
    """What lies where, to the left of the panel, and the ground of what is allocated."""
    shapes: list[Shape] = []
    for name, start, end in _labelled(one, stretch):
        height = (end - start) * scale
        top = stretch.y - (end - stretch.start) * scale
        shapes.append(Rectangle(panel.left - BAR - 2, top, BAR, height, name))
        shapes.append(Rectangle(panel.left, top, panel.width, height, "wasted"))
        x, middle = panel.left - BAR - 6, top + height / 2
        if height >= 2 * LINE:
            shapes.append(Text(x, middle - 2, name, "faint", anchor="end"))
            shapes.append(Text(x, middle + 12, figures.kib(end - start), "faint", anchor="end"))
        elif height >= LINE:
            shapes.append(Text(x, middle + 4, name, "faint", anchor="end"))
    return shapes


def _labelled(one: Grid, stretch: _Stretch) -> Iterator[tuple[str, int, int]]:
    """The parts inside a stretch, and as static what was written between them."""
    position = stretch.start
    inside = [part for part in one.parts if stretch.start <= part.address < stretch.end]
    for part in inside:
        if one.is_written(position, part.address):
            yield "static", position, part.address
        yield part.name, part.address, part.address + part.bytes
        position = max(position, part.address + part.bytes)
    if one.is_written(position, stretch.end):
        yield "static", position, stretch.end


def _rasters(panel: Panel, one: Grid, stretch: _Stretch, scale: float, colour: Colour) -> Iterator[Raster]:
    """Rows that follow one another are one raster, the lowest address at its foot."""
    pixels = _by_layer(one) if colour == "layer" else _by_life(one)
    right = panel.x(one.columns * one.column_cycles)
    for first, last in one.neighbours(stretch.rows):
        base = int(one.addresses[first]) - stretch.start
        height = (last - first) * one.row_bytes * scale
        top = stretch.y - base * scale - height
        cells = pixels[first:last][::-1]
        yield Raster(panel.left, top, right - panel.left, height, cells, f"by-{colour}")


def _by_layer(one: Grid) -> Pixels:
    """The colour of who wrote what lies there, pale where it is dead."""
    colours = np.array([palette.layer(position) for position in range(-1, len(one.layers))], np.uint8)
    share = one.live / PIECES
    pixels = np.zeros((*one.writers.shape, 4), np.uint8)
    pixels[..., :3] = colours[np.maximum(one.writers, -1) + 1]
    strength = DEAD_IN_LAYER + (1 - DEAD_IN_LAYER) * share
    pixels[..., 3] = np.where(one.is_held, 255 * strength, 0)
    return pixels


def _by_life(one: Grid) -> Pixels:
    """Live or dead, mixed where a row has both."""
    live, dead = (np.array(palette.rgb(palette.INKS[name].light)) for name in ("live", "dead"))
    share = (one.live / PIECES)[..., None]
    pixels = np.zeros((*one.writers.shape, 4), np.uint8)
    pixels[..., :3] = live * share + dead * (1 - share)
    pixels[..., 3] = np.where(one.is_held, 255, 0)
    return pixels


def _numbers(panel: Panel, one: Grid, stretch: _Stretch, scale: float) -> Iterator[Text]:
    """The numbers of layers whose live data take enough room for one."""
    for position, layer in enumerate(one.layers):
        rows = stretch.rows
        place = _middle((one.writers[rows] == position) & (one.live[rows] > 0))
        if place is None:
            continue
        (low, high), (first, last) = place
        height = (high - low) * one.row_bytes * scale
        left, right = panel.x(first * one.column_cycles), panel.x(last * one.column_cycles)
        if right - left >= NUMBER[0] and height >= NUMBER[1]:
            base = int(one.addresses[rows.start + low]) - stretch.start
            y = stretch.y - base * scale - height / 2 + 4
            yield Text((left + right) / 2, y, f"#{layer.index}", "number", "middle", is_small=True)


def _middle(mask: NDArray[np.bool_]) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """The tallest run of rows in the fullest column of ``mask``, and the columns of its middle row."""
    if not mask.any():
        return None
    column = int(mask.sum(axis=0).argmax())
    low, high = max(_runs(mask[:, column]), key=lambda run: run[1] - run[0])
    row = mask[(low + high) // 2]
    return (low, high), next(run for run in _runs(row) if run[0] <= column < run[1])


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last (outside) of the places where ``flags`` are true, run by run."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(start, stop) for start, stop in edges.reshape(-1, 2).tolist()]


def _legend() -> Iterator[Shape]:
    """What the colours of live and dead mean, below the picture."""
    x = float(MARGIN)
    for words, ink in (("live", "live"), ("dead", "dead"), ("allocated, not yet written", "wasted")):
        yield Rectangle(x, HEIGHT - 2, 10, 10, ink)
        yield Text(x + 15, HEIGHT + 7, words, "faint")
        x += 6.4 * len(words) + 34
