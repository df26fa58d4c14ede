"""Vocabulary of the decoder: timing classes, operand fields and the shape of an encoding.

Encodings are data (see ``encodings16``, ``encodings32``, ``encodings_fp``). The Python decoder and the
native one read the same table; the integers below are what the native side receives.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

SP, LR, PC = 13, 14, 15


class Class(enum.IntEnum):
    """What an instruction is to the pipeline."""

    UNKNOWN = 0
    ALU = 1
    MULTIPLY = 2
    DIVIDE = 3
    LOAD = 4
    STORE = 5
    STORE_INDEXED = 6
    LOAD_MANY = 7
    STORE_MANY = 8
    LOAD_PAIR = 9
    STORE_PAIR = 10
    BRANCH = 11
    TABLE_BRANCH = 12
    NOP = 13
    IT = 14
    SYSTEM = 15
    BARRIER = 16
    FP_MOVE = 17
    FP_MOVE_PAIR = 18
    FP_ALU = 19
    FP_MAC = 20
    FP_DIVIDE = 21
    FP_LOAD = 22
    FP_LOAD_DOUBLE = 23
    FP_STORE = 24
    FP_STORE_DOUBLE = 25
    FP_LOAD_MANY = 26
    FP_STORE_MANY = 27


class Branch(enum.IntEnum):
    """How an instruction leaves the straight line."""

    NONE = 0
    DIRECT = 1
    INDIRECT = 2
    CALL = 3
    CALL_INDIRECT = 4
    RETURN = 5
    TABLE = 6


class Flag(enum.IntFlag):
    """Properties of an encoding; the last four are (also) found while decoding."""

    NOTHING = 0
    CONDITION = 1  # carries its own condition: Bcc, CBZ
    SETS_FLAGS = 2
    SETS_FLAGS_OUTSIDE_IT = 4
    SETS_FLAGS_BY_S = 8
    DOUBLE = 16  # floating-point registers are double words
    CONDITIONAL = 32  # may be skipped: CONDITION, or inside an IT block
    LITERAL = 64  # load relative to the program counter
    WRITE_BACK = 128
    SP_DYNAMIC = 256  # writes the stack pointer with a value that the encoding does not tell


class Registers(enum.IntEnum):
    """Where a register list is: the low byte, that and LR or PC by bit 8, 16 bits, or a VFP count."""

    NONE = 0
    LOW8 = 1
    PUSH = 2
    POP = 3
    LIST16 = 4
    SINGLES = 5
    DOUBLES = 6


class WriteBack(enum.IntEnum):
    """When the first address register is written: by bit 21, or if a 16-bit LDM does not load it."""

    NEVER = 0
    ALWAYS = 1
    BIT21 = 2
    UNLESS_LOADED = 3


class Offset(enum.IntEnum):
    """What is added to the stack pointer when it is the register that an encoding moves."""

    NONE = 0
    IMM7_UP = 1
    IMM7_DOWN = 2
    CONST_UP = 3
    CONST_DOWN = 4
    IMM12_UP = 5
    IMM12_DOWN = 6
    IMM8 = 7  # sign in bit 9
    IMM8_WORDS = 8  # sign in bit 23
    LIST_UP = 9
    LIST_DOWN = 10


def low(position: int) -> int:
    """Field code of a 3-bit register number at ``position``."""
    return 0x20 | position


def reg(position: int) -> int:
    """Field code of a 4-bit register number at ``position``."""
    return 0x40 | position


def fixed(register: int) -> int:
    """Field code of a register that the encoding implies."""
    return 0x60 | register


HIGH = 0x80
"""Field code of the 16-bit encodings' full destination register: bit 7 over bits 2 to 0."""

VD, VN, VM = 1, 2, 3
"""Field codes of the floating-point registers Vd:D, Vn:N, Vm:M."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """``word & mask == value`` names the instruction. 32-bit encodings have the first halfword on top.

    ``address`` are the registers that form a memory address, ``write`` the core registers written
    (without base write-back and register lists), ``fp_read`` and ``fp_write`` floating-point registers.
    """

    name: str
    mask: int
    value: int
    kind: Class
    address: tuple[int, ...] = ()
    write: tuple[int, ...] = ()
    fp_read: tuple[int, ...] = ()
    fp_write: tuple[int, ...] = ()
    registers: Registers = Registers.NONE
    write_back: WriteBack = WriteBack.NEVER
    offset: Offset = Offset.NONE
    branch: Branch = Branch.NONE
    flags: Flag = Flag.NOTHING
