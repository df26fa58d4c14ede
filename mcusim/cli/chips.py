"""``mcusim chips``: which chips there are, and what is known of one."""

from __future__ import annotations

from typing import Annotated

import typer

NAME = "chips"


def command(
    name: Annotated[
        str | None, typer.Argument(help="A chip, or a chip's TOML file; all chips if left out.")
    ] = None,
) -> None:
    """List the chips, or describe one with its sources."""
    from mcusim import chips
    from mcusim.report.canvas import open_console
    from mcusim.report.chips import ChipSheet, RegionLine, render_list, render_sheet

    def sheet(chip: chips.Chip) -> ChipSheet:
        regions = tuple(
            RegionLine(region.name, region.kind, region.start, region.size, region.source)
            for region in chip.regions
        )
        return ChipSheet(
            name=chip.name,
            title=chip.title,
            core=chip.core,
            clock_hz=chip.clock_hz,
            clock_source=chip.clock.source,
            wait_states=chip.wait_states,
            wait_states_source=chip.flash_timing.source,
            regions=regions,
        )

    console = open_console()
    if name is None:
        render_list([sheet(chips.load(known)) for known in chips.names()], console)
    else:
        render_sheet(sheet(chips.load(name)), console)
