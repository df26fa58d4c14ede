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
    from mcusim.compiler.build import BuildResult
    from mcusim.compiler.schedule import Schedule

NAME = "build"

ModelArgument = Annotated[str, typer.Argument(metavar="MODEL", help="x.tflite, or zoo:NAME?parameter=value.")]
ScheduleOption = Annotated[
    str,
    typer.Option(
        "--schedule",
        "-s",
        metavar="SPEC",
        help="layer, stream, bands:N@K, patch:RxC@K, auto, auto:sram=SIZE, auto:ms=TIME, or a file.",
    ),
]
ImageOption = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FW.elf", help="Default: the network's name.")
]
ToolchainOption = Annotated[
    Literal["zig", "gcc"], typer.Option("--toolchain", help="The C compiler: pinned zig, or GCC.")
]
CameraOption = Annotated[
    Path | None,
    typer.Option(
        "--camera", metavar="FILE.c", help="With --input-in camera: a board's own camera functions."
    ),
]
OptimiseOption = Annotated[
    Literal["speed", "size"], typer.Option("--optimise", help="The fastest kernels, or little code.")
]
RoundingOption = Annotated[
    Literal["double", "single"],
    typer.Option("--rounding", help="As the reference, or once, which changes few outputs."),
]


def command(
    model: ModelArgument,
    schedule: ScheduleOption = "layer",
    chip: ChipOption = DEFAULT_CHIP,
    input_in: InputInOption = None,
    output: ImageOption = None,
    toolchain: ToolchainOption = "zig",
    prune: PruneOption = "exact",
    exact: ExactOption = False,
    optimise: OptimiseOption = "speed",
    rounding: RoundingOption = "double",
    inputs: InputsOption = None,
    camera: CameraOption = None,
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

    if inputs and rounding == "double":
        raise UsageError("--input is what --rounding single is measured on; without that nothing is run")
    arrays = [read_array(path) for path in inputs] if inputs else None
    pruned = networks.load(model, prune)
    graph = pruned.graph
    out = output or Path(f"{graph.name}.elf")
    claim([out], force=force)
    target = chips.load(chip)
    built = build(
        graph,
        parse_spec(schedule, graph, input_in, target.sram.size, target.clock_hz),
        target,
        toolchain=toolchain,
        out=out,
        provenance=pruned.provenance,
        options=Options(optimise, rounding),
        exact=exact,
        camera=camera,
    )
    if quiet:
        return
    typer.echo(f"{out}: {graph.name} under {built.schedule.name}, {_sram(built)}")
    typer.echo(_flash(out, target))
    if rounding == "single":
        from mcusim.cli.rounding import effect

        typer.echo(f"{effect(out, graph, target, arrays)}.")
    if removed := networks.sentence(pruned):
        typer.echo(f"{removed}.")
    typer.echo(f"Run it: mcusim run {out} --chip {chip}")


def _sram(built: BuildResult) -> str:
    """What is planned of the image's SRAM."""
    from mcusim.report.figures import kib

    plan = built.plan
    return (
        f"arena {kib(plan.arena_bytes)} ({_input_name(built.schedule)} {kib(plan.input_bytes)}), "
        f"scratch {kib(plan.scratch_bytes)}"
    )


def _input_name(schedule: Schedule) -> str:
    return "camera lines" if schedule.input_in == "camera" else "input"


def _flash(elf: Path, chip: Chip) -> str:
    """How much of the image's flash is code."""
    from mcusim import image
    from mcusim.profile import flash
    from mcusim.report.figures import kib

    parts = flash.measure(image.load(elf), chip)
    data = parts.constant_bytes + parts.weight_bytes + parts.initial_bytes + parts.padding_bytes
    total = parts.text_bytes + data
    return f"code {kib(parts.text_bytes)} of {kib(total)} of flash"
