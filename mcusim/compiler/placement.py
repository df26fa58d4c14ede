"""Offline placement of buffers with live ranges into the smallest arena found.

Buffers that live at the same time lie apart, unless an ``Overlap`` lets an operator's output run a
distance ahead of its input. Offsets are searched on both sides of what is already placed and shifted
to start at 0 in the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mcusim.compiler.live_ranges import Buffer, LiveRanges, Overlap, align

IMPROVEMENTS = 60
"""Orders tried after the fixed heuristics, as long as the lower bound is not reached."""

Interval = tuple[int, int]
"""Offsets strictly between the two ends."""


def place(ranges: LiveRanges) -> dict[int, int]:
    """Offset in bytes of every buffer, by tensor: the smallest arena of several greedy orders."""
    problem = _Problem(ranges)
    target = lower_bound(ranges)
    best: dict[int, int] = {}
    for tried, order in enumerate(_orders(ranges)):
        offsets = problem.fill(order)
        if not best or arena_bytes(ranges, offsets) < arena_bytes(ranges, best):
            best = offsets
        if arena_bytes(ranges, best) <= target or tried >= IMPROVEMENTS:
            break
    return best


def lower_bound(ranges: LiveRanges) -> int:
    """The bytes that the fullest step needs, whatever the placement."""
    return max((step_bytes(ranges, step) for step in range(ranges.steps)), default=0)


def step_bytes(ranges: LiveRanges, step: int) -> int:
    """Bytes live in one step; overlapping buffers count as much as they occupy together."""
    live = {t: b for t, b in ranges.buffers.items() if b.first <= step <= b.last}
    total = sum(align(b.bytes) for b in live.values())
    for overlap in ranges.overlaps:
        source, target = live.get(overlap.source), live.get(overlap.target)
        if source is not None and target is not None and source.last == step == target.first:
            apart = align(source.bytes) + align(target.bytes)
            total -= apart - max((overlap.distance or 0) + align(source.bytes), align(target.bytes))
    return total


def arena_bytes(ranges: LiveRanges, offsets: dict[int, int]) -> int:
    """Size of the arena that holds every buffer at its offset."""
    return max((offsets[t] + align(b.bytes) for t, b in ranges.buffers.items()), default=0)


def _orders(ranges: LiveRanges) -> Iterator[list[int]]:
    """By size; outwards from the fullest step; by birth; then each buffer in turn moved to the front."""
    buffers = ranges.buffers
    by_size = sorted(buffers, key=lambda t: (-buffers[t].bytes, buffers[t].first, t))
    yield by_size
    fullest = max(range(ranges.steps), key=lambda step: step_bytes(ranges, step), default=0)
    outwards = sorted(buffers, key=lambda t: (_steps_from(buffers[t], fullest), -buffers[t].bytes, t))
    yield outwards
    yield sorted(buffers, key=lambda t: (buffers[t].first, -buffers[t].bytes, t))
    for base in (by_size, outwards):
        for tensor in base[1:]:
            yield [tensor, *(t for t in base if t != tensor)]


def _steps_from(buffer: Buffer, step: int) -> int:
    if buffer.first <= step <= buffer.last:
        return 0
    return min(abs(buffer.first - step), abs(buffer.last - step))


class _Problem:
    """The buffers and, for each, which others live at the same time."""

    def __init__(self, ranges: LiveRanges) -> None:
        self._sizes = {t: align(b.bytes) for t, b in ranges.buffers.items()}
        self._overlaps = {(o.source, o.target): o for o in ranges.overlaps}
        self._neighbours = {
            t: [u for u, other in ranges.buffers.items() if u != t and other.meets(b)]
            for t, b in ranges.buffers.items()
        }

    def fill(self, order: Sequence[int]) -> dict[int, int]:
        """Place in ``order``, each buffer where the arena grows least, lowest first."""
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
            offset = min(free, key=lambda x: (max(high, x + size) - min(low, x), x))
            offsets[tensor] = offset
            low, high = min(low, offset), max(high, offset + size)
        return {tensor: offset - low for tensor, offset in offsets.items()}

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
