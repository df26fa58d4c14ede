"""Semihosting: the firmware's console, clock and exit, asked for by BKPT 0xAB.

Operations and their parameter blocks: Arm "Semihosting for AArch32 and AArch64" 2.0, section 6. Files of
the host are out of reach on purpose; time is simulated time, so that runs repeat exactly.
"""

from __future__ import annotations

import codecs
import enum
import struct
from collections.abc import Callable

from mcusim.machine.memory import DebugPort, Memory

BREAKPOINT = 0xBEAB
"""The instruction BKPT 0xAB."""

FAILURE = 0xFFFF_FFFF
APPLICATION_EXIT = 0x2_0026
"""ADP_Stopped_ApplicationExit."""

CONSOLE_NAME = b":tt"
FEATURES_NAME = b":semihosting-features"
FEATURES = b"SHFB\x03"
"""Magic, then SH_EXT_EXIT_EXTENDED and SH_EXT_STDOUT_STDERR."""

STDIN, STDOUT, STDERR, FEATURES_HANDLE = 1, 2, 3, 4


class Operation(enum.IntEnum):
    OPEN = 0x01
    CLOSE = 0x02
    WRITEC = 0x03
    WRITE0 = 0x04
    WRITE = 0x05
    READ = 0x06
    READC = 0x07
    ISERROR = 0x08
    ISTTY = 0x09
    SEEK = 0x0A
    FLEN = 0x0C
    CLOCK = 0x10
    TIME = 0x11
    ERRNO = 0x13
    GET_CMDLINE = 0x15
    HEAPINFO = 0x16
    EXIT = 0x18
    EXIT_EXTENDED = 0x20
    ELAPSED = 0x30
    TICKFREQ = 0x31


class FirmwareExit(Exception):  # noqa: N818 - not an error
    """The firmware ended itself."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Semihosting:
    """Serves one firmware. ``console`` gets decoded text as it comes; ``warn`` one sentence per oddity."""

    def __init__(
        self,
        memory: Memory | DebugPort,
        cycles: Callable[[], int],
        clock_hz: int,
        console: Callable[[str], None],
        warn: Callable[[str], None],
    ) -> None:
        self._memory = memory
        self._cycles = cycles
        self._clock_hz = clock_hz
        self._console = console
        self._warn = warn
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._features_read = 0
        self._operations: dict[int, Callable[[int], int]] = {
            Operation.OPEN: self._open,
            Operation.CLOSE: lambda _: 0,
            Operation.WRITEC: self._write_character,
            Operation.WRITE0: self._write_string,
            Operation.WRITE: self._write,
            Operation.READ: self._read,
            Operation.READC: lambda _: FAILURE,
            Operation.ISERROR: lambda block: int(self._words(block, 1)[0] >= 1 << 31),
            Operation.ISTTY: lambda block: int(self._words(block, 1)[0] in (STDIN, STDOUT, STDERR)),
            Operation.SEEK: self._seek,
            Operation.FLEN: self._length,
            Operation.CLOCK: lambda _: self._cycles() * 100 // self._clock_hz,
            Operation.TIME: lambda _: self._cycles() // self._clock_hz,
            Operation.ERRNO: lambda _: 0,
            Operation.GET_CMDLINE: self._command_line,
            Operation.HEAPINFO: self._heap_info,
            Operation.EXIT: self._exit,
            Operation.EXIT_EXTENDED: self._exit_extended,
            Operation.ELAPSED: self._elapsed,
            Operation.TICKFREQ: lambda _: self._clock_hz,
        }

    def call(self, operation: int, parameter: int) -> int:
        """R0 after the call with these R0 and R1. Raises FirmwareExit when the firmware ends."""
        serve = self._operations.get(operation)
        if serve is None:
            self._warn(f"semihosting operation 0x{operation:02x} is not served; it returns -1")
            return FAILURE
        return serve(parameter)

    def _words(self, block: int, count: int) -> tuple[int, ...]:
        raw = self._memory.read(block, 4 * count)
        if raw is None:
            self._warn(f"a semihosting call passes 0x{block:08x}, where there is no memory")
            return (0,) * count
        return struct.unpack(f"<{count}I", raw)

    def _put(self, raw: bytes) -> None:
        text = self._decoder.decode(raw)
        if text:
            self._console(text)

    def _open(self, block: int) -> int:
        name_address, mode, length = self._words(block, 3)
        name = self._memory.read(name_address, length)
        if name == CONSOLE_NAME:
            return STDIN if mode < 4 else STDOUT if mode < 8 else STDERR
        if name == FEATURES_NAME:
            self._features_read = 0
            return FEATURES_HANDLE
        self._warn(f"the firmware opens the file {(name or b'').decode('utf-8', 'replace')!r}, which fails")
        return FAILURE

    def _write_character(self, address: int) -> int:
        self._put(self._memory.read(address, 1) or b"")
        return 0

    def _write_string(self, address: int) -> int:
        self._put(self._memory.read_string(address) or b"")
        return 0

    def _write(self, block: int) -> int:
        """Returns the number of bytes not written."""
        handle, address, length = self._words(block, 3)
        raw = self._memory.read(address, length)
        if handle not in (STDOUT, STDERR) or raw is None:
            return length
        self._put(raw)
        return 0

    def _read(self, block: int) -> int:
        """Returns the number of bytes not read; standard input is at its end."""
        handle, address, length = self._words(block, 3)
        if handle != FEATURES_HANDLE:
            return length
        part = FEATURES[self._features_read : self._features_read + length]
        if not self._memory.write(address, part):
            return length
        self._features_read += len(part)
        return length - len(part)

    def _seek(self, block: int) -> int:
        handle, position = self._words(block, 2)
        if handle != FEATURES_HANDLE:
            return FAILURE
        self._features_read = position
        return 0

    def _length(self, block: int) -> int:
        handle = self._words(block, 1)[0]
        return len(FEATURES) if handle == FEATURES_HANDLE else 0

    def _command_line(self, block: int) -> int:
        """An empty command line."""
        address, size = self._words(block, 2)
        if not size or not self._memory.write(address, b"\0"):
            return FAILURE
        self._memory.write(block + 4, struct.pack("<I", 0))
        return 0

    def _heap_info(self, pointer: int) -> int:
        """Heap base and limit, stack base and limit: zeros, for "unknown"."""
        self._memory.write(self._words(pointer, 1)[0], bytes(16))
        return 0

    def _elapsed(self, block: int) -> int:
        self._memory.write(block, struct.pack("<Q", self._cycles()))
        return 0

    def _exit(self, reason: int) -> int:
        raise FirmwareExit(0 if reason == APPLICATION_EXIT else 1)

    def _exit_extended(self, block: int) -> int:
        reason, code = self._words(block, 2)
        raise FirmwareExit(code if reason == APPLICATION_EXIT else 1)
