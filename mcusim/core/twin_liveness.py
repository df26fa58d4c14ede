"""Liveness of SRAM bytes for the Python core; twin of native/liveness.c, without its bound on memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcusim.core.interface import MemoryMap, live_over_time
from mcusim.core.twin_occupancy import Occupancy


@dataclass(frozen=True, slots=True)
class LiveFigures:
    """See ``MemoryCount``; ``layer_peaks`` are the live bytes' peaks by layer, ``layer_unread`` the bytes
    that were written there and never read."""

    touched_bytes: int
    live_peak_bytes: int
    unread_bytes: int
    layer_peaks: dict[int, int]
    layer_unread: Counter[int]
    region_live_peaks: tuple[int, ...]
    heap_live_peak_bytes: int
    live: tuple[tuple[int, int], ...]


class Liveness:
    """Time counts writes and layer boundaries; a value lives from its write to its last read."""

    def __init__(
        self, size: int, regions: Sequence[tuple[int, int]], layers: Sequence[int], clock: Callable[[], int]
    ) -> None:
        """``regions``: first byte and size of those told apart; what lies in none counts as the first.
        ``layers``: the layers' functions, in the order of their records. ``clock`` gives cycles."""
        self._size = size
        self._regions = regions
        self._clock = clock
        self.occupancy = Occupancy(size, layers)
        self.begin()

    def begin(self) -> None:
        """Nothing was ever written."""
        self._written: NDArray[np.int64] = np.zeros(self._size, np.int64)
        self._read: NDArray[np.int64] = np.zeros(self._size, np.int64)
        self._written_at: NDArray[np.int64] = np.zeros(self._size, np.int64)
        self._read_at: NDArray[np.int64] = np.zeros(self._size, np.int64)
        self._region_of: NDArray[np.int64] = np.zeros(self._size, np.int64)
        for number, (first, length) in enumerate(self._regions):
            self._region_of[first : first + length] = number
        self._writer: list[frozenset[int]] = [frozenset()] * self._size
        self._now: int = 1
        self._columns: list[tuple[int, int]] = [(1, 0)]
        self._unread: Counter[frozenset[int]] = Counter()
        self._steps: Counter[tuple[int, int]] = Counter()
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
        for byte in range(first, first + size):
            written, read = int(self._written[byte]), int(self._read[byte])
            if written and read >= written:
                region = int(self._region_of[byte])
                self._steps[region, written] += 1
                self._steps[region, read + 1] -= 1
                self.occupancy.lived(byte, int(self._written_at[byte]), int(self._read_at[byte]))
            elif written:
                self._unread[self._writer[byte]] += 1
        self._writer[first : first + size] = [self._open_layers()] * size
        self._written[first : first + size] = self._now
        self._written_at[first : first + size] = cycles
        self.occupancy.wrote(first, size, self._writers[-1])

    def set_heap(self, first: int, end: int) -> None:
        """Bytes [first, end) are the heap, and so is what was before."""
        heap = np.flatnonzero(self._region_of == len(self._regions))
        low = min(first, int(heap[0])) if heap.size else first
        high = max(end, int(heap[-1]) + 1) if heap.size else end
        self._region_of[low:high] = len(self._regions)

    def advance(self) -> None:
        """Let the map know of the time, which is a moment of its own where a column of it begins."""
        cycles = self._clock()
        if cycles >= self.occupancy.until:
            self._now += 1
            self._columns.append((self._now, cycles))
            self.occupancy.advance(cycles)

    def open(self, layer: int) -> None:
        """``layer`` is entered, possibly inside itself."""
        self._boundary()
        self._writers.append(self._writers[-1] if layer in self._open_layers() else layer)
        self._open.append((layer, self._now))
        self._segments.append((self._now, self._open_layers()))

    def close(self, layer: int) -> None:
        """``layer`` is left where it was entered last."""
        position = max(index for index, (name, _) in enumerate(self._open) if name == layer)
        layer, since = self._open.pop(position)
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
        self.advance()
        written = self._written > 0
        alive = written & (self._read >= self._written)
        by_region = self._curves(alive)
        curve = by_region.sum(axis=0)
        unread = self._unread.copy()
        for byte in np.flatnonzero(written & ~alive).tolist():
            unread[self._writer[byte]] += 1
        return LiveFigures(
            touched_bytes=int((written | (self._read > 0)).sum()),
            live_peak_bytes=int(curve.max()),
            unread_bytes=unread.total(),
            layer_peaks=self._layer_peaks(curve),
            layer_unread=_by_layer(unread),
            region_live_peaks=tuple(int(own.max()) for own in by_region[:-1]),
            heap_live_peak_bytes=int(by_region[-1].max()),
            live=live_over_time(self._column_peaks(curve), self.occupancy.width),
        )

    def _curves(self, alive: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Live bytes by region and time; ``alive`` are those that may still be read again."""
        steps = np.zeros((len(self._regions) + 1, self._now + 2), np.int64)
        for (region, time), step in self._steps.items():
            steps[region, time] += step
        np.add.at(steps, (self._region_of[alive], self._written[alive]), 1)
        np.add.at(steps, (self._region_of[alive], self._read[alive] + 1), -1)
        return np.cumsum(steps, axis=1)

    def _layer_peaks(self, curve: NDArray[np.int64]) -> dict[int, int]:
        ends = [start for start, _ in self._segments[1:]] + [self._now + 1]
        peaks: dict[int, int] = {}
        for (start, layers), end in zip(self._segments, ends, strict=True):
            peak = int(curve[start:end].max(initial=0))
            for layer in layers:
                peaks[layer] = max(peaks.get(layer, 0), peak)
        return peaks

    def _column_peaks(self, curve: NDArray[np.int64]) -> list[int]:
        """The highest of the curve in every column of the map; one that was leapt over has what lived on."""
        peaks: list[int] = []
        ends = [time for time, _ in self._columns[1:]] + [self._now + 1]
        for (time, cycles), end in zip(self._columns, ends, strict=True):
            column = cycles // self.occupancy.width
            peaks += [int(curve[time])] * (column + 1 - len(peaks))
            peaks[column] = max(peaks[column], int(curve[time:end].max(initial=0)))
        return peaks

    def memory_map(self) -> MemoryMap:
        """The map up to now."""
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


def _by_layer(unread: Mapping[frozenset[int], int]) -> Counter[int]:
    totals: Counter[int] = Counter()
    for layers, count in unread.items():
        totals.update(dict.fromkeys(layers, count))
    return totals
