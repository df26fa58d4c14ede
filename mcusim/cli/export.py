"""``mcusim export``: a kept trace as a file of another tool."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from mcusim.cli.options import ForceOption

NAME = "export"


def command(
    trace: Annotated[Path, typer.Argument(metavar="TRACE", help="A trace written by run -o.")],
    file_format: Annotated[
        Literal["speedscope", "perfetto", "callgrind", "collapsed"],
        typer.Option("--format", help="The tool that the file is for."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where it goes.")],
    force: ForceOption = False,
) -> None:
    """Write a trace for another profiler's viewer."""
    from mcusim.cli.files import claim, write
    from mcusim.report.export import FORMATS
    from mcusim.trace import load

    claim([output], force=force)
    write(output, FORMATS[file_format](load(trace)))
