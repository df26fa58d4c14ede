"""The chip's memories as host buffers that emulator and core share."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Callable
from dataclasses import dataclass

from unicorn.unicorn_const import UC_PROT_EXEC, UC_PROT_READ, UC_PROT_WRITE

from mcusim.chips import Chip, Region
from mcusim.image import Image
from mcusim.machine.engine import Engine

PAINT = b"\xc3\xa5\x5a\x96"
"""What SRAM holds before the image is loaded; bytes that differ from it later were written."""

ERASED = b"\xff"
"""What flash holds where nothing was programmed."""

PROTECTION = {
    "r": UC_PROT_READ,
    "rx": UC_PROT_READ | UC_PROT_EXEC,
    "rw": UC_PROT_READ | UC_PROT_WRITE,
    "rwx": UC_PROT_READ | UC_PROT_WRITE | UC_PROT_EXEC,
}


@dataclass(frozen=True)
class Bank:
    """A region and its bytes; ``view`` is the memory itself, not a copy."""

    region: Region
    view: memoryview


class Memory:
    """Flash and SRAM banks of a chip, mapped into one emulator, aliases included."""

    def __init__(self, engine: Engine, chip: Chip) -> None:
        self.banks = tuple(
            Bank(region, memoryview(mmap.mmap(-1, region.size)))
            for region in chip.regions
            if region.kind != "peripheral"
        )
        for bank in self.banks:
            region = bank.region
            host = ctypes.addressof(ctypes.c_char.from_buffer(bank.view))
            for start in (region.start, *region.aliases):
                engine.mem_map_ptr(start, region.size, PROTECTION[region.access], host)

    @property
    def sram(self) -> tuple[Bank, ...]:
        return tuple(bank for bank in self.banks if bank.region.kind == "sram")

    def load(self, image: Image) -> None:
        """Paint SRAM, erase flash, then put every segment at its load address."""
        for bank in self.banks:
            fill = PAINT if bank.region.kind == "sram" else ERASED
            bank.view[:] = fill * (bank.region.size // len(fill))
        for segment in image.segments:
            if segment.data:
                self.write(segment.load_address, segment.data)

    def read(self, address: int, size: int) -> bytes | None:
        """``size`` bytes, or None if they do not all lie in one bank; aliases count."""
        found = self._locate(address, size)
        if found is None:
            return None
        view, offset = found
        return bytes(view[offset : offset + size])

    def write(self, address: int, data: bytes) -> bool:
        """Put ``data`` there whatever the access rights; False if it does not fit one bank."""
        found = self._locate(address, len(data))
        if found is None:
            return False
        view, offset = found
        view[offset : offset + len(data)] = data
        return True

    def read_string(self, address: int, limit: int = 1 << 16) -> bytes | None:
        """Bytes up to the next zero byte, at most ``limit``; None if the address is in no bank."""
        found = self._locate(address, 1)
        if found is None:
            return None
        view, offset = found
        text = bytes(view[offset : offset + limit])
        return text.partition(b"\0")[0]

    def save_sram(self) -> tuple[bytes, ...]:
        return tuple(bytes(bank.view) for bank in self.sram)

    def restore_sram(self, saved: tuple[bytes, ...]) -> None:
        for bank, content in zip(self.sram, saved, strict=True):
            bank.view[:] = content

    def _locate(self, address: int, size: int) -> tuple[memoryview, int] | None:
        for bank in self.banks:
            for start in (bank.region.start, *bank.region.aliases):
                if start <= address and address + size <= start + bank.region.size:
                    return bank.view, address - start
        return None


@dataclass(frozen=True)
class DebugPort:
    """Memory as a debugger sees it: what it reads and writes counts as used, in the firmware's name.

    ``note`` receives address, size, and whether it is a write.
    """

    memory: Memory
    note: Callable[[int, int, bool], None]

    def read(self, address: int, size: int) -> bytes | None:
        """As ``Memory.read``."""
        content = self.memory.read(address, size)
        if content is not None:
            self.note(address, size, False)
        return content

    def read_string(self, address: int) -> bytes | None:
        """As ``Memory.read_string``."""
        text = self.memory.read_string(address)
        if text is not None:
            self.note(address, len(text) + 1, False)
        return text

    def write(self, address: int, data: bytes) -> bool:
        """As ``Memory.write``."""
        is_there = self.memory.write(address, data)
        if is_there:
            self.note(address, len(data), True)
        return is_there
