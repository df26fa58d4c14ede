"""From a planned schedule to the document that ``report.schedule_drawing`` draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcusim.report.schedule_drawing import DrawnStage, Region, RegionKind, ScheduleDrawing

if TYPE_CHECKING:
    from mcusim.compiler.live_ranges import Buffer
    from mcusim.compiler.program import Program
    from mcusim.compiler.schedule import Schedule, Stage
    from mcusim.network.graph import Graph


def drawing_of(graph: Graph, schedule: Schedule, spec: str) -> ScheduleDrawing:
    """Plan ``graph`` under a valid ``schedule``. Raises UnsupportedError for what no kernel computes."""
    from mcusim.compiler.analysis import mac_factor
    from mcusim.compiler.program import make_program

    program = make_program(graph, schedule)
    moments = _moments(program)
    return ScheduleDrawing(
        network=graph.name,
        spec=spec,
        input_in=schedule.input_in,
        sram_bytes=program.plan.sram_bytes,
        mac_factor=mac_factor(graph, schedule),
        moments=moments[-1] + 1,
        stages=_stages(program, schedule, moments),
        regions=_regions(program, moments),
    )


def _moments(program: Program) -> list[int]:
    """For every position of the execution order its moment: that of the operator, or of its stream."""
    from mcusim.compiler.stages import StreamStage

    moments: list[int] = []
    for position in range(len(program.graph.operators)):
        stage = program.ranges.stage_at(position)
        goes_on = isinstance(stage, StreamStage) and position > stage.first
        moments.append((moments[-1] if moments else -1) + (not goes_on))
    return moments


def _stages(program: Program, schedule: Schedule, moments: list[int]) -> tuple[DrawnStage, ...]:
    """Stages cover the execution order, together with copies of operators, one behind the other."""
    from mcusim.compiler.schedule import position_of

    ends = [position_of(program.graph, stage.last) for stage in schedule.stages]
    starts = [0, *(end + 1 for end in ends)]
    spans = zip(schedule.stages, starts, ends, strict=False)
    return tuple(_stage(program, stage, (first, last), moments) for stage, first, last in spans)


def _stage(program: Program, stage: Stage, span: tuple[int, int], moments: list[int]) -> DrawnStage:
    from mcusim.compiler.analysis import operator_macs

    graph, (first, last) = program.graph, span
    operators = graph.operators[first : last + 1]
    once = sum(operator_macs(graph, op, None) for op in operators if op.copy_of is None)
    made = sum(
        operator_macs(graph, op, program.ranges.stage_at(position))
        for position, op in enumerate(operators, first)
    )
    return DrawnStage(
        mode=_mode(stage),
        operators=tuple((op.index, op.kind.value) for op in operators),
        moments=(moments[first], moments[last]),
        bytes=max(step.live_bytes for step in program.plan.steps[first : last + 1]),
        mac_factor=made / once if once else 1.0,
    )


def _mode(stage: Stage) -> str:
    if stage.mode == "patch" and stage.grid is not None:
        return f"patch {stage.grid[0]}x{stage.grid[1]}"
    pairs = ", pairs" if stage.chunk == 2 else ""
    if stage.mode == "ctile":
        bands = f" x {stage.bands} bands" if stage.bands > 1 else ""
        return f"ctile {stage.channels}{bands}{pairs}"
    bands = f"{stage.bands} bands"
    if stage.mode == "se2":
        return f"se2 in {bands}{pairs}" if stage.bands > 1 else f"se2{pairs}"
    return f"{bands}{pairs}" if stage.bands > 1 else f"{stage.mode}{pairs}"


def _regions(program: Program, moments: list[int]) -> tuple[Region, ...]:
    """The network's inputs and tensors in the order in which they are made, then scratch."""
    order = {tensor: place for place, op in enumerate(program.graph.operators) for tensor in op.outputs}
    found = []
    for key, buffer in sorted(
        program.ranges.everything.items(), key=lambda item: (item[0] < 0, order.get(item[0], -1))
    ):
        offset = program.offsets[key] if key >= 0 else _scratch_offset(program, buffer)
        last = min(buffer.last, len(moments) - 1)
        makers = [op for op in program.graph.operators if key in op.outputs]
        found.append(
            Region(
                kind="scratch" if key < 0 else _kind(program, buffer),
                maker=makers[0].index if makers else None,
                op=makers[0].kind.value if makers else "",
                offset=offset,
                bytes=buffer.bytes,
                first=moments[buffer.first],
                last=moments[last],
                rows=_ring(program, buffer),
            )
        )
    return tuple(found)


def _scratch_offset(program: Program, buffer: Buffer) -> int:
    return next(s.offset for s in program.plan.scratch if (s.first, s.last) == (buffer.first, buffer.last))


def _kind(program: Program, buffer: Buffer) -> RegionKind:
    if not buffer.patch:
        return "tensor"
    return "ring" if _ring(program, buffer) else "patch"


def _ring(program: Program, buffer: Buffer) -> tuple[int, int] | None:
    from mcusim.compiler.rows import height
    from mcusim.compiler.stages import StreamStage

    stage = program.ranges.stage_at(buffer.first)
    if not isinstance(stage, StreamStage) or buffer.tensor not in stage.rings:
        return None
    return stage.rings[buffer.tensor], height(program.graph, buffer.tensor)
