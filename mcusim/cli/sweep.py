"""``mcusim sweep``: networks x chips x clocks x schedules, built and run on a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mcusim.cli.options import DEFAULT_CHIP

if TYPE_CHECKING:
    from mcusim.sweep.document import Failure
    from mcusim.sweep.points import Clock

NAME = "sweep"

Chips = Annotated[
    list[str] | None,
    typer.Option("--chip", metavar="NAME", help=f"May be given several times (default: {DEFAULT_CHIP})."),
]
Clocks = Annotated[
    list[str] | None,
    typer.Option(
        "--clock",
        metavar="FREQUENCY",
        help="Such as 84MHz or 84MHz@2.4V; may be given several times (default: the chip's, no wait states).",
    ),
]
Schedules = Annotated[
    list[str] | None,
    typer.Option(
        "--schedule",
        metavar="SPEC",
        help="As for build; may be given several times (default: layer).",
    ),
]


def command(
    networks: Annotated[
        list[str],
        typer.Argument(metavar="NETWORK...", help="zoo:NAME, or .tflite files.", show_default=False),
    ],
    folder: Annotated[
        Path,
        typer.Option("-o", "--results", metavar="FOLDER", help="Results go here, and are taken from here."),
    ],
    chip: Chips = None,
    clock: Clocks = None,
    schedule: Schedules = None,
    input_in: Annotated[
        Literal["sram", "flash", "camera"], typer.Option("--input-in", help="Where the input lies.")
    ] = "sram",
    scheduler: Annotated[
        str | None,
        typer.Option(
            "--scheduler", metavar="ADDRESS", help="Of a Dask cluster (default: one on this machine)."
        ),
    ] = None,
    keep_traces: Annotated[
        bool, typer.Option("--keep-traces", help="Keep the trace of every run beside its result.")
    ] = False,
    form: Annotated[
        Literal["text", "csv", "json"], typer.Option("--format", help="Of what is printed.")
    ] = "text",
) -> None:
    """Run networks, chips, clocks and schedules in combination.

    Results are kept one by one: a sweep that was interrupted goes on where it was, and one that is extended
    measures what is new.
    """
    from mcusim import chips
    from mcusim.cli.progress import Progress
    from mcusim.report import sweep as renderer
    from mcusim.sweep import points as grids
    from mcusim.sweep import sweep

    points = grids.grid(
        [grids.source(name, ".tflite") for name in networks],
        [chips.load(name) for name in chip or [DEFAULT_CHIP]],
        [parse_clock(text) for text in clock or [""]],
        [grids.source(name, ".json") for name in schedule or ["layer"]],
        input_in,
    )
    with Progress("points", len(points)) as progress:
        outcome = sweep.run(points, folder, scheduler=scheduler, keep_traces=keep_traces, watch=progress)
    renderer.render(outcome.results, outcome.failures, outcome.measured, form)
    _check(outcome.failures, len(points))


def parse_clock(text: str) -> Clock:
    """The clock of "", "84MHz" or "84MHz@2.4V". Raises UsageError for anything else."""
    from mcusim.cli.values import clock_and_supply
    from mcusim.sweep.points import Clock

    return Clock(text, *clock_and_supply(text)) if text else Clock()


def _check(failures: Sequence[Failure], count: int) -> None:
    from mcusim.errors import WorkerError

    if failures:
        first = failures[0]
        name = " ".join(part for part in (first.network, first.schedule, first.chip, first.clock) if part)
        raise WorkerError(
            f"{len(failures)} of {count} points failed, and the same command tries them again; the first, "
            f"{name}: {first.reason}"
        )
