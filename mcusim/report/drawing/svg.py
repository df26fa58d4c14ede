"""Drawings as SVG (https://www.w3.org/TR/SVG11/), whose colours follow the reader's light or dark theme."""

from __future__ import annotations

import base64
from xml.sax.saxutils import escape, quoteattr

from mcusim.report.drawing import Drawing, Line, Raster, Rectangle, Shape, Text, palette
from mcusim.report.drawing.png import encode

FIXED = """
.drawing { font: 12px system-ui, sans-serif; }
.drawing .small { font-size: 10px; }
.drawing line { stroke-width: 1; }
.drawing line.dashed { stroke-width: 1.5; stroke-dasharray: 5 4; }
.drawing image { image-rendering: pixelated; }
.drawing .number { pointer-events: none; }
"""


def render(drawing: Drawing) -> str:
    """The picture, with one trailing newline."""
    size = f'viewBox="0 0 {drawing.width} {drawing.height}"'
    return (
        f'<svg class="drawing" xmlns="http://www.w3.org/2000/svg" {size} role="img" '
        f"aria-label={quoteattr(drawing.label)}>\n<style>{_style(drawing)}</style>\n"
        + "\n".join(map(_element, drawing.shapes))
        + "\n</svg>\n"
    )


def _style(drawing: Drawing) -> str:
    used = sorted({shape.ink for shape in drawing.shapes if not isinstance(shape, Raster)})
    light = [*_rules(used, dark=False), f".drawing rect.edged {{ stroke: {palette.GROUND.light}; }}"]
    dark = [*_rules(used, dark=True), f".drawing rect.edged {{ stroke: {palette.GROUND.dark}; }}"]
    return (
        FIXED
        + "".join(f"{rule}\n" for rule in light)
        + "@media (prefers-color-scheme: dark) {\n"
        + "".join(f"  {rule}\n" for rule in dark)
        + "}\n"
    )


def _rules(inks: list[str], *, dark: bool) -> list[str]:
    rules = []
    for name in inks:
        ink = palette.INKS[name]
        colour = ink.dark if dark else ink.light
        opacity = f" fill-opacity: {ink.opacity:g};" if ink.opacity < 1 else ""
        rules.append(f".drawing .{name} {{ fill: {colour};{opacity} }}")
        rules.append(f".drawing line.{name} {{ stroke: {colour}; }}")
    return rules


def _element(shape: Shape) -> str:
    if isinstance(shape, Rectangle):
        return _rectangle(shape)
    if isinstance(shape, Line):
        names = f"{shape.ink} dashed" if shape.is_dashed else shape.ink
        ends = f'x1="{shape.x1:.1f}" y1="{shape.y1:.1f}" x2="{shape.x2:.1f}" y2="{shape.y2:.1f}"'
        return f'<line class="{names}" {ends}/>'
    if isinstance(shape, Text):
        names = f"{shape.ink} small" if shape.is_small else shape.ink
        anchor = "" if shape.anchor == "start" else f' text-anchor="{shape.anchor}"'
        place = f'x="{shape.x:.1f}" y="{shape.y:.1f}"'
        return f'<text class="{names}" {place}{anchor}>{escape(shape.text)}</text>'
    return _image(shape)


def _rectangle(shape: Rectangle) -> str:
    names = f"{shape.ink} edged" if shape.is_edged else shape.ink
    place = f'x="{shape.x:.2f}" y="{shape.y:.2f}" width="{shape.width:.2f}" height="{shape.height:.2f}"'
    title = f"<title>{escape(shape.title)}</title>" if shape.title else ""
    return f'<rect class="{names}" {place}>{title}</rect>' if title else f'<rect class="{names}" {place}/>'


def _image(shape: Raster) -> str:
    place = f'x="{shape.x:.2f}" y="{shape.y:.2f}" width="{shape.width:.2f}" height="{shape.height:.2f}"'
    data = base64.b64encode(encode(shape.pixels)).decode()
    name = f'class="{shape.name}" ' if shape.name else ""
    return f'<image {name}{place} preserveAspectRatio="none" href="data:image/png;base64,{data}"/>'
