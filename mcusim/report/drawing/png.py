"""Drawings as PNG, by Pillow (https://pillow.readthedocs.io), which brings the font along."""

from __future__ import annotations

import io
from functools import cache
from typing import TYPE_CHECKING

from mcusim.report.drawing import Drawing, Line, Pixels, Raster, Rectangle, Shape, Text, palette

if TYPE_CHECKING:
    from PIL.Image import Image as Canvas
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import BaseImageFont

SCALE = 2
"""Pixels for a unit of the drawing."""
FONT, SMALL = 12, 10
DASH, PAUSE = 5, 4
ANCHORS = {"start": "ls", "middle": "ms", "end": "rs"}


def render(drawing: Drawing) -> bytes:
    """The picture on light ground."""
    from PIL import Image, ImageDraw

    size = (SCALE * drawing.width, SCALE * drawing.height)
    image = Image.new("RGB", size, palette.GROUND.light)
    for shape in drawing.shapes:
        if isinstance(shape, Raster):
            _paste(image, shape)
        else:
            _draw(ImageDraw.Draw(image, "RGBA"), shape)
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def encode(pixels: Pixels) -> bytes:
    """A raster alone, a pixel a cell."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(pixels, "RGBA").save(out, "PNG", optimize=True)
    return out.getvalue()


def _box(shape: Rectangle | Raster) -> tuple[int, int, int, int]:
    """Edges in pixels, the right and lower ones outside; at least a pixel wide and high."""
    left, top = round(SCALE * shape.x), round(SCALE * shape.y)
    right, bottom = round(SCALE * (shape.x + shape.width)), round(SCALE * (shape.y + shape.height))
    return left, top, max(right, left + 1), max(bottom, top + 1)


def _paste(image: Canvas, shape: Raster) -> None:
    from PIL import Image

    left, top, right, bottom = _box(shape)
    cells = Image.fromarray(shape.pixels, "RGBA")
    stretched = cells.resize((right - left, bottom - top), Image.Resampling.NEAREST)
    image.paste(stretched, (left, top), stretched)


def _draw(draw: ImageDraw, shape: Shape) -> None:
    if isinstance(shape, Rectangle):
        left, top, right, bottom = _box(shape)
        edge = palette.GROUND.light if shape.is_edged and right - left > 2 * SCALE else None
        draw.rectangle((left, top, right - 1, bottom - 1), fill=_fill(shape.ink), outline=edge)
    elif isinstance(shape, Line):
        _line(draw, shape)
    elif isinstance(shape, Text):
        place = (SCALE * shape.x, SCALE * shape.y)
        font = _font(SMALL if shape.is_small else FONT)
        draw.text(place, shape.text, fill=_fill(shape.ink), font=font, anchor=ANCHORS[shape.anchor])


def _line(draw: ImageDraw, line: Line) -> None:
    if not line.is_dashed:
        ends = tuple(SCALE * value for value in (line.x1, line.y1, line.x2, line.y2))
        draw.line(ends, fill=_fill(line.ink), width=SCALE // 2)
        return
    x = line.x1
    while x < line.x2:  # dashed lines lie level
        ends = (SCALE * x, SCALE * line.y1, SCALE * min(x + DASH, line.x2), SCALE * line.y1)
        draw.line(ends, fill=_fill(line.ink), width=SCALE + 1)
        x += DASH + PAUSE


def _fill(ink: str) -> tuple[int, int, int, int]:
    chosen = palette.INKS[ink]
    return (*palette.rgb(chosen.light), round(255 * chosen.opacity))


@cache
def _font(size: int) -> BaseImageFont:
    from PIL import ImageFont

    return ImageFont.load_default(SCALE * size)
