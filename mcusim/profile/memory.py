"""The parts of the SRAM peak, and how far each memory was written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from mcusim import trace
from mcusim.chips import Chip, Region
from mcusim.core.interface import SramRegion
from mcusim.image import Image, Sizes


class Reader(Protocol):
    """Memory as it is after the run."""

    def __call__(self, address: int, size: int, /) -> bytes | None: ...


def measure(
    image: Image,
    chip: Chip,
    *,
    stack_bytes: int,
    parts: Sequence[SramRegion],
    high_water: Sequence[int],
    read: Reader,
    paint: bytes,
) -> trace.Memory:
    """``parts`` cut the SRAM; ``high_water`` holds the end of the highest changed byte of each."""
    sizes = image.sizes(chip)
    heap = _heap_bytes(image, read, paint)
    arena = image.layers.arena if image.layers else None
    return trace.Memory(
        sram_peak_bytes=_peak(sizes, stack_bytes, heap),
        static_bytes=sizes.static_sram,
        arena_bytes=sizes.arena,
        scratch_bytes=sizes.scratch,
        stack_bytes=stack_bytes,
        heap_bytes=heap,
        input_bytes=arena.input_bytes if arena else 0,
        regions=tuple(
            trace.Region(
                name=region.name,
                size=region.size,
                high_water_bytes=_region_high_water(region, parts, high_water),
            )
            for region in chip.regions
            if region.kind == "sram"
        ),
        arena_high_water_bytes=_arena_high_water(image, parts, high_water),
    )


def _peak(sizes: Sizes, stack: int, heap: int) -> int:
    return sizes.static_sram + sizes.arena + sizes.scratch + stack + heap


def _region_high_water(region: Region, parts: Sequence[SramRegion], high_water: Sequence[int]) -> int:
    ends = [
        part.start + high - region.start
        for part, high in zip(parts, high_water, strict=False)
        if high and region.holds(part.start)
    ]
    return max(ends, default=0)


def _arena_high_water(image: Image, parts: Sequence[SramRegion], high_water: Sequence[int]) -> int:
    """From the arena's start; the arena must be a part of its own."""
    symbol = image.symbol(image.layers.arena.symbol) if image.layers else None
    if symbol is None:
        return 0
    found = zip(parts, high_water, strict=False)
    return next((high for part, high in found if part.start == symbol.address), 0)


def _heap_bytes(image: Image, read: Reader, paint: bytes) -> int:
    """End of the highest byte of the heap that no longer holds the paint it had before the run."""
    if image.heap is None:
        return 0
    start, end = image.heap
    content = read(start, end - start)
    if not content:
        return 0
    painted = np.resize(np.frombuffer(paint, np.uint8), len(content) + len(paint))
    phase = start % len(paint)
    changed = np.flatnonzero(np.frombuffer(content, np.uint8) != painted[phase : phase + len(content)])
    return int(changed[-1]) + 1 if changed.size else 0
