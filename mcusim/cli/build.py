"""``mcusim build``: make a firmware image from a quantised network under a schedule."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mcusim.cli.options import (
    DEFAULT_CHIP,
    ChipOption,
    ExactOption,
    ForceOption,
    InputInOption,
    InputsOption,
    PruneOption,
    QuietOption,
)
from mcusim.errors import UsageError

if TYPE_CHECKING:
    from mcusim.chips import Chip

NAME = "build"


def command(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="x.tflite, or zoo:NAME?parameter=value.")],
    schedule: Annotated[
        str,
        typer.Option(
            "--schedule",
            "-s",
            metavar="SPEC",
            help="layer, stream, bands:N@K, patch:RxC@K, auto, auto:sram=SIZE, auto:ms=TIME, or a file.",
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
    exact: ExactOption = False,
    optimise: Annotated[
        Literal["speed", "size"], typer.Option("--optimise", help="The fastest kernels, or little code.")
    ] = "speed",
    rounding: Annotated[
        Literal["double", "single"],
        typer.Option("--rounding", help="As the reference, or once, which changes few outputs."),
    ] = "double",
    inputs: InputsOption = None,
    quiet: QuietOption = False,
    force: ForceOption = False,
) -> None:
    """Build firmware that runs a network under a schedule."""
    from mcusim import chips
    from mcusim.cli import networks
    from mcusim.cli.files import claim, read_array
    from mcusim.compiler.build import build
    from mcusim.compiler.lowering import Options
    from mcusim.compiler.schedule import parse_spec
    from mcusim.report.figures import kib

    if inputs and rounding == "double":
        raise UsageError("--input is what --rounding single is measured on; without that nothing is run")
    arrays = [read_array(path) for path in inputs] if inputs else None
    pruned = networks.load(model, prune)
    graph = pruned.graph
    out = output or Path(f"{graph.name}.elf")
    claim([out], force=force)
    target = chips.load(chip)
    parsed = parse_spec(schedule, graph, input_in, target.sram.size, target.clock_hz)
    built = build(
        graph,
        parsed,
        target,
        toolchain=toolchain,
        out=out,
        provenance=pruned.provenance,
        options=Options(optimise, rounding),
        exact=exact,
    )
    if quiet:
        return
    plan = built.plan
    typer.echo(
        f"{out}: {graph.name} under {built.schedule.name}, arena {kib(plan.arena_bytes)} "
        f"(input {kib(plan.input_bytes)}), scratch {kib(plan.scratch_bytes)}"
    )
    typer.echo(_flash(out, target))
    if rounding == "single":
        from mcusim.cli.rounding import effect

        typer.echo(f"{effect(out, graph, target, arrays)}.")
    if removed := networks.sentence(pruned):
        typer.echo(f"{removed}.")
    typer.echo(f"Run it: mcusim run {out} --chip {chip}")


def _flash(elf: Path, chip: Chip) -> str:
    """How much of the image's flash is code."""
    from mcusim import image
    from mcusim.profile import flash
    from mcusim.report.figures import kib

    parts = flash.measure(image.load(elf), chip)
    data = parts.constant_bytes + parts.weight_bytes + parts.initial_bytes + parts.padding_bytes
    total = parts.text_bytes + data
    return f"code {kib(parts.text_bytes)} of {kib(total)} of flash"
