"""The bus between memory-mapped I/O and devices: sub-word accesses, and registers nobody models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

WORD = 0xFFFF_FFFF


@dataclass
class Platform:
    """What devices may know and ask of the machine around them.

    ``cycles`` reads the live cycle counter; ``warn`` notes a sentence once; ``reset_requested`` is called
    when the firmware asks for a system reset, ``trap_unaligned`` when it says whether every access to an
    address that is not aligned is to fault, ``exceptions_changed`` when other exceptions may be
    pending, or the timer has been set, ``fault`` with what the firmware did that ends the run.
    """

    cycles: Callable[[], int]
    warn: Callable[[str], None]
    reset_requested: Callable[[], None] = field(default=lambda: None)
    trap_unaligned: Callable[[bool], None] = field(default=lambda _: None)
    exceptions_changed: Callable[[], None] = field(default=lambda: None)
    fault: Callable[[str], None] = field(default=lambda _: None)


class Device(Protocol):
    """A block of 32-bit registers at [base, base + size)."""

    base: int
    size: int

    def read(self, offset: int) -> int | None:
        """The word at ``offset`` (a multiple of 4), None if no such register is modelled."""

    def write(self, offset: int, value: int) -> bool:
        """Write a whole word; False if no such register is modelled."""


class Bus:
    """One mapped window of addresses. Registers without a model remember what was written to them,
    read 0 before, and cause one warning per address."""

    def __init__(self, start: int, devices: Sequence[Device], platform: Platform) -> None:
        self._start = start
        self._devices = devices
        self._platform = platform
        self._unmodelled: dict[int, int] = {}

    def read(self, offset: int, size: int) -> int:
        """``size`` bytes at ``offset`` from the window's start, as the core sees them."""
        address = self._start + offset
        return self._read_word(address & ~3) >> 8 * (address & 3) & (1 << 8 * size) - 1

    def write(self, offset: int, size: int, value: int) -> None:
        """Write ``size`` bytes; the other bytes of the word keep their value."""
        address = self._start + offset
        if size < 4:
            shift = 8 * (address & 3)
            mask = (1 << 8 * size) - 1 << shift
            value = self._read_word(address & ~3) & ~mask | value << shift & mask
        self._write_word(address & ~3, value & WORD)

    def _device_at(self, address: int) -> Device | None:
        return next((device for device in self._devices if 0 <= address - device.base < device.size), None)

    def _read_word(self, address: int) -> int:
        device = self._device_at(address)
        value = device.read(address - device.base) if device else None
        if value is not None:
            return value
        if address not in self._unmodelled:
            self._note(address)
        return self._unmodelled[address]

    def _write_word(self, address: int, value: int) -> None:
        device = self._device_at(address)
        if device and device.write(address - device.base, value):
            return
        if address not in self._unmodelled:
            self._note(address)
        self._unmodelled[address] = value

    def _note(self, address: int) -> None:
        self._unmodelled[address] = 0
        self._platform.warn(f"register 0x{address:08x} is not modelled; it reads back what was written to it")
