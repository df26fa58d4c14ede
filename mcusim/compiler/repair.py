"""Placement into a memory of given size, by repair: what is in the way of a buffer is taken out and placed
again, and the more often it was, the more its place is worth."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

Interval = tuple[int, int]
"""Offsets strictly between the two ends."""

Forbidden = Callable[[int, int, int], list[Interval]]
"""From a buffer, another and where that one lies: where the first must not start."""


class Repair:
    """``sizes`` are those of buffers by number, ``neighbours`` what lives together with each, ``forbidden``
    where it must not start because of one of those."""

    def __init__(
        self, sizes: Mapping[int, int], neighbours: Mapping[int, Sequence[int]], forbidden: Forbidden
    ) -> None:
        self._sizes = sizes
        self._neighbours = neighbours
        self._forbidden = forbidden

    def fit(self, offsets: Mapping[int, int], capacity: int, moves: int) -> dict[int, int] | None:
        """Offsets within ``capacity``, found from ``offsets`` in at most ``moves``; None if there are none.
        Always the same for the same buffers."""
        if max(self._sizes.values(), default=0) > capacity:
            return None
        generator = random.Random(0)
        placed = {t: x for t, x in offsets.items() if x + self._sizes[t] <= capacity}
        waiting = deque(t for t in offsets if t not in placed)
        worth = dict.fromkeys(offsets, 1)
        for _ in range(moves):
            if not waiting:
                return placed
            tensor = waiting.popleft()
            blocked = {
                other: self._forbidden(tensor, other, placed[other])
                for other in self._neighbours[tensor]
                if other in placed
            }
            start = self._cheapest(tensor, capacity, blocked, worth, generator)
            for other, intervals in blocked.items():
                if _hits(start, intervals):
                    del placed[other]
                    waiting.append(other)
                    worth[other] += 1
            placed[tensor] = start
        return None

    def _cheapest(
        self,
        tensor: int,
        capacity: int,
        blocked: Mapping[int, Iterable[Interval]],
        worth: Mapping[int, int],
        generator: random.Random,
    ) -> int:
        """Where the buffers in the way are worth least; at random where several places are as good."""
        highest = capacity - self._sizes[tensor]
        ends = {end for intervals in blocked.values() for interval in intervals for end in interval}
        starts = sorted(x for x in {0, highest, *ends} if 0 <= x <= highest)
        costs = [sum(worth[o] for o, intervals in blocked.items() if _hits(x, intervals)) for x in starts]
        least = min(costs)
        return generator.choice([x for x, cost in zip(starts, costs, strict=True) if cost == least])


def _hits(start: int, intervals: Iterable[Interval]) -> bool:
    return any(low < start < high for low, high in intervals)
