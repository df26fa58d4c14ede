"""Where stacks may be, and how far down they may reach, as an image says it."""

from __future__ import annotations

from collections.abc import Sequence

from mcusim.chips import Chip
from mcusim.image import Image

LEAST_BYTES = 64
"""Smaller objects are no stacks: an exception alone stores 32 bytes."""


def stack_floor(image: Image, chip: Chip, stack_top: int) -> int:
    """The lowest address that the stack of reset may have without running into what lies below it, if the
    image does not say: the start of the object that it lies in, or the end of the sections below."""
    lies_in = image.object_at(stack_top - 1)
    if lies_in is not None:
        return lies_in.address
    region = next((r for r in chip.regions if r.start < stack_top <= r.end and r.kind == "sram"), None)
    return max([region.start, *_floors(image, region.start, stack_top)]) if region else 0


def _floors(image: Image, start: int, stack_top: int) -> Sequence[int]:
    """Ends of sections below the stack; a section that reaches up to its top is room for it."""
    floors = []
    for section in image.sections:
        end = section.address + section.size
        if start <= section.address < stack_top and not section.is_reservation:
            floors.append(end if end < stack_top else section.address)
    return floors


def stack_areas(image: Image, chip: Chip) -> tuple[tuple[int, int], ...]:
    """Objects in SRAM that may be stacks of threads, as [start, end), sorted and without overlap; an
    allocator's array is none, but holds some."""
    objects = [s for s in image.table.symbols if s.size >= LEAST_BYTES and not s.is_function]
    sram = [region for region in chip.regions if region.kind == "sram"]
    areas: list[tuple[int, int]] = []
    for symbol in sorted(objects, key=lambda symbol: (symbol.address, -symbol.size)):
        start, end = symbol.address, symbol.address + symbol.size
        is_free = not areas or areas[-1][1] <= start
        if is_free and (start, end) != image.heap and any(region.holds(start) for region in sram):
            areas.append((start, end))
    return tuple(areas)
