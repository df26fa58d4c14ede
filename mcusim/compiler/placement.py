"""Offline placement of buffers with live ranges, tensors and scratch alike, into the least memory found.

Buffers that live at the same time lie apart, unless an ``Overlap`` lets an operator's output run a
distance ahead of its input. Offsets are searched on both sides of what is already placed and shifted
to start at 0 in the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from mcusim.compiler.live_ranges import Buffer, LiveRanges, Overlap
from mcusim.compiler.repair import Interval, Repair
from mcusim.compiler.rows import ALIGNMENT, align

FIRST_MOVES = 1500
"""Of the repair that looks for the lower bound."""

LATER_MOVES = 800
"""Of each repair that looks for a size above it."""

MOVES_AGAIN = 400
"""Of each repair of a plan in which some buffers lie otherwise."""

STEPS = 64
"""A smaller memory is looked for in steps of at least that part of it."""

Placer = Callable[[LiveRanges], dict[int, int]]
"""From live ranges to the offset of every buffer."""


def place(ranges: LiveRanges) -> dict[int, int]:
    """Offset in bytes of every buffer, by tensor: the smallest memory found.

    The best of a few greedy orders is repaired to fit the lower bound or, if that is not found, sizes between
    the two, halving what lies between. Always the same for the same network.
    """
    best = greedy(ranges)
    failed, size = lower_bound(ranges) - ALIGNMENT, arena_bytes(ranges, best)
    repair = _repair_of(ranges)
    moves, capacity = FIRST_MOVES, lower_bound(ranges)
    while failed < capacity < size:
        found = repair.fit(best, capacity, moves)
        if found is None:
            failed = capacity
        else:
            best, size = found, arena_bytes(ranges, found)
        moves, capacity = LATER_MOVES, failed + max(align((size - failed) // 2), align(size // STEPS))
    return best


def greedy(ranges: LiveRanges) -> dict[int, int]:
    """The best of a few orders in which each buffer is placed where the memory grows least."""
    problems = (_Problem(ranges, sources_high) for sources_high in (True, False))
    fillings = (problem.fill(order) for problem in problems for order in _orders(ranges))
    return min(fillings, key=lambda offsets: arena_bytes(ranges, offsets))


def _repair_of(ranges: LiveRanges) -> Repair:
    problem = _Problem(ranges, sources_high=True)
    return Repair(problem.sizes, problem.neighbours, problem.forbidden)


def settle(ranges: LiveRanges, placer: Placer | None = None) -> tuple[LiveRanges, dict[int, int]]:
    """Offsets as ``placer`` finds them (by default ``place``), and ``ranges`` with the fastest way of every
    overlap for which an arena of that size has room: of all at once or, where that does not fit, of as many
    as halving finds. Where the fullest step needs less than the arena found, faster ways may be easier to
    place."""
    find = placer or place
    offsets = find(ranges)
    size = arena_bytes(ranges, offsets)
    if size > lower_bound(ranges):
        relaxed = _with_ways(ranges, _faster_ways(ranges, size))
        others = find(relaxed)
        if arena_bytes(relaxed, others) < size:
            ranges, offsets, size = relaxed, others, arena_bytes(relaxed, others)
    groups = [list(_faster_ways(ranges, size))]
    while groups:
        group = groups.pop()
        relaxed = _with_ways(ranges, group)
        found = fit_again(relaxed, offsets, size, [slow.target for slow, _ in group])
        if found is not None:
            ranges, offsets = relaxed, found
        elif len(group) > 1:
            half = len(group) // 2
            groups += [group[half:], group[:half]]
    return ranges, offsets


Ways = tuple[Overlap, tuple[Overlap, ...]]
"""An overlap and what takes its place: another one, or none."""


def _faster_ways(ranges: LiveRanges, size: int) -> Iterator[Ways]:
    """For overlaps that cost cycles the fastest way for which their step has room."""
    for overlap in ranges.overlaps:
        ways: list[tuple[Overlap, ...]] = [()] if overlap.costs_cycles else []
        ways += ((faster,) for faster in overlap.faster)
        step = ranges.buffers[overlap.target].first
        fitting = (w for w in ways if step_bytes(_with_ways(ranges, [(overlap, w)]), step) <= size)
        yield from ((overlap, way) for way in [next(fitting, None)] if way is not None)


def _with_ways(ranges: LiveRanges, ways: Iterable[Ways]) -> LiveRanges:
    instead = dict(ways)
    overlaps = (way for overlap in ranges.overlaps for way in instead.get(overlap, (overlap,)))
    return replace(ranges, overlaps=tuple(overlaps))


def fit_again(
    ranges: LiveRanges, offsets: Mapping[int, int], size: int, moved: Iterable[int]
) -> dict[int, int] | None:
    """Offsets within ``size``, found from ``offsets``, of which those of the buffers ``moved`` do not hold;
    None if there are none."""
    beyond = dict.fromkeys(moved, size)
    return _repair_of(ranges).fit({**offsets, **beyond}, size, MOVES_AGAIN)


def lower_bound(ranges: LiveRanges) -> int:
    """The bytes that the fullest step needs, whatever the placement."""
    return max((step_bytes(ranges, step) for step in range(ranges.steps)), default=0)


def step_bytes(ranges: LiveRanges, step: int) -> int:
    """Bytes live in one step; overlapping buffers count as much as they occupy together."""
    live = {t: b for t, b in ranges.everything.items() if b.first <= step <= b.last}
    total = sum(align(b.bytes) for b in live.values())
    for overlap in ranges.overlaps:
        source, target = live.get(overlap.source), live.get(overlap.target)
        if source is not None and target is not None:
            apart = align(source.bytes) + align(target.bytes)
            total -= apart - overlap.together(source, target)
    return total


def arena_bytes(ranges: LiveRanges, offsets: Mapping[int, int]) -> int:
    """Size of the memory that holds every buffer at its offset."""
    return max((offsets[t] + b.bytes for t, b in ranges.everything.items()), default=0)


def _orders(ranges: LiveRanges) -> Iterator[list[int]]:
    """By size; outwards from the fullest step; by birth."""
    buffers = ranges.everything
    by_size = sorted(buffers, key=lambda t: (-buffers[t].bytes, buffers[t].first, t))
    yield by_size
    fullest = max(range(ranges.steps), key=lambda step: step_bytes(ranges, step), default=0)
    outwards = sorted(buffers, key=lambda t: (_steps_from(buffers[t], fullest), -buffers[t].bytes, t))
    yield outwards
    yield sorted(buffers, key=lambda t: (buffers[t].first, -buffers[t].bytes, t))


def _steps_from(buffer: Buffer, step: int) -> int:
    if buffer.first <= step <= buffer.last:
        return 0
    return min(abs(buffer.first - step), abs(buffer.last - step))


class _Problem:
    """The buffers and, for each, which others live at the same time.

    ``sources_high``: a buffer that an output is to run ahead of goes to the highest of equally good
    places, so that there is room before it; all others go to the lowest.
    """

    def __init__(self, ranges: LiveRanges, sources_high: bool) -> None:
        self.sizes = {t: align(b.bytes) for t, b in ranges.everything.items()}
        self._overlaps = {(o.source, o.target): o for o in ranges.overlaps}
        overlaps = ranges.overlaps if sources_high else ()
        self._high = {o.source for o in overlaps if o.distance is not None or o.shift < 0}
        self.neighbours = {
            t: [u for u, other in ranges.everything.items() if u != t and other.meets(b)]
            for t, b in ranges.everything.items()
        }

    def fill(self, order: Sequence[int]) -> dict[int, int]:
        """Place in ``order``, each buffer where the arena grows least."""
        offsets: dict[int, int] = {}
        low = high = 0
        for tensor in order:
            size = self.sizes[tensor]
            forbidden = [
                interval
                for other in self.neighbours[tensor]
                if other in offsets
                for interval in self.forbidden(tensor, other, offsets[other])
            ]
            candidates = {low, high - size, *(end for interval in forbidden for end in interval)}
            free = [x for x in candidates if not any(a < x < b for a, b in forbidden)]
            side = -1 if tensor in self._high else 1
            offset = min(free, key=lambda x: (max(high, x + size) - min(low, x), side * x))
            offsets[tensor] = offset
            low, high = min(low, offset), max(high, offset + size)
        return {tensor: offset - low for tensor, offset in offsets.items()}

    def forbidden(self, tensor: int, other: int, at: int) -> list[Interval]:
        """Where ``tensor`` must not start, given that ``other`` starts at ``at``."""
        below, above = at - self.sizes[tensor], at + self.sizes[other]
        as_target = self._overlaps.get((other, tensor))
        as_source = self._overlaps.get((tensor, other))
        overlap: Overlap | None = as_target or as_source
        if overlap is None:
            return [(below, above)]
        if overlap.distance is None:
            exactly = at + overlap.shift if as_target is not None else at - overlap.shift
            return [(below, exactly), (exactly, above)]
        if as_target is not None:
            return [(at - overlap.distance, above)]
        return [(below, at + overlap.distance)]
