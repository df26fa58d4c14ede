"""The parts of the SRAM peak, and how far each memory was written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from mcusim import trace
from mcusim.chips import Chip, Region
from mcusim.core.interface import Counts, MemoryCount, SramRegion, StrayRead
from mcusim.image import Image, Sizes

LIVE_POINTS = 128
"""As many points the curve of live bytes has at most in a trace."""


class Reader(Protocol):
    """Memory as it is after the run."""

    def __call__(self, address: int, size: int, /) -> bytes | None: ...


def measure(
    image: Image,
    chip: Chip,
    *,
    stacks: Sequence[trace.Stack],
    parts: Sequence[SramRegion],
    counts: Counts,
    break_bytes: int | None,
    read: Reader,
    paint: bytes,
) -> trace.Memory:
    """``parts`` cut the SRAM; ``counts`` tell what happened in each. ``stacks``: that of reset first.
    ``break_bytes``: how far an allocator moved its break, None if it did not."""
    sizes = image.sizes(chip)
    high_water = counts.high_water
    heap = break_bytes if break_bytes is not None else _heap_bytes(image, parts, high_water, read, paint)
    arena = image.layers.arena if image.layers else None
    stack_bytes = sum(stack.bytes for stack in stacks if not stack.reserved_bytes)
    peak = _peak(sizes, stack_bytes, heap)
    return trace.Memory(
        sram_peak_bytes=peak,
        static_bytes=sizes.static_sram,
        arena_bytes=sizes.arena,
        scratch_bytes=sizes.scratch,
        stack_bytes=stack_bytes,
        stack_chain=stacks[0].chain if stacks else (),
        stacks=tuple(stacks),
        heap_bytes=heap,
        input_bytes=arena.input_bytes if arena else 0,
        regions=_regions(chip, parts, high_water),
        arena_high_water_bytes=_of_arena(image, parts, high_water),
        touched_bytes=counts.memory.touched_bytes,
        live_peak_bytes=counts.memory.live_peak_bytes,
        unread_bytes=counts.memory.unread_bytes,
        dead_bytes=max(peak - counts.memory.live_peak_bytes, 0) if counts.memory.touched_bytes else 0,
        arena_live_peak_bytes=_of_arena(image, parts, counts.memory.region_live_peaks),
        heap_live_peak_bytes=counts.memory.heap_live_peak_bytes,
        live=_thinned(counts.memory.live),
    )


def _regions(chip: Chip, parts: Sequence[SramRegion], high_water: Sequence[int]) -> tuple[trace.Region, ...]:
    return tuple(
        trace.Region(
            name=region.name,
            size=region.size,
            high_water_bytes=_region_high_water(region, parts, high_water),
        )
        for region in chip.regions
        if region.kind == "sram"
    )


def _thinned(live: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """At most LIVE_POINTS of them: each stands for the highest of as many neighbours."""
    step = -(-len(live) // LIVE_POINTS)
    groups = (live[first : first + step] for first in range(0, len(live), max(step, 1)))
    return tuple((group[0][0], max(peak for _, peak in group)) for group in groups)


def warnings(image: Image, memory: MemoryCount) -> tuple[str, ...]:
    """Reads of SRAM that was never written and of address 0 and behind, one sentence a function, and accesses
    that were not followed."""
    sentences = _stray_reads(image, memory.unwritten, "reads SRAM that was never written")
    null = [read for read in memory.null_reads if image.function_at(read.address) is None]
    sentences += _stray_reads(image, null, "uses a null pointer")
    if memory.lost_accesses:
        sentences.append(f"{memory.lost_accesses} memory accesses could not be followed")
    return tuple(sentences)


def _stray_reads(image: Image, reads: Sequence[StrayRead], what: str) -> list[str]:
    """What each function did, how often and where first."""
    counts: Counter[str] = Counter()
    first: dict[str, StrayRead] = {}
    for read in reads:
        name = _reader(image, read.pc)
        counts[name] += read.count
        first.setdefault(name, read)
    return [_sentence(image, name, what, first[name], count) for name, count in counts.items()]


def _reader(image: Image, pc: int) -> str:
    function = image.function_at(pc)
    if not pc:
        return "a debugger's request"
    return function.name if function else "code outside every known function"


def _sentence(image: Image, name: str, what: str, first: StrayRead, count: int) -> str:
    file, line = image.lines.at(first.pc) if first.pc else ("", 0)
    source = f" ({file.rpartition('/')[2]}:{line})" if line else ""
    times = "once" if count == 1 else f"{count} times"
    return f"{name}{source} {what} {times}, first at 0x{first.address:08x}"


def _peak(sizes: Sizes, stack: int, heap: int) -> int:
    return sizes.static_sram + sizes.arena + sizes.scratch + stack + heap


def _region_high_water(region: Region, parts: Sequence[SramRegion], high_water: Sequence[int]) -> int:
    ends = [
        part.start + high - region.start
        for part, high in zip(parts, high_water, strict=False)
        if high and region.holds(part.start)
    ]
    return max(ends, default=0)


def _of_arena(image: Image, parts: Sequence[SramRegion], figures: Sequence[int]) -> int:
    """The arena's of ``figures``, one a part; the arena must be a part of its own."""
    symbol = image.symbol(image.layers.arena.symbol) if image.layers else None
    if symbol is None:
        return 0
    found = zip(parts, figures, strict=False)
    return next((figure for part, figure in found if part.start == symbol.address), 0)


def _heap_bytes(
    image: Image, parts: Sequence[SramRegion], high_water: Sequence[int], read: Reader, paint: bytes
) -> int:
    """End of the highest byte of the image's heap that was written, relative to its start."""
    if image.heap is None:
        return 0
    start, end = image.heap
    if not parts:
        return _painted_over(read(start, end - start), start, paint)
    found = zip(parts, high_water, strict=False)
    inside = [part.start - start + high for part, high in found if high and start <= part.start < end]
    return max(inside, default=0)


def _painted_over(content: bytes | None, start: int, paint: bytes) -> int:
    """End of the highest byte that no longer holds the paint it had before the run."""
    if not content:
        return 0
    painted = np.resize(np.frombuffer(paint, np.uint8), len(content) + len(paint))
    phase = start % len(paint)
    changed = np.flatnonzero(np.frombuffer(content, np.uint8) != painted[phase : phase + len(content)])
    return int(changed[-1]) + 1 if changed.size else 0
