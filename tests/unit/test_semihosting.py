"""Semihosting operations against their parameter blocks in SRAM."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from mcusim import chips
from mcusim.machine import engine
from mcusim.machine.memory import Memory
from mcusim.machine.semihosting import (
    APPLICATION_EXIT,
    FAILURE,
    FirmwareExit,
    Operation,
    Semihosting,
)

BLOCK, TEXT = 0x2000_0000, 0x2000_0100


class Host:
    def __init__(self) -> None:
        self.memory = Memory(engine.create(), chips.load("stm32f412zg"))
        self.console: list[str] = []
        self.warnings: list[str] = []
        self.serve = Semihosting(
            self.memory, lambda: 250_000_000, 100_000_000, self.console.append, self.warnings.append
        )

    def call(self, operation: int, *words: int) -> int:
        self.memory.write(BLOCK, struct.pack(f"<{len(words)}I", *words))
        return self.serve.call(operation, BLOCK)

    def put(self, raw: bytes) -> int:
        self.memory.write(TEXT, raw)
        return len(raw)


def test_console_handles() -> None:
    host = Host()
    length = host.put(b":tt")
    handles = [host.call(Operation.OPEN, TEXT, mode, length) for mode in (0, 4, 8)]
    assert handles == [1, 2, 3]
    assert [host.call(Operation.ISTTY, handle) for handle in (*handles, 9)] == [1, 1, 1, 0]
    length = host.put(b"words")
    assert host.call(Operation.WRITE, 2, TEXT, length) == 0
    assert host.call(Operation.WRITE, 1, TEXT, length) == length
    assert host.call(Operation.WRITE, 2, 0x3000_0000, length) == length
    assert host.console == ["words"]


def test_characters_of_several_bytes_arrive_whole() -> None:
    host = Host()
    for byte in "µs".encode():
        host.put(bytes([byte]))
        host.serve.call(Operation.WRITEC, TEXT)
    assert host.console == ["µ", "s"]


def test_feature_bits() -> None:
    host = Host()
    handle = host.call(Operation.OPEN, TEXT, 0, host.put(b":semihosting-features"))
    assert host.call(Operation.FLEN, handle) == 5
    assert host.call(Operation.READ, handle, TEXT, 4) == 0
    assert host.memory.read(TEXT, 4) == b"SHFB"
    assert host.call(Operation.READ, handle, TEXT, 4) == 3
    assert host.memory.read(TEXT, 1) == b"\x03"
    assert host.call(Operation.SEEK, handle, 1) == 0
    host.call(Operation.READ, handle, TEXT, 1)
    assert host.memory.read(TEXT, 1) == b"H"


def test_time_is_simulated_time() -> None:
    host = Host()
    assert host.call(Operation.CLOCK) == 250
    assert host.call(Operation.TIME) == 2
    assert host.call(Operation.TICKFREQ) == 100_000_000
    assert host.call(Operation.ELAPSED, 0, 0) == 0
    assert host.memory.read(BLOCK, 8) == struct.pack("<Q", 250_000_000)


def test_no_files_no_input_no_arguments() -> None:
    host = Host()
    assert host.call(Operation.OPEN, TEXT, 0, host.put(b"secrets.txt")) == FAILURE
    assert host.warnings == ["the firmware opens the file 'secrets.txt', which fails"]
    assert host.call(Operation.READ, 1, TEXT, 10) == 10
    assert host.call(Operation.GET_CMDLINE, TEXT, 10) == 0
    assert host.memory.read(TEXT, 1) == b"\0"
    assert host.memory.read(BLOCK, 8) == struct.pack("<II", TEXT, 0)
    host.memory.write(TEXT, b"\xff" * 16)
    assert host.call(Operation.HEAPINFO, TEXT) == 0
    assert host.memory.read(TEXT, 16) == bytes(16)


def test_unknown_operation() -> None:
    host = Host()
    assert host.call(0x77) == FAILURE
    assert "0x77" in host.warnings[0]


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        (lambda host: host.serve.call(Operation.EXIT, APPLICATION_EXIT), 0),
        (lambda host: host.serve.call(Operation.EXIT, 0x2_0023), 1),
        (lambda host: host.call(Operation.EXIT_EXTENDED, APPLICATION_EXIT, 42), 42),
        (lambda host: host.call(Operation.EXIT_EXTENDED, 0x2_0023, 42), 1),
    ],
)
def test_exit(ending: Callable[[Host], int], code: int) -> None:
    with pytest.raises(FirmwareExit) as caught:
        ending(Host())
    assert caught.value.code == code
