"""The system timer.

Arm DDI 0403 (ARMv7-M ARM), B3.3: counts down from RVR to 0 and reloads, a period of RVR + 1 cycles.
"""

from __future__ import annotations

from mcusim.machine.devices.bus import Platform

CSR, RVR, CVR, CALIB = 0x0, 0x4, 0x8, 0xC
ENABLE, TICKINT, CLKSOURCE, COUNTFLAG = 1 << 0, 1 << 1, 1 << 2, 1 << 16
FAR_OFF = (1 << 64) - 1
COUNTER_MASK = 0x00FF_FFFF
CALIB_NOREF_SKEW = 0xC000_0000


class SysTick:
    """Its value follows the cycle counter; the machine pends its exception when ``next_end`` is reached."""

    base = 0xE000_E010
    size = 0x10

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._control = 0
        self._reload = 0
        self._value = 0
        self._since = 0
        self._wrapped = False

    def read(self, offset: int) -> int | None:
        self._advance()
        if offset == CSR:
            flag = COUNTFLAG if self._wrapped else 0
            self._wrapped = False
            return self._control | CLKSOURCE | flag
        return {RVR: self._reload, CVR: self._value, CALIB: CALIB_NOREF_SKEW}.get(offset)

    def write(self, offset: int, value: int) -> bool:
        self._advance()
        if offset == CSR:
            self._control = value & (ENABLE | TICKINT)
        elif offset == RVR:
            self._reload = value & COUNTER_MASK
        elif offset == CVR:
            # Any write clears the counter and COUNTFLAG; the next tick reloads.
            self._value = 0
            self._wrapped = False
        self._platform.exceptions_changed()
        return offset in (CSR, RVR, CVR, CALIB)

    def next_end(self) -> int:
        """The cycle in which the counter next gets to 0 and pends its exception; far off if it does not."""
        self._advance()
        if self._control & (ENABLE | TICKINT) != ENABLE | TICKINT or not self._reload:
            return FAR_OFF
        return self._since + (self._value or self._reload + 1)

    def _advance(self) -> None:
        now = max(self._since, self._platform.cycles())
        elapsed, self._since = now - self._since, now
        if not self._control & ENABLE or not self._reload or not elapsed:
            return
        if elapsed < self._value:
            self._value -= elapsed
            return
        if self._value:
            self._wrapped = True
        period = self._reload + 1
        past_zero = elapsed - self._value
        self._wrapped = self._wrapped or past_zero >= period
        self._value = -past_zero % period
