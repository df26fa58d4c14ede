"""A network lowered to kernels and laid out under a schedule: what the firmware's text is made from."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from mcusim.compiler import lowering, placement, spatial
from mcusim.compiler.exact import place_exactly
from mcusim.compiler.layout import Layout
from mcusim.compiler.live_ranges import LiveRanges, Sharing
from mcusim.compiler.lowering.pooling import over_rows
from mcusim.compiler.lowering.reduction import mean_of_row, mean_of_rows
from mcusim.compiler.lowering.types import EXACT_AND_FAST, LoweredOp, Options
from mcusim.compiler.memory_plan import MemoryPlan, plan_document
from mcusim.compiler.passes import unfold
from mcusim.compiler.planner import Planner
from mcusim.compiler.schedule import Schedule, validate
from mcusim.compiler.stages import HeadStage, StreamStage, TileStage, sums_bytes
from mcusim.network.graph import Graph, Operator, OpKind


@dataclass(frozen=True)
class Program(Layout):
    """A layout with its memory plan: everything that the text of a firmware depends on. Operators that move
    nothing are not lowered."""

    plan: MemoryPlan = field(kw_only=True)

    def kernels_of(self, op: Operator) -> Iterator[tuple[str, LoweredOp]]:
        """The kernel calls of an operator, several if it is divided into tiles, each with a label that is
        unique in the network; none of operators that move nothing."""
        stage = self.ranges.stage_at(self.graph.operators.index(op))
        tiled = list(self.tiles[stage.first].of(op)) if isinstance(stage, TileStage | HeadStage) else []
        if op.index in self.lowered:
            yield from tiled or [(f"{op.index:03d}", self.lowered[op.index])]

    @property
    def constant_bytes(self) -> int:
        """What kernels read beside activations: weights as they are packed, tables, requantisation. Code and
        the descriptions of layers, tensors and stages come on top."""
        own = (op for op in self.graph.operators if op.copy_of is None)
        kernels = (lowered for op in own for _, lowered in self.kernels_of(op))
        return sum(len(constant.data) for lowered in kernels for constant in lowered.constants)

    @property
    def offsets(self) -> dict[int, int]:
        """Arena offsets by root tensor."""
        return {placement.tensor: placement.offset for placement in self.plan.placements}

    def scratch_offset(self, op: Operator) -> int | None:
        """Where behind the arena's start the operator's kernel has its scratch; None if it needs none."""
        position = self.graph.operators.index(op)
        found = (scratch.offset for scratch in self.plan.scratch if scratch.first <= position <= scratch.last)
        offset, stage = next(found, None), self.ranges.stage_at(position)
        if offset is None or stage is None or position == stage.last:
            return offset
        return offset + sums_bytes(self.graph, stage)


@functools.lru_cache(maxsize=4)
def lower_all(graph: Graph, options: Options = EXACT_AND_FAST) -> Mapping[int, LoweredOp]:
    """Every operator as a kernel call, by operator index; RESHAPE, which never moves anything, is left out.

    Raises UnsupportedError, naming the operator, for what no kernel computes.
    """
    operators = (op for op in graph.operators if op.kind is not OpKind.RESHAPE)
    return {op.index: lowering.lower(graph, op, options) for op in operators}


def _by_rows(layout: Layout) -> Mapping[int, LoweredOp]:
    """The layout's kernels, as its overlaps and rings want them, with others for what streams hand row by row
    to a mean or a pool over everything."""
    graph, found = layout.graph, dict(layout.lowered)
    for position, op in enumerate(graph.operators):
        if op.index in found:
            found[op.index] = layout.kernel_of(position, op)
    for stage in layout.ranges.stages:
        if not isinstance(stage, StreamStage):
            continue
        for op in graph.operators[stage.first : stage.last + 1]:
            if op.kind is OpKind.MEAN:
                over_all = spatial.pools_all(graph, op)
                found[op.index] = mean_of_rows(graph, op) if over_all else mean_of_row(graph, op)
            elif spatial.pools_all(graph, op):
                found[op.index] = over_rows(found[op.index])
    return found


def _that_move(ranges: LiveRanges, lowered: Mapping[int, LoweredOp]) -> Mapping[int, LoweredOp]:
    """``lowered`` without operators that move nothing."""
    return {index: kernel for index, kernel in lowered.items() if index not in ranges.aliases.free}


def make_program(
    graph: Graph,
    schedule: Schedule,
    sharing: Sharing = "rows",
    lowered: Mapping[int, LoweredOp] | None = None,
    *,
    exact: bool = False,
    options: Options = EXACT_AND_FAST,
) -> Program:
    """Lower (unless ``lowered`` is given, with the same ``options``) and plan ``graph`` under ``schedule``,
    ``exact``: into the smallest arena that there is.

    Raises ScheduleError, UnsupportedError, for an exact plan UsageError if the solver is not installed.
    """
    validate(schedule, graph)
    kernels = dict(lower_all(graph, options) if lowered is None else lowered)
    graph, schedule = unfold(graph, schedule)
    kernels |= {op.index: kernels[op.copy_of] for op in graph.operators if op.copy_of is not None}
    planner = Planner(kernels, sharing, options, place_exactly if exact else placement.place)
    layout, offsets = planner.plan(graph, schedule)
    by_rows = _that_move(layout.ranges, _by_rows(layout))
    plan = plan_document(layout.graph, layout.ranges, offsets)
    return Program(layout.graph, layout.ranges, by_rows, layout.tiles, plan=plan)
