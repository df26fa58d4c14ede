"""``mcusim plan``: what a network needs under each schedule, before anything is built."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from mcusim.cli.options import DEFAULT_CHIP, ChipOption, InputInOption

if TYPE_CHECKING:
    from mcusim.chips import Chip
    from mcusim.compiler.schedule import InputIn
    from mcusim.network.graph import Graph
    from mcusim.report.plan import PlannedLayer, PlannedSchedule

NAME = "plan"
GRIDS = ((2, 2), (3, 3), (4, 4))


def command(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="x.tflite, or zoo:NAME?parameter=value.")],
    chip: ChipOption = DEFAULT_CHIP,
    schedules: Annotated[
        list[str] | None,
        typer.Option("--schedule", "-s", metavar="SPEC", help="Plan these instead of the usual ones."),
    ] = None,
    input_in: InputInOption = None,
) -> None:
    """Show what a network needs under each schedule.

    Layers with their bytes and MACs, where a patch stage may end, and the schedules worth a look.
    """
    from mcusim import chips, network
    from mcusim.cli import published
    from mcusim.report.canvas import open_console
    from mcusim.report.plan import PlanSheet, render

    target = chips.load(chip)
    graph = network.load(model)
    planned = _all_schedules(graph, target, schedules, input_in)
    sheet = PlanSheet(
        network=graph.name,
        chip=target.name,
        sram_bytes=target.sram.size,
        flash_bytes=target.flash.size,
        layers=_layers(graph),
        schedules=tuple(planned),
        published=published.beside(graph),
    )
    render(sheet, open_console())


def _layers(graph: Graph) -> tuple[PlannedLayer, ...]:
    from mcusim.compiler.analysis import layer_bytes
    from mcusim.compiler.schedule import patch_ends
    from mcusim.network import geometry
    from mcusim.report.plan import PlannedLayer

    ends = patch_ends(graph)
    return tuple(
        PlannedLayer(
            index=op.index,
            op=op.kind.value,
            shape_out=graph.output_of(op).shape,
            macs=geometry.macs(graph, op),
            weight_bytes=geometry.weight_bytes(graph, op),
            live_bytes=row.live_bytes_inplace_depthwise,
            ends_stage=op.index in ends,
        )
        for op, row in zip(graph.operators, layer_bytes(graph), strict=True)
    )


def _all_schedules(
    graph: Graph, chip: Chip, specs: Iterable[str] | None, input_in: InputIn | None
) -> list[PlannedSchedule]:
    """The wanted schedules; by default layer by layer and the patch schedules worth a look."""
    if specs:
        return [_planned(graph, chip, spec, input_in) for spec in specs]
    from mcusim.compiler.schedule import patch_ends

    layer = _planned(graph, chip, "layer", input_in)
    found = [
        planned
        for last in patch_ends(graph)
        for rows, columns in GRIDS
        if (planned := _try(graph, chip, f"patch:{rows}x{columns}@{last}", input_in)) is not None
    ]
    return [layer, *_frontier(found, layer.arena_bytes)]


def _frontier(found: Iterable[PlannedSchedule], below: int) -> list[PlannedSchedule]:
    """Of ``found``, those with an arena smaller than ``below`` and than of all with as few MACs."""
    kept: list[PlannedSchedule] = []
    for planned in sorted(found, key=lambda planned: (planned.macs, planned.arena_bytes)):
        if planned.arena_bytes < (kept[-1].arena_bytes if kept else below):
            kept.append(planned)
    return kept


def _try(graph: Graph, chip: Chip, spec: str, input_in: InputIn | None) -> PlannedSchedule | None:
    from mcusim.errors import ScheduleError

    try:
        return _planned(graph, chip, spec, input_in)
    except ScheduleError:
        return None


def _planned(graph: Graph, chip: Chip, spec: str, input_in: InputIn | None) -> PlannedSchedule:
    from mcusim.compiler.analysis import schedule_macs
    from mcusim.compiler.memory_plan import plan_memory
    from mcusim.compiler.schedule import parse_spec
    from mcusim.report.plan import PlannedSchedule

    schedule = parse_spec(spec, graph, input_in)
    plan = plan_memory(graph, schedule)
    fits = plan.arena_bytes <= chip.sram.size
    return PlannedSchedule(spec, plan.arena_bytes, schedule_macs(graph, schedule), fits)
