"""Data watchpoint and trace unit: the cycle counter.

Arm DDI 0403 (ARMv7-M ARM), C1.8: DWT_CTRL and DWT_CYCCNT; the profiling counters are not modelled.
"""

from __future__ import annotations

from mcusim.machine.devices.bus import WORD, Platform

CTRL = 0x00
CYCCNT = 0x04
CYCCNTENA = 1 << 0
CTRL_RESET = 0x4000_0000
"""Four comparators, as the Cortex-M4 has; the cycle counter is there (NOCYCCNT is 0)."""

CTRL_WRITABLE = 0x007F_1FFF


class CycleCounterUnit:
    """CYCCNT counts core cycles while CTRL.CYCCNTENA is set."""

    base = 0xE000_1000
    size = 0x1000

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._control = CTRL_RESET
        self._count = 0
        self._since = 0

    def read(self, offset: int) -> int | None:
        if offset == CTRL:
            return self._control
        return self._now() if offset == CYCCNT else None

    def write(self, offset: int, value: int) -> bool:
        if offset not in (CTRL, CYCCNT):
            return False
        self._count = value if offset == CYCCNT else self._now()
        self._since = self._platform.cycles()
        if offset == CTRL:
            self._control = CTRL_RESET | value & CTRL_WRITABLE
        return True

    def _now(self) -> int:
        if not self._control & CYCCNTENA:
            return self._count
        return self._count + self._platform.cycles() - self._since & WORD
