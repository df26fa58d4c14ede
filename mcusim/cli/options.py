"""Options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

DEFAULT_CHIP = "stm32f412zg"

ChipOption = Annotated[
    str, typer.Option("--chip", metavar="NAME", help="A chip of `mcusim chips`, or a chip's TOML file.")
]
InputInOption = Annotated[
    Literal["sram", "flash", "camera"] | None,
    typer.Option(
        "--input-in",
        help="Where the input lies when an inference starts, or who delivers it (default: sram).",
    ),
]
ExactOption = Annotated[
    bool,
    typer.Option(
        "--exact", help="Find the smallest arena there is, by a solver: pip install 'mcusim[exact]'."
    ),
]
PruneOption = Annotated[
    Literal["exact", "none"],
    typer.Option("--prune", help="Remove channels that provably carry nothing, or none."),
]
DEFAULT_TIMING = "m6"
TimingOption = Annotated[
    str, typer.Option("--timing", metavar="NAME", help="Fetch machine of the timing model: m1, m2, m5 or m6.")
]
ClockOption = Annotated[
    str | None,
    typer.Option(
        "--clock", metavar="FREQUENCY", help="Core clock, such as 84MHz, or 84MHz@2.4V for the supply."
    ),
]
WaitStatesOption = Annotated[
    int | None,
    typer.Option(
        "--wait-states",
        metavar="N",
        min=0,
        max=15,
        help="Of the flash (default: as the clock needs, else 0).",
    ),
]
ForceOption = Annotated[bool, typer.Option("--force", "-f", help="Overwrite output files that exist.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print no report.")]
InputsOption = Annotated[
    list[Path] | None,
    typer.Option("--input", metavar="X.npy", help="The network's input; may be given several times."),
]
MaxCyclesOption = Annotated[
    int | None,
    typer.Option("--max-cycles", metavar="N", min=1, help="Stop a run that has not ended after N cycles."),
]
