"""Reads of flash packed into the trace, and what they cost at any number of wait states.

A read waits for as many cycles as there are wait states, less those that prefetch did before it is wanted.
Whether a line has to be read depends on the order of execution and on the caches, not on the wait states.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from mcusim import trace
from mcusim.errors import InputError
from mcusim.packing import compressed, expanded
from mcusim.timing.flash import AHEAD, CacheShape, FlashTiming

_LONG = np.dtype("<u8")
_COLUMNS = 3


def record(
    surveyed: Sequence[FlashTiming], reads: Sequence[Sequence[Sequence[int]]], place_of: Sequence[int]
) -> tuple[trace.FlashReads, ...]:
    """What the trace keeps of ``reads``: counters per flash and node of the core's call tree, whose places
    ``place_of`` gives."""
    return tuple(_packed(flash, rows, place_of) for flash, rows in zip(surveyed, reads, strict=True))


def _packed(flash: FlashTiming, rows: Sequence[Sequence[int]], place_of: Sequence[int]) -> trace.FlashReads:
    table = np.zeros((max(place_of, default=-1) + 1, AHEAD), np.int64)
    np.add.at(table, list(place_of), np.array(rows, np.int64).reshape(-1, AHEAD))
    places, ahead = np.nonzero(table)
    columns = np.stack([places, ahead, table[places, ahead]]).astype(_LONG)
    return trace.FlashReads(
        starts=tuple(flash.starts),
        code=_shape(flash.code),
        data=_shape(flash.data),
        prefetch=flash.prefetch,
        reads=compressed(columns.tobytes()),
        runs_ahead=flash.runs_ahead,
    )


def _shape(cache: CacheShape) -> tuple[int, int, int]:
    return cache.lines, cache.ways, cache.line_bytes


def place_waits(kept: trace.FlashReads, wait_states: int, places: int) -> list[int]:
    """Cycles of waiting in each of ``places`` places. Raises InputError if the text is damaged."""
    waits = [0] * places
    try:
        for place, ahead, count in _rows(kept.reads):
            waits[place] += count * max(0, wait_states - ahead)
    except (ValueError, IndexError) as error:
        raise InputError(f"the flash reads in the trace cannot be read ({error})") from error
    return waits


def _rows(text: str) -> Iterator[tuple[int, int, int]]:
    """Place, cycles of waiting that are hidden, and number of reads. Raises ValueError."""
    columns = np.frombuffer(expanded(text), _LONG).reshape(_COLUMNS, -1)
    return zip(*columns.tolist(), strict=True)


def find(flashes: Sequence[trace.FlashReads], flash: FlashTiming) -> trace.FlashReads | None:
    """Reads of a flash of this kind, None if it was not surveyed."""
    return next((kept for kept in flashes if _kind(kept) == flash.kind), None)


def _kind(kept: trace.FlashReads) -> tuple[object, ...]:
    """As ``FlashTiming.kind``."""
    return kept.starts, CacheShape(*kept.code), CacheShape(*kept.data), kept.prefetch, kept.runs_ahead
