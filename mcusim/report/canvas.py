"""Where renderers draw: a console that is colourful on a terminal and plain text anywhere else."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import IO

from rich.console import Console, RenderableType
from rich.rule import Rule
from rich.text import Text

PLAIN_WIDTH = 100
"""Columns of a report that goes to a file or a pipe, unless the COLUMNS variable says otherwise."""
LEAST_WIDTH = 80
"""In fewer columns figures would be cut short; a narrower terminal breaks the lines itself."""
_EIGHTHS = " ▏▎▍▌▋▊▉"


def open_console(file: IO[str] | None = None) -> Console:
    """A console on ``file`` (standard output by default).

    Colours and the terminal's width, if that is enough, are used on a terminal only; NO_COLOR and TERM=dumb
    are honoured.
    """
    file = file or sys.stdout
    width = None if file.isatty() else plain_width()
    console = Console(file=file, width=width, highlight=False, emoji=False, markup=False)
    console.width = max(console.width, LEAST_WIDTH)
    return console


def plain_width() -> int:
    """COLUMNS if it is a number of at least 80, else 100."""
    columns = os.environ.get("COLUMNS", "")
    return max(LEAST_WIDTH, int(columns)) if columns.isdecimal() else PLAIN_WIDTH


def show(console: Console, renderable: RenderableType) -> None:
    """Print ``renderable``; where it is not a terminal, without the blanks that pad lines."""
    if console.is_terminal or console.record:
        console.print(renderable)
        return
    with console.capture() as capture:
        console.print(renderable)
    lines = (line.rstrip() for line in capture.get().splitlines())
    console.file.write("".join(f"{line}\n" for line in lines))


def has_blocks(console: Console) -> bool:
    """Whether the console's encoding has the block characters that bars are made of."""
    return console.encoding.lower().startswith("utf")


def rule(*, blocks: bool) -> Rule:
    """A line from edge to edge; the library's own falls back to ASCII only with a title."""
    return Rule(style="bright_black", characters="─" if blocks else "-")


def section(title: str) -> RenderableType:
    """A blank line and the title of the part that follows."""
    return Text(f"\n{title}", style="bold")


def bar(share: float, width: int, *, blocks: bool, style: str = "cyan") -> Text:
    """A bar of ``share`` (clipped to 0..1) of ``width`` columns, in eighths where there are blocks."""
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    if share > 0 and eighths == 0:
        eighths = 1
    if not blocks:
        return Text(("#" * round(eighths / 8)).ljust(width), style=style)
    full, rest = divmod(eighths, 8)
    drawn = "█" * full + (_EIGHTHS[rest] if rest else "")
    return Text(drawn.ljust(width), style=style)


def stacked_bar(parts: Sequence[tuple[float, str]], width: int, *, blocks: bool) -> Text:
    """Shares of a whole (each 0..1, with a style) side by side; what is left over is drawn as a track.

    Boundaries are rounded cumulatively, so the parts together end where their sum ends; a part that is
    not zero has at least one column while there is room.
    """
    text = Text()
    used, total = 0, 0.0
    for position, (share, style) in enumerate(parts):
        total += share
        end = min(width, round(total * width))
        if share > 0 and end <= used:
            end = min(width, used + 1)
        letter = "█" if blocks else "#=+%@"[position % 5]
        text.append(letter * max(0, end - used), style=style)
        used = max(used, end)
    text.append(("░" if blocks else ".") * (width - used), style="bright_black")
    return text
