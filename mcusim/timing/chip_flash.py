"""The chips' flash as the cycle model sees it."""

from __future__ import annotations

from dataclasses import replace

from mcusim import chips
from mcusim.chips import Accelerator, Cache, Caches, Chip
from mcusim.timing.flash import CacheShape, FlashRange, FlashTiming

_WORD = Cache(lines=0, ways=1, line_bytes=4)
_NOTHING = Accelerator(code=_WORD, data=_WORD, prefetch=False, source="")
"""Where nothing is known between flash and core, every word is read by itself."""


def flash_timing(chip: Chip) -> FlashTiming | None:
    """None without wait states."""
    return flash_range(chip).best if chip.wait_states else None


def flash_range(chip: Chip) -> FlashRange:
    """The chip's flash at its wait states. Where it is slowest, neither prefetch nor the words that the fetch
    unit holds hide anything."""
    accelerator = chip.flash_timing.accelerator or _NOTHING
    best = FlashTiming(
        starts=(chip.flash.start, *chip.flash.aliases),
        size=chip.flash.size,
        wait_states=chip.wait_states,
        code=_shape(accelerator.code),
        data=_shape(accelerator.data),
        prefetch=accelerator.prefetch,
    )
    high = replace(_with(best, accelerator.high), prefetch=False, runs_ahead=False)
    return FlashRange(best, _with(best, accelerator.low), high)


def flashes_beside(chip: Chip) -> tuple[FlashTiming, ...]:
    """The flash of ``chip``, best, low and high, then the other kinds of flash, among those of all known
    chips, that a firmware for ``chip`` can run from."""
    own = flash_range(chip)
    kinds = list(own)
    for name in chips.names():
        others = flash_range(chips.load(name))
        if others.best.starts == own.best.starts:
            kinds += [other for other in others if not any(other.is_like(kind) for kind in kinds)]
    return tuple(kinds)


def _with(flash: FlashTiming, caches: Caches | None) -> FlashTiming:
    if caches is None:
        return flash
    return replace(flash, code=_shape(caches.code), data=_shape(caches.data))


def _shape(cache: Cache) -> CacheShape:
    return CacheShape(cache.lines, cache.ways, cache.line_bytes)
