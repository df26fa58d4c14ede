"""SRAM over time as the trace keeps it: whose data lay where, and how much of it was alive."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mcusim import trace
from mcusim.core.interface import MemoryMap, TrackedBank
from mcusim.image import Image
from mcusim.packing import compressed
from mcusim.profile.profile import OUTSIDE, LayerMark

LEVEL = 6
"""Of compression: a tenth of the time that the smallest form takes, for a third more bytes."""
NOBODY = -2
"""Nobody has written a row yet."""
_SET_BITS = np.array([value.bit_count() for value in range(256)], np.uint8)
_UNCHANGED = 0
"""What the core says of a row that nobody writes in a column."""


def measure(
    found: MemoryMap | None,
    banks: Sequence[TrackedBank],
    marks: Sequence[LayerMark],
    image: Image,
    memory: trace.Memory,
) -> trace.SramMap | None:
    """What the core ``found`` in ``banks``; None where accesses were not followed or nothing was written."""
    if found is None or not found.rows:
        return None
    shape = (len(found.rows), found.columns)
    owners = np.frombuffer(found.owners, np.int16).reshape(shape)
    alive = np.frombuffer(found.alive, np.uint64).reshape(shape)
    positions = _positions(found.layers, marks)
    return trace.SramMap(
        column_cycles=found.width,
        columns=found.columns,
        row_bytes=found.row_bytes,
        spans=_spans(found, banks),
        writers=compressed(_writers(owners, positions).astype("<i2").tobytes(), LEVEL),
        live=compressed(_pieces(alive).tobytes(), LEVEL),
        parts=_parts(image, memory),
    )


def _pieces(alive: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """How many bits of every cell are set."""
    counts: NDArray[np.uint8] = (
        _SET_BITS[alive.view(np.uint8)].reshape(*alive.shape, 8).sum(2, dtype=np.uint8)
    )
    return counts


def _spans(found: MemoryMap, banks: Sequence[TrackedBank]) -> tuple[tuple[int, int], ...]:
    """Address and number of rows that follow one another."""
    firsts = [0, *itertools.accumulate(bank.data.nbytes for bank in banks)]
    spans: list[tuple[int, int]] = []
    for row in found.rows:
        first = row * found.row_bytes
        bank = max(index for index, start in enumerate(firsts[:-1]) if start <= first)
        address = banks[bank].starts[0] + first - firsts[bank]
        if spans and address == spans[-1][0] + spans[-1][1] * found.row_bytes:
            spans[-1] = (spans[-1][0], spans[-1][1] + 1)
        else:
            spans.append((address, 1))
    return tuple(spans)


def _positions(layers: Sequence[int], marks: Sequence[LayerMark]) -> NDArray[np.int64]:
    """The core's owners to positions of layers in the trace; the first of those that share a function."""
    position = {mark.start: index for index, mark in reversed(list(enumerate(marks)))}
    return np.array([NOBODY, OUTSIDE, *(position.get(start, OUTSIDE) for start in layers)])


def _writers(owners: NDArray[np.int16], positions: NDArray[np.int64]) -> NDArray[np.int64]:
    """Who wrote what lies in a cell: in its column, else in the last column before with a write."""
    columns = np.where(owners != _UNCHANGED, np.arange(owners.shape[1]), 0)
    latest = np.maximum.accumulate(columns, axis=1)
    return positions[np.take_along_axis(owners, latest, axis=1)]


def _parts(image: Image, memory: trace.Memory) -> tuple[trace.SramPart, ...]:
    """Where the parts of the SRAM peak lie; what is in none of them is static."""
    places: list[tuple[str, int | None, int]] = []
    if image.layers:
        arena = image.layers.arena
        for name, symbol, size in (
            ("arena", arena.symbol, arena.bytes),
            ("scratch", arena.scratch_symbol, arena.scratch_bytes),
        ):
            found = image.symbol(symbol)
            places.append((name, found.address if found else None, size))
    if image.stack_top is not None:
        places.append(("stack", image.stack_top - memory.stack_bytes, memory.stack_bytes))
    if image.heap is not None:
        places.append(("heap", image.heap[0], memory.heap_bytes))
    return tuple(
        trace.SramPart(name=name, address=address, bytes=size)
        for name, address, size in sorted(places, key=lambda place: place[1] or 0)
        if address is not None and size
    )
