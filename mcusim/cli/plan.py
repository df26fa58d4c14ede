"""``mcusim plan``: what a network needs under each schedule, before anything is built."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mcusim.cli.options import DEFAULT_CHIP, ChipOption, ForceOption, InputInOption, PruneOption
from mcusim.errors import UsageError

if TYPE_CHECKING:
    from mcusim.chips import Chip
    from mcusim.compiler.candidates import Candidate
    from mcusim.compiler.memory_plan import MemoryPlan
    from mcusim.compiler.schedule import InputIn, Schedule, Stage
    from mcusim.network.graph import Graph
    from mcusim.network.prune import Pruned
    from mcusim.report.plan import PlannedLayer, PlannedSchedule

NAME = "plan"
WORTHWHILE = 0.02
"""A schedule with more MACs is listed if it saves at least this share of the bytes."""

NetworkArgument = Annotated[
    str,
    typer.Argument(
        metavar="MODEL[@SPEC]",
        help="x.tflite, or zoo:NAME?parameter=value; with a schedule, that one is drawn.",
    ),
]
SchedulesOption = Annotated[
    list[str] | None,
    typer.Option("--schedule", "-s", metavar="SPEC", help="Plan these instead of the usual ones."),
]
FrontOption = Annotated[bool, typer.Option("--front", help="The fastest schedule for every size of SRAM.")]
VerifyOption = Annotated[bool, typer.Option("--verify", help="With --front: build and run its schedules.")]
DocumentOption = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="FILE.json", help="With MODEL@SPEC: keep the schedule's document."),
]


def command(
    model: NetworkArgument,
    chip: ChipOption = DEFAULT_CHIP,
    schedules: SchedulesOption = None,
    input_in: InputInOption = None,
    front: FrontOption = False,
    verify: VerifyOption = False,
    prune: PruneOption = "exact",
    out: DocumentOption = None,
    force: ForceOption = False,
) -> None:
    """Show what a network needs under each schedule.

    Layers with their bytes and MACs, where a patch stage may end, and the schedules worth a look. MODEL@SPEC:
    which operators run together, ring sizes, and what lies where over time.
    """
    from mcusim.cli import networks

    name, spec = _split(model)
    if out is not None and spec is None:
        raise UsageError("only the schedule of MODEL@SPEC can be kept with --out")
    if verify and not front:
        raise UsageError("--verify builds and runs the schedules of --front; without that there are none")
    if front + (spec is not None) + bool(schedules) > 1:
        raise UsageError("MODEL@SPEC, --schedule and --front show different things; ask for one of them")
    pruned = networks.load(name, prune)
    if spec is not None:
        _draw(pruned.graph, chip, spec, input_in, out, force=force)
    elif front:
        _show_front(pruned.graph, chip, input_in or "sram", verify=verify)
    else:
        _show_schedules(pruned, chip, schedules, input_in)


def _split(text: str) -> tuple[str, str | None]:
    """MODEL and SPEC, None where there is none."""
    from mcusim.cli import subjects

    if "@" not in text or Path(text).is_file():
        return text, None
    subject = subjects.parse(text)
    return subject.model, subject.spec


def _draw(
    graph: Graph, chip: str, spec: str, input_in: InputIn | None, out: Path | None, *, force: bool
) -> None:
    from mcusim import chips
    from mcusim.cli import files
    from mcusim.cli.schedule_drawing import drawing_of
    from mcusim.compiler.schedule import dump, parse_spec
    from mcusim.report.canvas import open_console
    from mcusim.report.schedule_drawing import render

    files.claim([out], force=force)
    target = chips.load(chip)
    schedule = parse_spec(spec, graph, input_in, target.sram.size, target.clock_hz)
    render(drawing_of(graph, schedule, spec), open_console())
    if out is not None:
        files.write(out, dump(schedule))


def _show_schedules(pruned: Pruned, chip: str, specs: Sequence[str] | None, input_in: InputIn | None) -> None:
    from mcusim import chips
    from mcusim.cli import networks, published
    from mcusim.report.canvas import open_console
    from mcusim.report.plan import PlanSheet, render

    target, graph = chips.load(chip), pruned.graph
    sheet = PlanSheet(
        network=graph.name,
        chip=target.name,
        sram_bytes=target.sram.size,
        flash_bytes=target.flash.size,
        layers=_layers(graph),
        schedules=tuple(_all_schedules(graph, target, specs, input_in)),
        published=published.beside(graph),
        removed=networks.sentence(pruned),
    )
    render(sheet, open_console())


def _show_front(graph: Graph, chip: str, input_in: InputIn, *, verify: bool) -> None:
    from mcusim import chips
    from mcusim.cli.progress import Progress
    from mcusim.report.canvas import open_console
    from mcusim.report.front import FrontRow, render
    from mcusim.search import front

    target = chips.load(chip)
    points = front.plan_front(graph, target, input_in)
    if verify:
        with Progress("schedules", len(points)) as progress:
            points = front.verify(graph, target, points, progress)
    rows = [
        FrontRow(
            stages=_stages_text(point.schedule),
            needed_bytes=point.needed_bytes,
            mac_factor=point.mac_factor,
            cycles=point.cycles,
            measured_bytes=point.measured_peak_bytes,
            measured_cycles=point.measured_cycles,
            exact=point.arena_as_planned,
        )
        for point in points
    ]
    render(graph.name, rows, open_console())


def _stages_text(schedule: Schedule) -> str:
    """Which operators run together, in how many bands, and in tiles of how many channels."""
    return "; ".join(_stage_text(stage) for stage in schedule.stages if stage.mode != "op") or "one by one"


def _stage_text(stage: Stage) -> str:
    pieces = [f"{stage.bands} bands"] if stage.bands > 1 else []
    pieces += [f"tiles of {stage.channels}"] if stage.mode == "ctile" else []
    return f"{stage.first}-{stage.last}" + (f" in {' of '.join(pieces)}" if pieces else "")


def _layers(graph: Graph) -> tuple[PlannedLayer, ...]:
    from mcusim.compiler.analysis import layer_bytes
    from mcusim.compiler.program import make_program
    from mcusim.compiler.schedule import layer_schedule, patch_ends
    from mcusim.network import geometry
    from mcusim.report.plan import PlannedLayer

    ends = patch_ends(graph)
    free = make_program(graph, layer_schedule(graph)).plan.free
    return tuple(
        PlannedLayer(
            index=op.index,
            op=op.kind.value,
            shape_out=graph.output_of(op).shape,
            macs=geometry.macs(graph, op),
            weight_bytes=geometry.weight_bytes(graph, op),
            live_bytes=row.live_bytes_inplace_depthwise,
            ends_stage=op.index in ends,
            free=op.index in free,
        )
        for op, row in zip(graph.operators, layer_bytes(graph), strict=True)
    )


def _all_schedules(
    graph: Graph, chip: Chip, specs: Sequence[str] | None, input_in: InputIn | None
) -> list[PlannedSchedule]:
    """The wanted schedules; by default layer by layer and the patch schedules worth a look."""
    from mcusim.compiler.candidates import candidates

    if not specs:
        specs = _frontier(candidates(graph, input_in=input_in or "sram"))
        specs.insert(1, "stream")
        return [_planned(graph, chip, s, input_in) for s in specs] + _proposed(graph, chip, input_in)
    return [_planned(graph, chip, spec, input_in) for spec in specs]


def _frontier(found: Sequence[Candidate]) -> list[str]:
    """The first candidate, and those that need less than it and than all with as few MACs."""
    if not found:
        return []
    specs, least = [found[0].schedule.name], found[0].needed_bytes
    for candidate in sorted(found[1:], key=lambda candidate: (candidate.mac_factor, candidate.needed_bytes)):
        if candidate.needed_bytes < least * (1 - WORTHWHILE):
            specs.append(candidate.schedule.name)
            least = candidate.needed_bytes
    return specs


def _planned(graph: Graph, chip: Chip, spec: str, input_in: InputIn | None) -> PlannedSchedule:
    from mcusim.compiler.analysis import schedule_macs
    from mcusim.compiler.program import make_program
    from mcusim.compiler.schedule import parse_spec

    schedule = parse_spec(spec, graph, input_in, chip.sram.size, chip.clock_hz)
    program = make_program(graph, schedule)
    flash = _flash_bytes(graph, schedule, program.constant_bytes)
    return _schedule_row(chip, spec, program.plan, flash, schedule_macs(graph, schedule))


def _proposed(graph: Graph, chip: Chip, input_in: InputIn | None) -> list[PlannedSchedule]:
    from mcusim.compiler.analysis import schedule_macs
    from mcusim.compiler.proposals import proposals

    return [
        _schedule_row(
            chip,
            found.spec,
            found.plan,
            _flash_bytes(graph, found.schedule, found.constant_bytes),
            schedule_macs(graph, found.schedule),
            found.cycles,
        )
        for found in proposals(graph, input_in or "sram")
    ]


def _flash_bytes(graph: Graph, schedule: Schedule, constant_bytes: int) -> int:
    """What is known of the flash before anything is compiled: constants, and the image if it lies there."""
    images = (graph.tensors[index].bytes for index in graph.inputs)
    return constant_bytes + (sum(images) if schedule.input_in == "flash" else 0)


def _schedule_row(
    chip: Chip, spec: str, plan: MemoryPlan, flash_bytes: int, macs: int, cycles: float | None = None
) -> PlannedSchedule:
    from mcusim.report.plan import PlannedSchedule

    return PlannedSchedule(
        spec=spec,
        planned_bytes=plan.sram_bytes,
        bound_bytes=plan.lower_bound_bytes,
        flash_bytes=flash_bytes,
        macs=macs,
        fits=plan.sram_bytes <= chip.sram.size and flash_bytes <= chip.flash.size,
        cycles=cycles,
    )
