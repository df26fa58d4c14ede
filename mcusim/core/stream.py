"""A hash of accesses in their order, by which two emulators are compared without keeping what they did."""

from __future__ import annotations

_FACTOR = 0x9E37_79B9_7F4A_7C15
_MASK = (1 << 64) - 1


def mix(state: int, address: int, size: int, store: bool) -> int:
    """The state behind an access of ``size`` bytes; more than four are taken word by word.

    ``state`` is 0 before the first one, and 64 bits wide.
    """
    unit = min(size, 4)
    for offset in range(0, size, unit):
        element = address + offset & 0xFFFF_FFFF | unit << 32 | store << 40
        state = (state ^ element) * _FACTOR & _MASK
        state ^= state >> 32
    return state
