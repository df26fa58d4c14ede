"""``mcusim recost``: cost a kept run again under another timing model, clock or chip."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mcusim.cli.options import ClockOption, ForceOption, QuietOption

if TYPE_CHECKING:
    from mcusim.trace import ChipInfo, Trace

NAME = "recost"


def command(
    trace: Annotated[Path, typer.Argument(metavar="TRACE", help="A trace written by run -o.")],
    chip: Annotated[
        str | None, typer.Option("--chip", metavar="NAME", help="Another chip (default: the trace's).")
    ] = None,
    clock: ClockOption = None,
    timing: Annotated[
        str | None, typer.Option("--timing", metavar="NAME", help="Fetch machine: m1, m2 or m5.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="TRACE.json", help="Keep the new trace.")
    ] = None,
    quiet: QuietOption = False,
    force: ForceOption = False,
) -> None:
    """Cost a kept run again, without running it."""
    from mcusim.cli.files import claim, write
    from mcusim.recost import recost
    from mcusim.report import terminal
    from mcusim.report.canvas import open_console
    from mcusim.trace import dump, load

    claim([output], force=force)
    kept = load(trace)
    again = recost(kept, model=timing or kept.timing.model, chip=_chip(kept, chip, clock))
    if output is not None:
        write(output, dump(again))
    if not quiet:
        terminal.render(again, open_console())


def _chip(kept: Trace, name: str | None, clock: str | None) -> ChipInfo:
    import msgspec

    from mcusim import chips
    from mcusim.cli.values import frequency
    from mcusim.profile.document import chip_info

    chip = chip_info(chips.load(name)) if name else kept.chip
    return msgspec.structs.replace(chip, clock_hz=frequency(clock)) if clock else chip
