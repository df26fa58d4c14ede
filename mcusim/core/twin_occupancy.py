"""Map of SRAM over time for the Python core; twin of native/occupancy.c."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcusim.core.interface import MemoryMap

COLUMNS = 512
GRANULES = 64
ROWS = 4096
FIRST_WIDTH = 64


class Occupancy:
    """A grid of cycles and bytes: who wrote there last, and which 64ths of a row were alive."""

    def __init__(self, size: int, layers: Sequence[int]) -> None:
        """``layers`` are the starts of the layers' functions, in the order of their records."""
        self._layers = tuple(layers)
        self._row_bytes = GRANULES
        while size > ROWS * self._row_bytes:
            self._row_bytes *= 2
        self.begin()

    def begin(self) -> None:
        """Nothing was ever written."""
        self._width: int = FIRST_WIDTH
        self._column: int = 0
        self._owners: dict[int, NDArray[np.int16]] = {}
        self._alive: dict[int, NDArray[np.uint64]] = {}

    @property
    def width(self) -> int:
        """Cycles of a column."""
        return self._width

    @property
    def until(self) -> int:
        """The cycle that the next column begins with."""
        return (self._column + 1) * self._width

    def wrote(self, first: int, size: int, layer: int | None) -> None:
        """Code of ``layer`` (its function's start; None: outside) writes bytes [first, first + size)
        now."""
        writer = 1 if layer is None else 2 + self._layers.index(layer)
        for row in range(first // self._row_bytes, (first + size - 1) // self._row_bytes + 1):
            if row not in self._owners:
                self._owners[row] = np.zeros(COLUMNS, np.int16)
                self._alive[row] = np.zeros(COLUMNS, np.uint64)
            self._owners[row][self._column] = writer

    def lived(self, byte: int, written: int, read: int) -> None:
        """``byte`` held a value from cycle ``written`` on that was last read in cycle ``read``."""
        row, inside = divmod(byte, self._row_bytes)
        bit = np.uint64(1 << inside * GRANULES // self._row_bytes)
        self._alive[row][written // self._width : read // self._width + 1] |= bit

    def advance(self, cycles: int) -> None:
        """The clock stands at ``cycles``; columns are merged when they run out."""
        while cycles >= COLUMNS * self._width:
            self._width *= 2
            for row, owners in self._owners.items():
                alive = self._alive[row]
                self._owners[row] = _widened(np.where(owners[1::2] != 0, owners[1::2], owners[::2]))
                self._alive[row] = _widened(alive[::2] | alive[1::2])
        self._column = cycles // self._width

    def map(self) -> MemoryMap:
        """What was recorded, up to the present column."""
        columns = self._column + 1
        rows = sorted(self._owners)
        return MemoryMap(
            width=self._width,
            columns=columns,
            row_bytes=self._row_bytes,
            rows=tuple(rows),
            layers=self._layers,
            owners=b"".join(self._owners[row][:columns].tobytes() for row in rows),
            alive=b"".join(self._alive[row][:columns].tobytes() for row in rows),
        )


def _widened(half: NDArray[Any]) -> NDArray[Any]:
    """``half`` with as many zeros behind it."""
    return np.concatenate([half, np.zeros_like(half)])
