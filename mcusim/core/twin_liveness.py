"""Liveness of SRAM bytes for the Python core; twin of native/liveness.c, without its bound on memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcusim.core.interface import MemoryMap
from mcusim.core.twin_occupancy import Occupancy


@dataclass(frozen=True, slots=True)
class LiveFigures:
    """See ``MemoryCount``; ``layer_peaks`` are the live bytes' peaks by layer."""

    touched_bytes: int
    live_peak_bytes: int
    unread_bytes: int
    layer_peaks: dict[int, int]


class Liveness:
    """Time counts writes and layer boundaries; a value lives from its write to its last read."""

    def __init__(self, size: int, layers: Sequence[int], clock: Callable[[], int]) -> None:
        """``layers``: the layers' functions, in the order of their records. ``clock`` gives cycles."""
        self._size = size
        self._clock = clock
        self.occupancy = Occupancy(size, layers)
        self.begin()

    def begin(self) -> None:
        """Nothing was ever written."""
        self._written: NDArray[np.int64] = np.zeros(self._size, np.int64)
        self._read: NDArray[np.int64] = np.zeros(self._size, np.int64)
        self._written_at: NDArray[np.int64] = np.zeros(self._size, np.int64)
        self._read_at: NDArray[np.int64] = np.zeros(self._size, np.int64)
        self._now: int = 1
        self._unread: int = 0
        self._steps: Counter[int] = Counter()
        self._open: list[tuple[int, int]] = []
        self._segments: list[tuple[int, frozenset[int]]] = [(1, frozenset())]
        self._writers: list[int | None] = [None]
        self._touched: dict[int, NDArray[np.bool_]] = {}
        self.occupancy.begin()

    def read(self, first: int, size: int) -> bool:
        """Bytes [first, first + size) are read; whether one of them was never written."""
        self._read[first : first + size] = self._now
        self._read_at[first : first + size] = self._clock()
        return not self._written[first : first + size].all()

    def write(self, first: int, size: int) -> None:
        """Bytes [first, first + size) are written at once."""
        self._now += 1
        cycles = self._clock()
        self.occupancy.advance(cycles)
        for byte in range(first, first + size):
            written, read = int(self._written[byte]), int(self._read[byte])
            if written and read >= written:
                self._steps[written] += 1
                self._steps[read + 1] -= 1
                self.occupancy.lived(byte, int(self._written_at[byte]), int(self._read_at[byte]))
            elif written:
                self._unread += 1
        self._written[first : first + size] = self._now
        self._written_at[first : first + size] = cycles
        self.occupancy.wrote(first, size, self._writers[-1])

    def open(self, layer: int) -> None:
        """``layer`` is entered, possibly inside itself."""
        self._boundary()
        self._writers.append(self._writers[-1] if layer in self._open_layers() else layer)
        self._open.append((layer, self._now))
        self._segments.append((self._now, self._open_layers()))

    def close(self) -> None:
        """The layer entered last is left."""
        layer, since = self._open.pop()
        self._writers.pop()
        self._touch(layer, since)
        self._boundary()
        self._segments.append((self._now, self._open_layers()))

    def touched_bytes(self, layer: int) -> int:
        """Distinct bytes read or written while ``layer`` was open."""
        for name, since in self._open:
            self._touch(name, since)
        return int(self._touched[layer].sum()) if layer in self._touched else 0

    def high_water(self, first: int, size: int) -> int:
        """End of the highest byte written of [first, first + size), relative to ``first``."""
        written = np.flatnonzero(self._written[first : first + size])
        return int(written[-1]) + 1 if written.size else 0

    def measure(self) -> LiveFigures:
        """Figures up to now."""
        alive = (self._written > 0) & (self._read >= self._written)
        steps = np.zeros(self._now + 2, np.int64)
        for time, step in self._steps.items():
            steps[time] += step
        np.add.at(steps, self._written[alive], 1)
        np.add.at(steps, self._read[alive] + 1, -1)
        curve = np.cumsum(steps)
        ends = [start for start, _ in self._segments[1:]] + [self._now + 1]
        peaks: dict[int, int] = {}
        for (start, layers), end in zip(self._segments, ends, strict=True):
            peak = int(curve[start:end].max(initial=0))
            for layer in layers:
                peaks[layer] = max(peaks.get(layer, 0), peak)
        return LiveFigures(
            touched_bytes=int(((self._written > 0) | (self._read > 0)).sum()),
            live_peak_bytes=int(curve.max()),
            unread_bytes=self._unread + int(((self._written > 0) & ~alive).sum()),
            layer_peaks=peaks,
        )

    def memory_map(self) -> MemoryMap:
        """The map up to now."""
        self.occupancy.advance(self._clock())
        for byte in np.flatnonzero((self._written > 0) & (self._read >= self._written)).tolist():
            self.occupancy.lived(byte, int(self._written_at[byte]), int(self._read_at[byte]))
        return self.occupancy.map()

    def _boundary(self) -> None:
        self._now += 1

    def _open_layers(self) -> frozenset[int]:
        return frozenset(layer for layer, _ in self._open)

    def _touch(self, layer: int, since: int) -> None:
        used = (self._written >= since) | (self._read >= since)
        self._touched[layer] = self._touched.get(layer, np.zeros(self._size, np.bool_)) | used
