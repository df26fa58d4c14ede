"""Flash with wait states, and the caches and the prefetch between it and the core.

Code is fetched along linear runs, line by line; a line is what one read of the flash gives. One that is
the present one or is cached costs nothing, any other one the wait states. With prefetch the line behind the
present one is read while that is executed: it costs what is missing then. Without, the fetch unit still runs
ahead of execution by the words that it holds. Constants are read by address, through a cache of their own.

What manuals leave open is told by two more flashes beside the best one, see ``FlashRange``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

WORD = 4

AHEAD = 16
"""Counters of ``FlashUnit.missing_lines``: as many as there can be wait states, and none."""

HELD_WORDS = 3
"""Words of code that the fetch unit holds (see ``mcusim.timing.pipeline``)."""

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
    """Flash of ``size`` bytes that appears at ``starts``, with what its reads cost.

    ``runs_ahead``: words that the fetch unit holds hide part of the waiting where there is no prefetch.
    """

    starts: Sequence[int]
    size: int
    wait_states: int
    code: CacheShape
    data: CacheShape
    prefetch: bool
    runs_ahead: bool = True

    def is_like(self, other: FlashTiming) -> bool:
        """Whether reads of the one wait when those of the other do, if for another number of cycles."""
        return self.kind == other.kind

    @property
    def kind(self) -> tuple[object, ...]:
        """All but size and wait states."""
        return tuple(self.starts), self.code, self.data, self.prefetch, self.runs_ahead

    def offset(self, address: int) -> int | None:
        """From the start of flash, None outside."""
        return next((address - s for s in self.starts if 0 <= address - s < self.size), None)


@dataclass(frozen=True)
class FlashRange:
    """A flash as it most likely is, and with what manuals leave open decided for the fastest and for the
    slowest."""

    best: FlashTiming
    low: FlashTiming
    high: FlashTiming

    def __iter__(self) -> Iterator[FlashTiming]:
        return iter((self.best, self.low, self.high))


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
        states = self._timing.wait_states
        return sum(max(0, states - ahead) for ahead in self.missing_lines(start, end, cycles))

    def missing_lines(self, start: int, end: int, cycles: int) -> list[int]:
        """For every line of that code that has to be read, the cycles of waiting that prefetch or running
        ahead hides. Wait states change neither."""
        offset = self._timing.offset(start)
        if offset is None:
            return []
        size = self._timing.code.line_bytes
        # A run's cycles are spread evenly over its bytes.
        per_line = cycles * size // (end - start)
        first = offset // size
        ahead = [self._fetch_line(first, per_line, in_run=False)]
        last = (offset + end - start - 1) // size
        ahead += [self._fetch_line(line, per_line, in_run=True) for line in range(first + 1, last + 1)]
        return [cycles for cycles in ahead if cycles is not None]

    def _fetch_line(self, line: int, cycles_before: int, *, in_run: bool) -> int | None:
        """Cycles of waiting that are hidden, None if the line is at hand; ``in_run``: the line before it is
        of the same run."""
        present, self._line = self._line, line
        if line == present or self._code.holds(line):
            return None
        self._code.insert(line)
        if self._timing.prefetch and line == present + 1:
            return max(0, cycles_before - 1)
        return self._run_ahead(cycles_before) if in_run and self._timing.runs_ahead else 0

    def _run_ahead(self, cycles: int) -> int:
        """What executing a line in ``cycles`` takes beyond a word a cycle, which is as fast as fetches go,
        but no more than the words held by the fetch unit last."""
        words = self._timing.code.line_bytes // WORD
        return max(0, min(cycles - words, HELD_WORDS * cycles // words - 1))

    def read(self, address: int) -> int:
        """Waiting for a constant at ``address``."""
        return self._timing.wait_states if self.misses(address) else 0

    def misses(self, address: int) -> bool:
        """Whether the line of a constant at ``address`` has to be read."""
        offset = self._timing.offset(address)
        if offset is None:
            return False
        line = offset // self._timing.data.line_bytes
        present, self._data_line = self._data_line, line
        if line == present or self._data.holds(line):
            return False
        self._data.insert(line)
        return True


class FlashSurvey:
    """How often each of some flashes would be read, by node of the call tree."""

    def __init__(self, flashes: Sequence[FlashTiming]) -> None:
        self._flashes = flashes
        self.begin()

    def begin(self, *, is_on: bool = True) -> None:
        """Nothing is cached or counted; counting goes on if ``is_on``."""
        self._units = [FlashUnit(flash) for flash in self._flashes] if is_on else []
        self._constants = [0] * len(self._units)
        self._by_node: list[dict[int, list[int]]] = [{} for _ in self._flashes]

    def read(self, address: int, size: int) -> None:
        """The pending run reads data that may be in flash."""
        for index, unit in enumerate(self._units):
            self._constants[index] += sum(unit.misses(address + offset) for offset in range(0, size, 4))

    def commit(self, node: int, start: int, end: int, cycles: int) -> None:
        """The pending run, which took ``cycles`` beside waiting, is over."""
        for index, unit in enumerate(self._units):
            row = self._by_node[index].setdefault(node, [0] * AHEAD)
            row[0] += self._constants[index]
            self._constants[index] = 0
            for ahead in unit.missing_lines(start, end, cycles):
                row[min(ahead, AHEAD - 1)] += 1

    def counts(self, flash: int, nodes: int) -> list[tuple[int, ...]]:
        """For each of ``nodes`` nodes the reads of a flash, by the cycles that prefetch did before."""
        rows = self._by_node[flash]
        return [tuple(rows.get(node, (0,) * AHEAD)) for node in range(nodes)]
