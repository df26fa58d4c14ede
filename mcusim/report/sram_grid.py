"""The map of SRAM over time of a trace, unpacked."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcusim.errors import InputError
from mcusim.packing import expanded
from mcusim.trace import Layer, SramPart, Trace

PIECES = 64
"""Into so many a row is cut where live bytes are counted."""
NOBODY = -2


@dataclass(frozen=True)
class Grid:
    """Rows by columns. ``writers``: the position in ``layers`` of who wrote what lies there, -1 for code
    outside all layers, -2 for nobody yet; ``live``: how many 64ths of the row were alive in the column.
    ``spans``: [start, end) of addresses that were written; ``addresses``: where each row begins."""

    column_cycles: int
    row_bytes: int
    spans: tuple[tuple[int, int], ...]
    parts: tuple[SramPart, ...]
    layers: tuple[Layer, ...]
    addresses: NDArray[np.int64]
    writers: NDArray[np.int16]
    live: NDArray[np.uint8]

    @property
    def columns(self) -> int:
        """Number of columns."""
        return int(self.writers.shape[1])

    @property
    def is_held(self) -> NDArray[np.bool_]:
        """Where somebody has written before, dead or alive."""
        held: NDArray[np.bool_] = self.writers != NOBODY
        return held

    def is_written(self, start: int, end: int) -> bool:
        """Whether one of the addresses [start, end) was ever written, as far as whole rows tell."""
        return any(max(low, start) + self.row_bytes <= min(high, end) for low, high in self.spans)

    def neighbours(self, rows: slice) -> Iterator[tuple[int, int]]:
        """First and last (outside) of the rows that follow one another without a gap, inside ``rows``."""
        inside = self.addresses[rows]
        cuts = np.flatnonzero(np.diff(inside) != self.row_bytes) + 1
        edges = [rows.start, *(rows.start + cuts).tolist(), rows.stop]
        for first, last in itertools.pairwise(edges):
            if first < last:
                yield first, last


def grid(trace: Trace) -> Grid:
    """Unpack a trace's map. Raises InputError if it has none or it is damaged."""
    packed = trace.sram_map
    if packed is None:
        raise InputError(f"the trace of {trace.firmware.path} has no map of SRAM; run the firmware again")
    rows = [address + number * packed.row_bytes for address, count in packed.spans for number in range(count)]
    shape = (len(rows), packed.columns)
    try:
        writers = np.frombuffer(expanded(packed.writers), "<i2").reshape(shape)
        live = np.frombuffer(expanded(packed.live), np.uint8).reshape(shape)
    except ValueError as error:
        raise InputError(f"the map of SRAM in the trace cannot be read ({error})") from error
    return Grid(
        column_cycles=packed.column_cycles,
        row_bytes=packed.row_bytes,
        spans=tuple((address, address + count * packed.row_bytes) for address, count in packed.spans),
        parts=packed.parts,
        layers=trace.layers,
        addresses=np.array(rows, np.int64),
        writers=writers.astype(np.int16),
        live=live,
    )
