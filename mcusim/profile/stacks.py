"""The stacks of a run: how deep each went, by whose calls, and whose room it is."""

from __future__ import annotations

from collections.abc import Sequence

from mcusim import trace
from mcusim.chips import Chip
from mcusim.core.interface import StackRecord
from mcusim.image import Image
from mcusim.profile.profile import name_of

MAIN = "main"


def stacks(
    image: Image, chip: Chip, records: Sequence[StackRecord], heap: tuple[int, int] | None
) -> tuple[trace.Stack, ...]:
    """One entry a stack, that of reset first. ``heap``: where an allocator got memory."""
    return tuple(
        trace.Stack(
            name=_name(image, record, is_first=number == 0),
            pointer="psp" if record.is_process else "msp",
            bytes=record.top - record.lowest,
            reserved_bytes=_reserved(image, chip, record, heap),
            chain=tuple(name_of(image, start) for start in record.chain),
        )
        for number, record in enumerate(records)
    )


def _name(image: Image, record: StackRecord, *, is_first: bool) -> str:
    if is_first:
        return MAIN
    lies_in = image.object_at(record.top - 1)
    return lies_in.name if lies_in else f"0x{record.top:08x}"


def _reserved(image: Image, chip: Chip, record: StackRecord, heap: tuple[int, int] | None) -> int:
    """What static data or heap hold for the stack, which is counted there."""
    inside = record.top - 1
    for region in (heap, image.heap):
        if region is not None and region[0] <= inside < region[1]:
            return record.top - record.lowest
    if not image.is_static(chip, inside):
        return 0
    return record.area[1] - record.area[0] if record.area else record.top - record.lowest
