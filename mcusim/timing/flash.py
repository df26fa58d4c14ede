"""Flash with wait states, and the caches and the prefetch between it and the core.

Code is fetched along linear runs, line by line. A line that is the present one or is cached costs nothing,
any other one the wait states. With prefetch the line behind the present one is read while that is
executed: it costs what is missing then. Constants are read by address, through a cache of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

NO_LINE = -2
"""Before the first read; no line is behind it."""


@dataclass(frozen=True)
class CacheShape:
    """``lines`` of ``line_bytes`` in sets of ``ways``, the least recently used one replaced; without lines
    only the present one is at hand."""

    lines: int
    ways: int
    line_bytes: int

    @property
    def sets(self) -> int:
        return self.lines // self.ways if self.lines else 0


@dataclass(frozen=True)
class FlashTiming:
    """Flash of ``size`` bytes that appears at ``starts``, with what its reads cost."""

    starts: Sequence[int]
    size: int
    wait_states: int
    code: CacheShape
    data: CacheShape
    prefetch: bool

    def offset(self, address: int) -> int | None:
        """From the start of flash, None outside."""
        return next((address - s for s in self.starts if 0 <= address - s < self.size), None)


class _Cache:
    """Sets of line numbers, the most recently used one last."""

    def __init__(self, shape: CacheShape) -> None:
        self._ways = shape.ways
        self._sets: list[list[int]] = [[] for _ in range(shape.sets)]

    def holds(self, line: int) -> bool:
        """Whether ``line`` is cached; it is the most recently used one then."""
        if not self._sets:
            return False
        content = self._sets[line % len(self._sets)]
        if line not in content:
            return False
        content.remove(line)
        content.append(line)
        return True

    def insert(self, line: int) -> None:
        if self._sets:
            content = self._sets[line % len(self._sets)]
            content.append(line)
            del content[: -self._ways]


class FlashUnit:
    """State of one flash; the answers are cycles that the core waits."""

    def __init__(self, timing: FlashTiming) -> None:
        self._timing = timing
        self.begin()

    def begin(self) -> None:
        """Nothing is cached."""
        self._code = _Cache(self._timing.code)
        self._data = _Cache(self._timing.data)
        self._line = self._data_line = NO_LINE

    def fetch(self, start: int, end: int, cycles: int) -> int:
        """Waiting for the code of a run [start, end) that takes ``cycles`` otherwise."""
        offset = self._timing.offset(start)
        if offset is None:
            return 0
        size = self._timing.code.line_bytes
        # A run's cycles are spread evenly over its bytes.
        per_line = cycles * size // (end - start)
        lines = range(offset // size, (offset + end - start - 1) // size + 1)
        return sum(self._fetch_line(line, per_line) for line in lines)

    def _fetch_line(self, line: int, cycles_before: int) -> int:
        present, self._line = self._line, line
        if line == present or self._code.holds(line):
            return 0
        wait = self._timing.wait_states
        if self._timing.prefetch and line == present + 1:
            wait = min(wait, max(0, wait + 1 - cycles_before))
        self._code.insert(line)
        return wait

    def read(self, address: int) -> int:
        """Waiting for a constant at ``address``."""
        offset = self._timing.offset(address)
        if offset is None:
            return 0
        line = offset // self._timing.data.line_bytes
        present, self._data_line = self._data_line, line
        if line == present or self._data.holds(line):
            return 0
        self._data.insert(line)
        return self._timing.wait_states
