"""``mcusim diff``: what changed between two kept runs, and whether that is a regression."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mcusim.report.metrics import Tolerance

NAME = "diff"


def command(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="The trace to compare with.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The trace that may be worse.")],
    fail_above: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-above",
            metavar="[FIGURE=]LIMIT",
            help="Fail when cycles, sram or flash, or the FIGURE that is named, grew by more than LIMIT: "
            "2%, sram=0, stack=64; may be given several times.",
        ),
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Write Markdown for a pull request.")] = False,
    top: Annotated[int, typer.Option("--top", min=1, help="Lines of layers, functions and memory.")] = 10,
) -> None:
    """Show what changed between two runs, largest first.

    The exit code is 68 when a figure grew by more than --fail-above allows.
    """
    from mcusim.report import changes, diff
    from mcusim.report.canvas import open_console
    from mcusim.trace import load

    tolerances = [found for text in fail_above or () for found in parse_limit(text)]
    before, after = load(old), load(new)
    if markdown:
        regressions = changes.regressions(before, after, tolerances)
        typer.echo(diff.markdown(before, after, top=top, regressions=regressions), nl=False)
    else:
        diff.render(before, after, open_console(), top=top)
    changes.check(before, after, tolerances)


def parse_limit(text: str) -> list[Tolerance]:
    """The tolerances that ``[FIGURE=]LIMIT`` stands for. Raises UsageError if it makes no sense.

    Without a figure it is a percentage of every guarded one.
    """
    from mcusim.errors import UsageError
    from mcusim.report.changes import GUARDED
    from mcusim.report.metrics import tolerance

    name, is_named, limit = text.rpartition("=")
    if is_named:
        return [tolerance(name, limit)]
    if not limit.endswith("%") and limit != "0":
        raise UsageError(f"--fail-above {text} is neither a percentage nor FIGURE=LIMIT")
    return [tolerance(guarded, limit) for guarded in GUARDED]
