"""``mcusim recost``: cost a kept run again under another timing model, clock or chip."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mcusim.cli.options import ClockOption, ForceOption, QuietOption, WaitStatesOption

if TYPE_CHECKING:
    from mcusim.timing.flash import FlashRange
    from mcusim.trace import ChipInfo, Trace

NAME = "recost"


def command(
    trace: Annotated[Path, typer.Argument(metavar="TRACE", help="A trace written by run -o.")],
    chip: Annotated[
        str | None, typer.Option("--chip", metavar="NAME", help="Another chip (default: the trace's).")
    ] = None,
    clock: ClockOption = None,
    wait_states: WaitStatesOption = None,
    timing: Annotated[
        str | None, typer.Option("--timing", metavar="NAME", help="Fetch machine: m1, m2, m5 or m6.")
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
    from mcusim.trace import dump, load

    claim([output], force=force)
    kept = load(trace)
    target, flash = _target(kept, chip, clock, wait_states)
    again = recost(kept, model=timing or kept.timing.model, chip=target, flash=flash)
    if output is not None:
        write(output, dump(again))
    if not quiet:
        from mcusim.report import terminal
        from mcusim.report.canvas import open_console

        terminal.render(again, open_console())


def _target(
    kept: Trace, name: str | None, clock: str | None, wait_states: int | None
) -> tuple[ChipInfo, FlashRange | None]:
    """The chip to cost for and its flash; the trace's chip as it was where nothing else is said."""
    import msgspec

    from mcusim import chips
    from mcusim.cli.values import chip_at
    from mcusim.errors import UsageError
    from mcusim.profile.document import chip_info
    from mcusim.timing.chip_flash import flash_range

    if name is None and clock is None and wait_states is None:
        return kept.chip, None
    if name is None and kept.chip.name not in chips.names():
        raise UsageError(
            f"{kept.chip.name}, the trace's chip, is not one that mcusim knows; name it by --chip"
        )
    chip = chip_at(name or kept.chip.name, clock, wait_states)
    info = chip_info(chip)
    if name is None and clock is None:
        info = msgspec.structs.replace(info, clock_hz=kept.chip.clock_hz)
    return info, flash_range(chip)
