"""``mcusim report``: the report of a run that was kept as a trace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mcusim.cli.options import ForceOption

if TYPE_CHECKING:
    from mcusim.trace import Trace

NAME = "report"
Colour = Literal["layer", "live"]


def command(
    traces: Annotated[list[Path], typer.Argument(metavar="TRACE...", help="Traces written by run -o.")],
    report_format: Annotated[
        Literal["text", "html", "memory", "map"],
        typer.Option(
            "--format",
            help="text; html, a page for a browser; memory and map, pictures of SRAM over time, by bytes and "
            "by addresses, of several traces on one scale: SVG, or PNG if FILE is so named.",
        ),
    ] = "text",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where a page or picture goes.")
    ] = None,
    sources: Annotated[
        list[Path] | None,
        typer.Option("--sources", metavar="FOLDER", help="Where source files are, beside this folder."),
    ] = None,
    colour: Annotated[
        Colour,
        typer.Option("--colour", help="What colours of a map mean: the layer that wrote, or live and dead."),
    ] = "layer",
    force: ForceOption = False,
) -> None:
    """Show a kept trace as text, page or picture."""
    from mcusim.cli.files import claim, write
    from mcusim.errors import UsageError
    from mcusim.trace import load

    if report_format in {"text", "html"} and len(traces) > 1:
        raise UsageError("one trace makes a report; mcusim compare takes several")
    if (output is None) != (report_format == "text"):
        raise UsageError("every format but text writes a file, which -o names")
    claim([output], force=force)
    loaded = [load(path) for path in traces]
    if output is None or report_format == "text":
        _print(loaded[0])
    elif report_format == "html":
        write(output, page(loaded[0], sources or []).encode())
    else:
        write(output, picture(loaded, report_format, colour, as_png=output.suffix.lower() == ".png"))


def _print(trace: Trace) -> None:
    from mcusim.report import terminal
    from mcusim.report.canvas import open_console

    terminal.render(trace, open_console())


def page(trace: Trace, folders: list[Path]) -> str:
    """The HTML page; sources are looked for in ``folders``, here, and where the runtime's are."""
    from mcusim.cli.sources import SourceFinder
    from mcusim.compiler import firmware
    from mcusim.report import html

    return html.render(trace, SourceFinder((*folders, Path(), firmware.directory().parent)))


def picture(
    traces: list[Trace],
    kind: Literal["memory", "map"],
    colour: Colour = "layer",
    *,
    as_png: bool = False,
) -> bytes:
    """A picture of SRAM over time. Raises UsageError if no trace has what it shows."""
    from mcusim.errors import UsageError
    from mcusim.report import skyline, sram_map
    from mcusim.report.drawing import png, svg

    drawn = skyline.picture(traces) if kind == "memory" else sram_map.picture(traces, (colour,))
    if drawn is None:
        missing = "layers" if kind == "memory" else "a map of SRAM; mcusim run keeps one unless --no-memory"
        raise UsageError(f"there is nothing to draw: no trace has {missing}")
    return png.render(drawn) if as_png else svg.render(drawn).encode()
