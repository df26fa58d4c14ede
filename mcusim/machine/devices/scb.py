"""System control block, the identification registers beside it, and the FPU's control registers.

Addresses, reset values and write masks: Arm DDI 0403 (ARMv7-M ARM), B3.2 and B3.2.20; values of the
Cortex-M4: Arm 100166 (Cortex-M4 TRM), tables 4-1 and 7-1.
"""

from __future__ import annotations

from dataclasses import dataclass

from mcusim.machine.devices.bus import Platform

ICSR, VTOR, AIRCR, SHPR1 = 0x04, 0x08, 0x0C, 0x18
SHPR_FIRST = 4
"""The exception whose priority is the first byte of SHPR1."""
PENDABLE = {14: (28, 27), 15: (26, 25)}
"""PendSV and SysTick: bits of ICSR that pend them and that clear that."""
VECTKEY = 0x05FA
VECTKEY_READ = 0xFA05
SYSRESETREQ = 1 << 2
CCR = 0x14
UNALIGN_TRP = 1 << 3


@dataclass(frozen=True)
class Register:
    """``writable`` masks the bits that keep what is written."""

    name: str
    reset: int
    writable: int = 0


REGISTERS = {
    0x00: Register("CPUID", 0x410F_C241),
    ICSR: Register("ICSR", 0),
    VTOR: Register("VTOR", 0, 0xFFFF_FF80),
    AIRCR: Register("AIRCR", VECTKEY_READ << 16, 0x0000_0700),
    0x10: Register("SCR", 0, 0x16),
    CCR: Register("CCR", 0x200, 0x31B),
    SHPR1: Register("SHPR1", 0, 0x00FF_FFFF),
    0x1C: Register("SHPR2", 0, 0xFF00_0000),
    0x20: Register("SHPR3", 0, 0xFFFF_0000),
    0x24: Register("SHCSR", 0, 0x0007_0000),
    0x28: Register("CFSR", 0),
    0x2C: Register("HFSR", 0),
    0x34: Register("MMFAR", 0, 0xFFFF_FFFF),
    0x38: Register("BFAR", 0, 0xFFFF_FFFF),
    0x3C: Register("AFSR", 0),
    0x40: Register("ID_PFR0", 0x0000_0030),
    0x44: Register("ID_PFR1", 0x0000_0200),
    0x48: Register("ID_DFR0", 0x0010_0000),
    0x88: Register("CPACR", 0, 0x00F0_0000),
    0x234: Register("FPCCR", 0xC000_0000, 0xC000_0000),
    0x238: Register("FPCAR", 0, 0xFFFF_FFF8),
    0x23C: Register("FPDSCR", 0, 0x07C0_0000),
    0x240: Register("MVFR0", 0x1011_0021),
    0x244: Register("MVFR1", 0x1100_0011),
}


class SystemControlBlock:
    """Holds what is written; a system reset request ends the run. ``pending``: numbers of system exceptions,
    which the machine takes."""

    base = 0xE000_ED00
    size = 0x300

    def __init__(self, platform: Platform, vector_table: int) -> None:
        self._platform = platform
        self._values = {offset: register.reset for offset, register in REGISTERS.items()}
        self._values[VTOR] = vector_table & REGISTERS[VTOR].writable
        self.pending: set[int] = set()

    @property
    def vector_table(self) -> int:
        """Its address."""
        return self._values[VTOR]

    def priority(self, number: int) -> int:
        """Of a system exception, by SHPR1 to SHPR3; low is urgent. Numbers below 4 have fixed ones."""
        if number < SHPR_FIRST:
            return -number
        offset, byte = divmod(number - SHPR_FIRST, 4)
        return self._values[SHPR1 + 4 * offset] >> 8 * byte & 0xFF

    def read(self, offset: int) -> int | None:
        if offset == ICSR:
            return sum(1 << bit for number, (bit, _) in PENDABLE.items() if number in self.pending)
        return self._values.get(offset)

    def write(self, offset: int, value: int) -> bool:
        register = REGISTERS.get(offset)
        if register is None:
            return False
        if offset == ICSR:
            self._pend(value)
        if offset == AIRCR:
            if value >> 16 != VECTKEY:
                return True
            if value & SYSRESETREQ:
                self._platform.reset_requested()
        kept = self._values[offset] & ~register.writable
        self._values[offset] = kept | value & register.writable
        if offset == CCR:
            self._platform.trap_unaligned(bool(value & UNALIGN_TRP))
        if offset in (SHPR1, SHPR1 + 4, SHPR1 + 8):
            self._platform.exceptions_changed()
        return True

    def _pend(self, value: int) -> None:
        for number, (set_bit, clear_bit) in PENDABLE.items():
            if value >> set_bit & 1:
                self.pending.add(number)
            elif value >> clear_bit & 1:
                self.pending.discard(number)
        self._platform.exceptions_changed()
