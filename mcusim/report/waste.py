"""What of the SRAM that a run needs is alive when it is fullest, part by part; the rest is wasted there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcusim.report.memory_parts import sram_parts
from mcusim.report.sram_grid import PIECES, Grid, grid
from mcusim.trace import Trace


@dataclass(frozen=True)
class PartUse:
    """Bytes of a part of the SRAM peak, and of them those alive in the fullest column of the map."""

    name: str
    bytes: int
    live_bytes: int

    @property
    def dead_bytes(self) -> int:
        """Allocated, and holding nothing that is still to be read."""
        return self.bytes - self.live_bytes


def at_the_fullest(trace: Trace) -> list[PartUse]:
    """The parts of the peak in the column in which most bytes are alive; empty without a map.

    The map counts in rows of some 64 bytes: what a row has that lies in two parts is shared out evenly.
    """
    if trace.sram_map is None:
        return []
    one = grid(trace)
    column = int(one.live.sum(axis=0, dtype=np.int64).argmax())
    live = one.live[:, column].astype(np.float64) * one.row_bytes / PIECES
    places = {part.name: (part.address, part.address + part.bytes) for part in one.parts}
    inside = {name: _inside(one, live, *place) for name, place in places.items()}
    inside["static"] = float(live.sum()) - sum(inside.values())
    return [
        PartUse(name, size, min(size, round(inside.get(name, 0.0))))
        for name, size in sram_parts(trace.memory)
        if size
    ]


def _inside(one: Grid, live: NDArray[np.float64], start: int, end: int) -> float:
    """Live bytes of [start, end)."""
    low, high = np.maximum(one.addresses, start), np.minimum(one.addresses + one.row_bytes, end)
    return float((live * np.clip(high - low, 0, None) / one.row_bytes).sum())
