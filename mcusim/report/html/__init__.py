"""A run as one HTML file that needs nothing else: no network, no server.

``page.html.j2`` lays it out; style and script are put into it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import resources
from typing import TYPE_CHECKING

from markupsafe import Markup

from mcusim.report import figures, skyline, sram_map, waste
from mcusim.report.changes import FLASH_PARTS
from mcusim.report.drawing import Drawing, svg
from mcusim.report.html import listing
from mcusim.report.html.flame import blocks
from mcusim.report.layer_table import short_op
from mcusim.report.memory_parts import flash_parts, sram_parts, stack_path, stack_sentence
from mcusim.report.terminal import chip_line, title_of

if TYPE_CHECKING:
    from mcusim.trace import FlashSymbol, Trace

SYMBOLS = 40
"""Rows of the table of flash."""
Sources = Callable[[str], Sequence[str] | None]
"""Lines of a source file by the name that debug information has for it, None where it is not to be had."""


def render(trace: Trace, sources: Sources = lambda _: None) -> str:
    """The page, UTF-8. ``sources`` finds the text that stands beside the hottest instructions."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("mcusim.report.html", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"figures": figures, "short_op": short_op, "flash_kinds": FLASH_PARTS}
    outside = trace.totals.cycles - sum(layer.cycles for layer in trace.layers)
    return environment.get_template("page.html.j2").render(
        trace=trace,
        title=title_of(trace),
        place=chip_line(trace),
        style=_file("style.css"),
        script=_file("script.js"),
        parts=[(name, size) for name, size in sram_parts(trace.memory) if size],
        uses=waste.at_the_fullest(trace),
        flash_parts=[(name, size) for name, size in flash_parts(trace.firmware) if size],
        symbols=_largest_symbols(trace),
        stack_path=stack_path(trace.memory),
        stack_sentence=stack_sentence,
        picture=_svg(skyline.picture([trace])),
        sram_map=_svg(sram_map.picture([trace], ("layer", "live"))),
        is_live=skyline.is_live(trace),
        outside=outside,
        most=max((layer.cycles for layer in trace.layers), default=0) or 1,
        most_bytes=max(map(skyline.height_of, trace.layers), default=0) or 1,
        flame=blocks(trace),
        functions=sorted(trace.functions, key=lambda function: -function.cycles_self),
        listings=listing.listings(trace, sources),
    )


def _largest_symbols(trace: Trace) -> Sequence[FlashSymbol]:
    """What takes most of the flash, the largest first; none in traces that do not tell symbols."""
    flash = trace.firmware.flash
    found = sorted(flash.symbols, key=lambda symbol: -symbol.bytes) if flash else []
    return found[:SYMBOLS]


def _svg(drawing: Drawing | None) -> Markup:
    """The drawing as a part of the page, empty where there is none; its texts are escaped already."""
    return Markup(svg.render(drawing)) if drawing else Markup()


def _file(name: str) -> Markup:
    """A file of this package as it is; it is the package's own, so nothing in it is escaped."""
    return Markup(resources.files(__name__).joinpath(name).read_text(encoding="utf-8"))
