"""The MemoryPlan document: where in the arena every activation lies, and during which steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from mcusim.compiler import placement
from mcusim.compiler.live_ranges import Buffer, LiveRanges, Sharing, live_ranges
from mcusim.compiler.lowering.types import LoweredOp
from mcusim.compiler.passes import unfold
from mcusim.compiler.schedule import Schedule
from mcusim.network.graph import Graph

FORMAT = "mcusim.plan"
VERSION = 1


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """``bytes`` from ``offset`` in the arena hold ``tensor`` in steps ``first`` to ``last`` inclusive
    (one step per operator in execution order). ``patch``: one patch of it at a time."""

    tensor: int
    name: str
    offset: int
    bytes: int
    first: int
    last: int
    patch: bool = False


class ScratchPlacement(msgspec.Struct, frozen=True, kw_only=True):
    """``bytes`` from ``offset`` behind the arena's start are scratch of the kernels in steps ``first`` to
    ``last`` inclusive."""

    offset: int
    bytes: int
    first: int
    last: int


class PlannedStep(msgspec.Struct, frozen=True, kw_only=True):
    """One operator; ``live_bytes`` are those that must exist while it runs, its scratch included."""

    operator: int
    op: str
    live_bytes: int


class MemoryPlan(msgspec.Struct, frozen=True, kw_only=True):
    """``arena_bytes`` hold all placements; ``input_bytes`` of them are the network's input (0: it lies in
    flash).

    ``scratch_bytes`` follow right behind: what of the kernels' scratch finds no place in bytes of the arena
    that are free at the time. ``free``: the operators, by index, that move nothing, since their tensors are
    names of one another's bytes. ``lower_bound_bytes`` is what the fullest step needs, every tensor and its
    scratch rounded up to 4 bytes: no plan takes less than that for arena and scratch together.
    """

    format: Literal["mcusim.plan"] = "mcusim.plan"
    version: Literal[1] = 1
    arena_bytes: int
    input_bytes: int
    scratch_bytes: int
    lower_bound_bytes: int
    steps: tuple[PlannedStep, ...]
    placements: tuple[Placement, ...]
    scratch: tuple[ScratchPlacement, ...] = ()
    free: tuple[int, ...] = ()

    @property
    def sram_bytes(self) -> int:
        """Arena and scratch together."""
        return self.arena_bytes + self.scratch_bytes


def plan_memory(
    graph: Graph,
    schedule: Schedule,
    *,
    sharing: Sharing = "rows",
    lowered: Mapping[int, LoweredOp] | None = None,
) -> MemoryPlan:
    """Plan the arena for ``graph`` under a valid ``schedule``, without any scratch."""
    graph, schedule = unfold(graph, schedule)
    ranges = live_ranges(graph, schedule, sharing=sharing, lowered=lowered)
    return plan_document(graph, *placement.settle(ranges))


def plan_document(graph: Graph, ranges: LiveRanges, offsets: Mapping[int, int]) -> MemoryPlan:
    """The document for buffers that lie at ``offsets``."""
    arena = max((offsets[tensor] + buffer.bytes for tensor, buffer in ranges.buffers.items()), default=0)
    return MemoryPlan(
        arena_bytes=arena,
        input_bytes=sum(ranges.buffers[i].bytes for i in graph.inputs if i in ranges.buffers),
        scratch_bytes=placement.arena_bytes(ranges, offsets) - arena,
        lower_bound_bytes=placement.lower_bound(ranges),
        steps=tuple(
            PlannedStep(operator=op.index, op=op.kind, live_bytes=placement.step_bytes(ranges, step))
            for step, op in enumerate(graph.operators)
        ),
        placements=tuple(
            _placement(graph, buffer, offsets[tensor])
            for tensor, buffer in sorted(ranges.buffers.items(), key=lambda item: (item[1].first, item[0]))
        ),
        scratch=tuple(
            ScratchPlacement(offset=offsets[key], bytes=buffer.bytes, first=buffer.first, last=buffer.last)
            for key, buffer in sorted(ranges.scratch.items(), key=lambda item: item[1].first)
        ),
        free=tuple(sorted(ranges.aliases.free)),
    )


def _placement(graph: Graph, buffer: Buffer, offset: int) -> Placement:
    return Placement(
        tensor=buffer.tensor,
        name=graph.tensors[buffer.tensor].name,
        offset=offset,
        bytes=buffer.bytes,
        first=buffer.first,
        last=buffer.last,
        patch=buffer.patch,
    )
