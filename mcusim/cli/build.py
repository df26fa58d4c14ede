"""``mcusim build``: make a firmware image from a quantised network under a schedule."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from mcusim.cli.options import (
    DEFAULT_CHIP,
    ChipOption,
    ForceOption,
    InputInOption,
    PruneOption,
    QuietOption,
)

NAME = "build"


def command(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="x.tflite, or zoo:NAME?parameter=value.")],
    schedule: Annotated[
        str,
        typer.Option(
            "--schedule",
            "-s",
            metavar="SPEC",
            help="layer, stream, bands:N@K, patch:RxC@K, auto, auto:sram=SIZE, or a schedule file.",
        ),
    ] = "layer",
    chip: ChipOption = DEFAULT_CHIP,
    input_in: InputInOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FW.elf", help="Default: the network's name.")
    ] = None,
    toolchain: Annotated[
        Literal["zig", "gcc"], typer.Option("--toolchain", help="The C compiler: pinned zig, or GCC.")
    ] = "zig",
    prune: PruneOption = "exact",
    quiet: QuietOption = False,
    force: ForceOption = False,
) -> None:
    """Build firmware that runs a network under a schedule."""
    from mcusim import chips
    from mcusim.cli import networks
    from mcusim.cli.files import claim
    from mcusim.compiler.build import build
    from mcusim.compiler.schedule import parse_spec
    from mcusim.report.figures import kib

    pruned = networks.load(model, prune)
    graph = pruned.graph
    out = output or Path(f"{graph.name}.elf")
    claim([out], force=force)
    target = chips.load(chip)
    parsed = parse_spec(schedule, graph, input_in, target.sram.size)
    built = build(graph, parsed, target, toolchain=toolchain, out=out, provenance=pruned.provenance)
    if quiet:
        return
    plan = built.plan
    typer.echo(
        f"{out}: {graph.name} under {built.schedule.name}, arena {kib(plan.arena_bytes)} "
        f"(input {kib(plan.input_bytes)}), scratch {kib(plan.scratch_bytes)}"
    )
    if removed := networks.sentence(pruned):
        typer.echo(f"{removed}.")
    typer.echo(f"Run it: mcusim run {out} --chip {chip}")
