"""The chips' flash as the cycle model sees it."""

from __future__ import annotations

from mcusim import chips
from mcusim.chips import Cache, Chip
from mcusim.timing.flash import CacheShape, FlashTiming

WORD = Cache(lines=0, ways=1, line_bytes=4)
"""Where nothing is known between flash and core, every word is read by itself."""


def flash_timing(chip: Chip) -> FlashTiming | None:
    """None without wait states."""
    return _timing(chip) if chip.wait_states else None


def flashes_beside(chip: Chip) -> tuple[FlashTiming, ...]:
    """The flash of ``chip``, then the other kinds of flash, among those of all known chips, that a firmware
    for ``chip`` can run from."""
    own = _timing(chip)
    kinds = [own]
    for name in chips.names():
        other = _timing(chips.load(name))
        if not any(other.is_like(kind) for kind in kinds) and other.starts == own.starts:
            kinds.append(other)
    return tuple(kinds)


def _timing(chip: Chip) -> FlashTiming:
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
