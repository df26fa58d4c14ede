"""Offline placement of buffers with live ranges, tensors and scratch alike, into the least memory found.

Buffers that live at the same time lie apart, unless an ``Overlap`` lets an operator's output run a
distance ahead of its input. Offsets are searched on both sides of what is already placed and shifted
to start at 0 in the end.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from mcusim.compiler.live_ranges import Buffer, LiveRanges, Overlap
from mcusim.compiler.rows import align

IMPROVEMENTS = 300
"""Moves tried after the greedy orders."""

Interval = tuple[int, int]
"""Offsets strictly between the two ends."""


def place(ranges: LiveRanges) -> dict[int, int]:
    """Offset in bytes of every buffer, by tensor: the smallest arena found.

    The best of a few greedy orders is improved by moving buffers that stick out of the lower bound, and
    buffers that live with them, to earlier turns; always the same pseudo-random moves, so that the same
    network gets the same plan. Ends early when the lower bound is reached.
    """
    target = lower_bound(ranges)
    best: dict[int, int] = {}
    for sources_high in (True, False):
        offsets = _improve(ranges, _Problem(ranges, sources_high), target)
        if not best or arena_bytes(ranges, offsets) < arena_bytes(ranges, best):
            best = offsets
        if arena_bytes(ranges, best) <= target:
            break
    return best


def settle(ranges: LiveRanges) -> tuple[LiveRanges, dict[int, int]]:
    """Offsets as ``place`` finds them, and ``ranges`` with the fastest way of every overlap for which an
    arena of that size has room."""
    offsets = place(ranges)
    size = arena_bytes(ranges, offsets)
    relaxed = replace(ranges, overlaps=tuple(_relaxed(ranges, size)))
    found = place(relaxed)
    return (relaxed, found) if arena_bytes(relaxed, found) <= size else (ranges, offsets)


def _relaxed(ranges: LiveRanges, size: int) -> Iterator[Overlap]:
    """Overlaps that cost cycles only if their step needs them; all rows of a call if there is room."""
    for overlap in ranges.overlaps:
        ways: list[tuple[Overlap, ...]] = [()] if overlap.costs_cycles else []
        if overlap.few_rows:
            ways.append((replace(overlap, distance=overlap.all_rows, few_rows=False),))
        rest = tuple(o for o in ranges.overlaps if o != overlap)
        step = ranges.buffers[overlap.target].first
        fitting = (way for way in ways if step_bytes(replace(ranges, overlaps=rest + way), step) <= size)
        yield from next(fitting, (overlap,))


def _improve(ranges: LiveRanges, problem: _Problem, target: int) -> dict[int, int]:
    order, offsets = min(
        ((order, problem.fill(order)) for order in _orders(ranges)),
        key=lambda found: arena_bytes(ranges, found[1]),
    )
    size = arena_bytes(ranges, offsets)
    generator = random.Random(0)
    for _ in range(IMPROVEMENTS):
        if size <= target:
            break
        moved = problem.move_earlier(order, offsets, target, generator)
        found = problem.fill(moved)
        if arena_bytes(ranges, found) <= size:
            order, offsets, size = moved, found, arena_bytes(ranges, found)
    return offsets


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
            total -= apart - max((overlap.distance or 0) + align(source.bytes), align(target.bytes))
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
        self._sizes = {t: align(b.bytes) for t, b in ranges.everything.items()}
        self._overlaps = {(o.source, o.target): o for o in ranges.overlaps}
        overlaps = ranges.overlaps if sources_high else ()
        self._high = {o.source for o in overlaps if o.distance is not None}
        self._neighbours = {
            t: [u for u, other in ranges.everything.items() if u != t and other.meets(b)]
            for t, b in ranges.everything.items()
        }

    def fill(self, order: Sequence[int]) -> dict[int, int]:
        """Place in ``order``, each buffer where the arena grows least."""
        offsets: dict[int, int] = {}
        low = high = 0
        for tensor in order:
            size = self._sizes[tensor]
            forbidden = [
                interval
                for other in self._neighbours[tensor]
                if other in offsets
                for interval in self._forbidden(tensor, other, offsets[other])
            ]
            candidates = {low, high - size, *(end for interval in forbidden for end in interval)}
            free = [x for x in candidates if not any(a < x < b for a, b in forbidden)]
            side = -1 if tensor in self._high else 1
            offset = min(free, key=lambda x: (max(high, x + size) - min(low, x), side * x))
            offsets[tensor] = offset
            low, high = min(low, offset), max(high, offset + size)
        return {tensor: offset - low for tensor, offset in offsets.items()}

    def move_earlier(
        self, order: list[int], offsets: dict[int, int], limit: int, generator: random.Random
    ) -> list[int]:
        """``order`` with one buffer moved: one that ends above ``limit`` or lives together with one."""
        outside = [t for t in order if offsets[t] + self._sizes[t] > limit]
        culprit = generator.choice(outside)
        tensor = generator.choice([culprit, *self._neighbours[culprit]])
        rest = [t for t in order if t != tensor]
        turn = generator.randrange(order.index(tensor) + 1)
        return [*rest[:turn], tensor, *rest[turn:]]

    def _forbidden(self, tensor: int, other: int, at: int) -> list[Interval]:
        """Where ``tensor`` must not start, given that ``other`` starts at ``at``."""
        below, above = at - self._sizes[tensor], at + self._sizes[other]
        as_target = self._overlaps.get((other, tensor))
        as_source = self._overlaps.get((tensor, other))
        overlap: Overlap | None = as_target or as_source
        if overlap is None:
            return [(below, above)]
        if overlap.distance is None:
            return [(below, at), (at, above)]
        if as_target is not None:
            return [(at - overlap.distance, above)]
        return [(below, at + overlap.distance)]
