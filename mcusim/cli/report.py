"""``mcusim report``: the report of a run that was kept as a trace."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

NAME = "report"


def command(
    trace: Annotated[Path, typer.Argument(metavar="TRACE", help="A trace written by run -o.")],
) -> None:
    """Print the report of a kept trace."""
    from mcusim.report import terminal
    from mcusim.report.canvas import open_console
    from mcusim.trace import load

    terminal.render(load(trace), open_console())
