"""Hot instructions with their source lines beside them, function by function."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from mcusim.trace import HotInstruction, Trace

HOTTEST = 0.55
"""Opacity of the background of a function's hottest instruction."""


@dataclass(frozen=True)
class Row:
    """``source`` is the text of ``line``, said once where several instructions in a row belong to it.
    ``is_first`` starts a new line; ``heat`` is the opacity of the background."""

    address: int
    text: str
    executions: int
    cycles: int
    line: int | None
    source: str
    is_first: bool
    heat: float


@dataclass(frozen=True)
class Listing:
    """One function; ``cycles`` are all that it spent itself."""

    name: str
    place: str
    cycles: int
    rows: tuple[Row, ...]


def listings(trace: Trace, sources: Callable[[str], Sequence[str] | None]) -> list[Listing]:
    """In the order of the trace, which has the function with most cycles first."""
    found = []
    for position, group in itertools.groupby(trace.hot_instructions, key=lambda entry: entry.function):
        function = trace.functions[position]
        place = f"{function.file.rsplit('/', 1)[-1]}:{function.line}" if function.line else ""
        found.append(Listing(function.name, place, function.cycles_self, tuple(_rows(group, sources))))
    return found


def _rows(group: Iterable[HotInstruction], sources: Callable[[str], Sequence[str] | None]) -> Iterable[Row]:
    entries = list(group)
    most = max(entry.cycles for entry in entries) or 1
    before: tuple[str, int] | None = None
    for entry in entries:
        place = entry.file, entry.line
        is_first = place != before
        before = place
        yield Row(
            address=entry.address,
            text=entry.text,
            executions=entry.executions,
            cycles=entry.cycles,
            line=entry.line if is_first and entry.line else None,
            source=_source(entry, sources) if is_first else "",
            is_first=is_first,
            heat=HOTTEST * entry.cycles / most,
        )


def _source(entry: HotInstruction, sources: Callable[[str], Sequence[str] | None]) -> str:
    lines = sources(entry.file) if entry.file else None
    return lines[entry.line - 1].rstrip() if lines and 0 < entry.line <= len(lines) else ""
