"""The interrupt controller: interrupts that firmware enables and pends itself; no device raises one.

Arm DDI 0403 (ARMv7-M ARM), B3.4. Priorities have four bits, as on the chips that come with mcusim.
"""

from __future__ import annotations

from collections.abc import Iterable

from mcusim.machine.devices.bus import Platform

FIRST_INTERRUPT = 16
"""Exception number of interrupt 0."""

INTERRUPTS = 240
ENABLE, DISABLE, PEND, CLEAR, ACTIVE, PRIORITY = 0x000, 0x080, 0x100, 0x180, 0x200, 0x300
PRIORITY_BITS = 0xF0F0_F0F0


class InterruptController:
    """``enabled``, ``pending`` and ``active`` are exception numbers; the machine takes and ends them."""

    base = 0xE000_E100
    size = 0x3F0

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._priorities = [0] * (INTERRUPTS // 4)
        self.enabled: set[int] = set()
        self.pending: set[int] = set()
        self.active: frozenset[int] = frozenset()

    def priority(self, number: int) -> int:
        """Of an exception number from FIRST_INTERRUPT on; low is urgent."""
        word, byte = divmod(number - FIRST_INTERRUPT, 4)
        return self._priorities[word] >> 8 * byte & 0xFF

    def read(self, offset: int) -> int | None:
        if PRIORITY <= offset < PRIORITY + INTERRUPTS:
            return self._priorities[(offset - PRIORITY) // 4]
        sets: dict[int, Iterable[int]] = {
            ENABLE: self.enabled,
            DISABLE: self.enabled,
            PEND: self.pending,
            CLEAR: self.pending,
            ACTIVE: self.active,
        }
        members = sets.get(offset & ~0x7F)
        if members is None:
            return None
        first = FIRST_INTERRUPT + 8 * (offset & 0x7F)
        return sum(1 << number - first for number in members if first <= number < first + 32)

    def write(self, offset: int, value: int) -> bool:
        if PRIORITY <= offset < PRIORITY + INTERRUPTS:
            self._priorities[(offset - PRIORITY) // 4] = value & PRIORITY_BITS
        elif offset & ~0x7F in (ENABLE, DISABLE, PEND, CLEAR):
            first = FIRST_INTERRUPT + 8 * (offset & 0x7F)
            named = {first + bit for bit in range(32) if value >> bit & 1}
            kind = offset & ~0x7F
            members = self.enabled if kind in (ENABLE, DISABLE) else self.pending
            if kind in (ENABLE, PEND):
                members |= named
            else:
                members -= named
        else:
            return offset & ~0x7F == ACTIVE
        self._platform.exceptions_changed()
        return True
