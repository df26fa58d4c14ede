"""Symbols and functions of an image.

Mapping symbols ($t, $d, $a) are those of "ELF for the Arm Architecture" (AAELF32), 5.5.5.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

BINDING_RANK = {"STB_GLOBAL": 0, "STB_WEAK": 1, "STB_LOCAL": 2}


@dataclass(frozen=True)
class Symbol:
    """A named address; bit 0 is clear, also for functions. ``size`` is 0 where the file gives none."""

    name: str
    address: int
    size: int
    is_function: bool = False
    binding: str = "STB_GLOBAL"


@dataclass(frozen=True)
class Function:
    """Code [start, end) under the name that the linker prefers (global before weak before local)."""

    name: str
    start: int
    end: int


@dataclass(frozen=True)
class CodeMap:
    """Which addresses hold code and which data, from the mapping symbols, sorted by address."""

    addresses: Sequence[int] = ()
    kinds: Sequence[str] = ()

    def kind_at(self, address: int) -> str:
        """ "t" for Thumb code, "d" for data, "a" for ARM code, "" where the file says nothing."""
        index = bisect.bisect_right(self.addresses, address) - 1
        return self.kinds[index] if index >= 0 else ""


@dataclass(frozen=True)
class SymbolTable:
    """Every named symbol, and the code map."""

    by_name: dict[str, Symbol] = field(default_factory=dict)
    symbols: tuple[Symbol, ...] = ()
    code_map: CodeMap = field(default_factory=CodeMap)


def build_code_map(marks: Iterable[tuple[int, str]]) -> CodeMap:
    """``marks``: (address, letter) pairs in any order; the last one at an address counts."""
    ordered = sorted(dict(marks).items())
    return CodeMap(tuple(address for address, _ in ordered), tuple(kind for _, kind in ordered))


def build_functions(symbols: Iterable[Symbol], code: Sequence[tuple[int, int]]) -> tuple[Function, ...]:
    """Functions inside the executable ranges ``code`` ([start, end) pairs), sorted and not overlapping.

    A function without a size (hand-written assembly) reaches to the next one or the end of its range; of
    several names at one address the preferred one is kept.
    """
    best: dict[int, Symbol] = {}
    for symbol in symbols:
        if not symbol.is_function:
            continue
        known = best.get(symbol.address)
        if known is None or _preference(symbol) < _preference(known):
            best[symbol.address] = symbol
    starts = sorted(best)
    functions = []
    for position, start in enumerate(starts):
        following = starts[position + 1] if position + 1 < len(starts) else 1 << 32
        limit = min(following, next((high for low, high in code if low <= start < high), start))
        size = best[start].size
        end = min(start + size, limit) if size else limit
        if end > start:
            functions.append(Function(best[start].name, start, end))
    return tuple(functions)


def _preference(symbol: Symbol) -> tuple[int, int, str]:
    return (BINDING_RANK.get(symbol.binding, 3), -symbol.size, symbol.name)
