"""Core debug registers: what firmware asks to find out whether a debugger listens.

Arm DDI 0403 (ARMv7-M ARM), C1.6. Semihosting is always served, so DHCSR.C_DEBUGEN reads as set.
"""

from __future__ import annotations

DHCSR = 0x0
DEMCR = 0xC
C_DEBUGEN = 1 << 0
DEMCR_WRITABLE = 0x010F_07F1


class CoreDebug:
    """DHCSR is read only here; DEMCR keeps what is written (TRCENA among it)."""

    base = 0xE000_EDF0
    size = 0x10

    def __init__(self) -> None:
        self._demcr = 0

    def read(self, offset: int) -> int | None:
        return {DHCSR: C_DEBUGEN, DEMCR: self._demcr}.get(offset)

    def write(self, offset: int, value: int) -> bool:
        if offset == DEMCR:
            self._demcr = value & DEMCR_WRITABLE
        return offset in (DHCSR, DEMCR)
