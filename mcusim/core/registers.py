"""Where a Unicorn engine keeps its core registers, found by looking for marker values.

Reading sixteen registers through Unicorn's interface costs more than the block of code that used them. They
lie side by side in the engine's memory, at a place that depends on the build of the library.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import struct
import sys
from collections.abc import Iterator, Sequence

from unicorn import arm_const
from unicorn.unicorn_py3.unicorn import Uc

_COUNT = 13
_HANDLE_BYTES, _TARGET_BYTES = 8 << 10, 64 << 10
_REGISTERS = tuple(arm_const.UC_ARM_REG_R0 + index for index in range(_COUNT))


class _Span(ctypes.Structure):
    """struct iovec"""

    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))


def find(uc: Uc) -> int | None:
    """The host address of R0, with R1 to R15 as 32-bit words behind it; None if it cannot be told.

    The registers keep their values. Only Linux lets a process look at its own memory without the risk of
    a fault, so it is None elsewhere.
    """
    if sys.platform != "linux":
        return None
    saved = [uc.reg_read(register) for register in _REGISTERS]
    try:
        return _search(uc, uc._uch.value or 0)
    finally:
        _write(uc, saved)


def _search(uc: Uc, handle: int) -> int | None:
    """The engine's structure points to its processor's, which holds the registers.

    A copy of the markers elsewhere does not follow when the registers change.
    """
    first, second = _markers(0x9E3779B1), _markers(0x85EBCA6B)
    _write(uc, first)
    for pointer in itertools.chain((handle,), _pointers(_peek(handle, _HANDLE_BYTES))):
        offset = _peek(pointer, _TARGET_BYTES).find(_packed(first))
        if offset < 0:
            continue
        _write(uc, second)
        if _peek(pointer + offset, 4 * _COUNT) == _packed(second):
            return pointer + offset
        _write(uc, first)
    return None


def _markers(factor: int) -> list[int]:
    return [factor * (index + 1) & 0xFFFFFFFF for index in range(_COUNT)]


def _packed(values: Sequence[int]) -> bytes:
    return struct.pack(f"<{_COUNT}I", *values)


def _write(uc: Uc, values: Sequence[int]) -> None:
    for register, value in zip(_REGISTERS, values, strict=True):
        uc.reg_write(register, value)


def _pointers(content: bytes) -> Iterator[int]:
    """Words that may be addresses in this process: aligned, and within the 47 bits of a user's half."""
    size = len(content) // 8 * 8
    for (word,) in struct.iter_unpack("<Q", content[:size]):
        if word % 8 == 0 and 1 << 20 < word < 1 << 47:
            yield word


def _peek(address: int, size: int) -> bytes:
    """Up to ``size`` bytes of this process, as many as are mapped; none rather than a fault."""
    buffer = ctypes.create_string_buffer(size)
    read = ctypes.CDLL(None).process_vm_readv
    read.restype = ctypes.c_ssize_t
    local = _Span(ctypes.addressof(buffer), size)
    remote = _Span(address, size)
    count = read(os.getpid(), ctypes.byref(local), 1, ctypes.byref(remote), 1, 0)
    return buffer.raw[:count] if count > 0 else b""
