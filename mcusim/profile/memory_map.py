"""Who wrote what lies where in SRAM, over time: addresses against cycles, found at layer boundaries."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mcusim import trace
from mcusim.machine.memory import Bank
from mcusim.profile.profile import OUTSIDE, LayerMark

ROWS = 1024
"""Into so many pieces a bank of SRAM is cut."""
LEAST_PIECE = 16
NEVER = -2
"""Nobody has written a piece yet."""


class MemoryMap:
    """Compares SRAM whenever a layer is entered or left, and credits what changed to the layer that ran.

    A piece belongs to the layer that wrote it last, from the moment that layer was entered. Values that
    were written again unchanged are not seen.
    """

    def __init__(self, banks: Sequence[Bank], marks: Sequence[LayerMark]) -> None:
        self._position = {
            mark.start: position
            for position, mark in reversed(list(enumerate(marks)))
            if mark.start is not None
        }
        self._banks = [_Bank(bank) for bank in banks]
        self._open: list[tuple[int, int]] = [(OUTSIDE, 0)]

    def entered(self, function: int, cycles: int) -> None:
        """The layer at ``function`` begins; what changed before belongs to the one around it."""
        if function in self._position:
            self._credit(cycles)
            self._open.append((self._position[function], cycles))

    def returned(self, function: int, cycles: int) -> None:
        """The layer at ``function`` ends."""
        if function in self._position and len(self._open) > 1:
            self._credit(cycles)
            self._open.pop()
            layer, _ = self._open[-1]
            self._open[-1] = (layer, cycles)

    def finish(self, cycles: int) -> tuple[trace.MemorySpan, ...]:
        """Everything that was seen, up to the end of the run; by address within each bank."""
        self._credit(cycles)
        return tuple(span for bank in self._banks for span in bank.finish(cycles))

    def _credit(self, cycles: int) -> None:
        layer, since = self._open[-1]
        for bank in self._banks:
            bank.credit(layer, since, cycles)


class _Bank:
    """One bank of SRAM, in pieces."""

    def __init__(self, bank: Bank) -> None:
        self._start = bank.region.start
        self._piece = max(LEAST_PIECE, bank.region.size // ROWS)
        self._memory = np.frombuffer(bank.view, np.uint8)
        self._seen = self._memory.copy()
        pieces = -(-bank.region.size // self._piece)
        self._owner: NDArray[np.int64] = np.full(pieces, NEVER, np.int64)
        self._since: NDArray[np.int64] = np.zeros(pieces, np.int64)
        self._spans: list[tuple[int, int, int, int, int]] = []

    def credit(self, layer: int, since: int, cycles: int) -> None:
        """What changed since the last call was written by ``layer`` between ``since`` and ``cycles``."""
        changed = np.flatnonzero(self._memory != self._seen)
        if not changed.size:
            return
        self._seen[changed] = self._memory[changed]
        pieces = np.unique(changed // self._piece)
        taken = pieces[self._owner[pieces] != layer]
        self._close(taken, max(since, 0))
        self._owner[taken] = layer
        self._since[taken] = min(since, cycles)

    def finish(self, cycles: int) -> list[trace.MemorySpan]:
        self._close(np.flatnonzero(self._owner != NEVER), cycles)
        return [
            trace.MemorySpan(
                address=self._start + first * self._piece,
                bytes=count * self._piece,
                start=start,
                end=end,
                layer=layer,
            )
            for first, count, start, end, layer in sorted(self._spans)
        ]

    def _close(self, pieces: NDArray[np.int64], end: int) -> None:
        """Keep the spans of ``pieces`` (sorted) that end here; neighbours of one layer and time are one."""
        owned = pieces[self._owner[pieces] != NEVER]
        if not owned.size:
            return
        owner, since = self._owner[owned], self._since[owned]
        apart = (np.diff(owned) != 1) | (np.diff(owner) != 0) | (np.diff(since) != 0)
        edges = [0, *(np.flatnonzero(apart) + 1).tolist(), owned.size]
        for first, last in itertools.pairwise(edges):
            start = int(since[first])
            if start < end:
                self._spans.append((int(owned[first]), last - first, start, end, int(owner[first])))
