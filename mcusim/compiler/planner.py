"""From a graph and its schedule to a layout and a place for every buffer, moves between stages included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from mcusim.compiler import lowering, placement
from mcusim.compiler.layout import Layout, layout_of
from mcusim.compiler.live_ranges import LiveRanges, Sharing
from mcusim.compiler.lowering.types import LoweredOp, Options
from mcusim.compiler.moves import moved_name, places_for_moves, with_moves
from mcusim.compiler.schedule import Schedule
from mcusim.network.graph import Graph, OpKind

WORTH_MOVES = 0.01
"""A plan has moves if they save at least this share of its memory."""

Places = Mapping[int, int]
"""Positions between stages, and the tensor that may move at each."""

Offsets = dict[int, int]
"""Of every buffer, by tensor."""


@dataclass(frozen=True)
class Planner:
    """``kernels`` are those of all operators that a graph has before tensors are moved."""

    kernels: Mapping[int, LoweredOp]
    sharing: Sharing
    options: Options
    place: placement.Placer

    def plan(self, graph: Graph, schedule: Schedule) -> tuple[Layout, Offsets]:
        """Into the least memory found, each overlap in the fastest way for which that has room.

        Where the fullest step would need less, tensors may move between stages, as few of them as it takes.
        """
        layout = self._layout(graph, schedule)
        ranges, offsets = placement.settle(layout.ranges, self.place)
        still = replace(layout, ranges=ranges), offsets
        aimed = placement.arena_bytes(ranges, offsets) * (1 - WORTH_MOVES)
        if self.sharing != "rows" or placement.lower_bound(layout.ranges) > aimed:
            return still
        places = _places(graph, schedule, layout.ranges)
        split = _split(graph, layout.ranges, places)
        offsets = self.place(split)
        if placement.arena_bytes(split, offsets) > aimed:
            return still
        places, offsets = _fewest(graph, layout.ranges, places, offsets)
        moved = self._layout(*with_moves(graph, schedule, places))
        carried = _carried(graph, offsets, moved)
        ranges, offsets = placement.settle(
            moved.ranges, lambda each: carried if each is moved.ranges else self.place(each)
        )
        return replace(moved, ranges=ranges), offsets

    def _layout(self, graph: Graph, schedule: Schedule) -> Layout:
        moves = (op for op in graph.operators if op.kind is OpKind.MOVE)
        kernels = {**self.kernels, **{op.index: lowering.lower(graph, op) for op in moves}}
        return layout_of(graph, schedule, lowered=kernels, sharing=self.sharing, options=self.options)


def _places(graph: Graph, schedule: Schedule, ranges: LiveRanges) -> Places:
    """Where buffers may move that hold nothing but the tensor that one stage leaves to the next."""
    roots = ranges.aliases.roots
    found = places_for_moves(graph, schedule).items()
    return {place: roots[t] for place, t in found if graph.tensors[t].bytes == graph.tensors[roots[t]].bytes}


def _split(graph: Graph, ranges: LiveRanges, places: Places) -> LiveRanges:
    """``ranges`` with a buffer for each name that a tensor has before, between and behind its moves."""
    buffers, overlaps = dict(ranges.buffers), list(ranges.overlaps)
    for place, tensor in sorted(places.items(), reverse=True):
        whole, new = buffers[tensor], moved_name(graph, place)
        buffers[tensor] = replace(whole, last=place - 1)
        buffers[new] = replace(whole, tensor=new, first=place)
        overlaps = [replace(o, source=new) if o.source == tensor else o for o in overlaps]
    return replace(ranges, buffers=buffers, overlaps=tuple(overlaps))


def _fewest(graph: Graph, ranges: LiveRanges, places: Places, offsets: Offsets) -> tuple[Places, Offsets]:
    """As few of ``places`` as halving finds that the memory of ``offsets`` needs, and offsets for those."""
    split = _split(graph, ranges, places)
    size = placement.arena_bytes(split, offsets)
    groups = [sorted(places)]
    while groups:
        group = groups.pop()
        fewer = {place: tensor for place, tensor in places.items() if place not in group}
        joined = _split(graph, ranges, fewer)
        longer = [name for name, buffer in joined.buffers.items() if buffer != split.buffers[name]]
        kept = {name: offsets[name] for name in joined.everything}
        found = placement.fit_again(joined, kept, size, longer)
        if found is not None:
            places, split, offsets = fewer, joined, found
        elif len(group) > 1:
            half = len(group) // 2
            groups += [group[half:], group[:half]]
    return places, offsets


def _carried(graph: Graph, offsets: Offsets, moved: Layout) -> Offsets:
    """``offsets`` of buffers of ``graph`` for those of ``moved``, its layout with moves. Scratch is known by
    the position of its operator."""
    positions = {op.index: position for position, op in enumerate(graph.operators)}

    def before(key: int) -> int:
        return key if key >= 0 else ~positions[moved.graph.operators[~key].index]

    return {key: offsets[before(key)] for key in moved.ranges.everything}
