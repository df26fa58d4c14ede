"""The chip's flash as the cycle model sees it."""

from __future__ import annotations

from mcusim.chips import Cache, Chip
from mcusim.timing.flash import CacheShape, FlashTiming

WORD = Cache(lines=0, ways=1, line_bytes=4)
"""Where nothing is known between flash and core, every word is read by itself."""


def flash_timing(chip: Chip) -> FlashTiming | None:
    """None without wait states."""
    if not chip.wait_states:
        return None
    accelerator = chip.flash_timing.accelerator
    return FlashTiming(
        starts=(chip.flash.start, *chip.flash.aliases),
        size=chip.flash.size,
        wait_states=chip.wait_states,
        code=_shape(accelerator.code if accelerator else WORD),
        data=_shape(accelerator.data if accelerator else WORD),
        prefetch=accelerator.prefetch if accelerator else False,
    )


def _shape(cache: Cache) -> CacheShape:
    return CacheShape(cache.lines, cache.ways, cache.line_bytes)
