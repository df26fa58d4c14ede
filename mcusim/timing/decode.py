"""Thumb-2 decoder: bytes of a straight line of code to what the pipeline model needs of each instruction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from mcusim.timing import encodings16, encodings32, encodings_fp
from mcusim.timing.isa import (
    HIGH,
    LR,
    PC,
    SP,
    Branch,
    Class,
    Encoding,
    Flag,
    Offset,
    Registers,
    WriteBack,
)

ENCODINGS16: Sequence[Encoding] = tuple(encodings16.encodings())
ENCODINGS32: Sequence[Encoding] = (*encodings_fp.encodings(), *encodings32.encodings())
_OF_ENCODING = Flag.CONDITION | Flag.SETS_FLAGS | Flag.SP_DYNAMIC


@dataclass(frozen=True, slots=True)
class Instruction:
    """One decoded instruction.

    Register sets are bit masks (bit n: Rn, or Sn for floating point). ``base`` is the register that a
    base write-back changes, -1 for none. ``count`` is the number of words a multiple access moves.
    ``sp_delta`` is what the instruction adds to the stack pointer, in bytes (0 with Flag.SP_DYNAMIC).
    ``it_length`` is the number of instructions that an IT covers. ``outcome`` is what a division did in one
    pass (see ``mcusim.timing.outcomes``).
    """

    address: int
    size: int
    name: str
    kind: Class
    address_registers: int = 0
    writes: int = 0
    fp_reads: int = 0
    fp_writes: int = 0
    base: int = -1
    count: int = 0
    branch: Branch = Branch.NONE
    flags: Flag = Flag.NOTHING
    sp_delta: int = 0
    it_length: int = 0
    outcome: int = 0

    @property
    def end(self) -> int:
        """Address behind the instruction."""
        return self.address + self.size

    @property
    def wide_unaligned(self) -> bool:
        """A 32-bit instruction that is not word aligned."""
        return self.size == 4 and self.address & 2 != 0


def instruction_size(halfword: int) -> int:
    """Bytes of the instruction that starts with ``halfword`` (DDI 0403E, A5.1)."""
    return 4 if halfword >> 11 in (0b11101, 0b11110, 0b11111) else 2


def _core_register(word: int, field: int) -> int:
    kind, position = field & 0xE0, field & 0x1F
    if kind == 0x20:
        return word >> position & 7
    if kind == 0x40:
        return word >> position & 15
    if field == HIGH:
        return word >> 4 & 8 | word & 7
    return position


def _core_mask(word: int, fields: Sequence[int]) -> int:
    mask = 0
    for field in fields:
        mask |= 1 << _core_register(word, field)
    return mask


def _fp_register(word: int, field: int, double: bool) -> int:
    """Bit mask over S0 to S31; a double word register covers two."""
    low_position, high_position = {1: (22, 12), 2: (7, 16), 3: (5, 0)}[field]
    extra, number = word >> low_position & 1, word >> high_position & 15
    if double:
        return 3 << (2 * number) if not extra else 0
    return 1 << (2 * number + extra)


def _fp_mask(word: int, encoding: Encoding, fields: Sequence[int]) -> int:
    """A pair transfer names S(m) and S(m+1) by the first; coprocessor 11 names a double word."""
    mask = 0
    for field in fields:
        if encoding.kind is Class.FP_MOVE_PAIR and word & 0x100 == 0:
            single = _fp_register(word, field, double=False)
            mask |= single | single << 1
        else:
            mask |= _fp_register(word, field, bool(encoding.flags & Flag.DOUBLE))
    return mask & 0xFFFFFFFF


def _register_list(word: int, registers: Registers) -> tuple[int, int]:
    """Mask of core registers in the list (0 for floating point) and the number of words moved."""
    match registers:
        case Registers.LOW8:
            mask = word & 0xFF
        case Registers.PUSH:
            mask = word & 0xFF | (word >> 8 & 1) << LR
        case Registers.POP:
            mask = word & 0xFF | (word >> 8 & 1) << PC
        case Registers.LIST16:
            mask = word & 0xFFFF
        case Registers.SINGLES:
            return 0, word & 0xFF
        case Registers.DOUBLES:
            return 0, word & 0xFE
        case _:
            return 0, 0
    return mask, mask.bit_count()


def _fp_list(word: int, registers: Registers, count: int) -> int:
    first = word >> 12 & 15
    if registers is Registers.SINGLES:
        return ((1 << count) - 1) << (2 * first + (word >> 22 & 1)) & 0xFFFFFFFF
    if registers is Registers.DOUBLES:
        return ((1 << count) - 1) << (2 * first) & 0xFFFFFFFF
    return 0


def expand_immediate(word: int) -> int:
    """ThumbExpandImm (DDI 0403E, A5.3.2) of a 32-bit encoding with i:imm3:imm8."""
    code = word >> 15 & 0x800 | word >> 4 & 0x700 | word & 0xFF
    if code >> 10 == 0:
        value = code & 0xFF
        return (value, value << 16 | value, value << 24 | value << 8, value * 0x01010101)[code >> 8 & 3]
    rotation, value = code >> 7, 0x80 | code & 0x7F
    return (value >> rotation | value << (32 - rotation)) & 0xFFFFFFFF


def _sp_offset(word: int, offset: Offset, count: int) -> int | None:
    """Bytes added to the stack pointer, None if the encoding does not tell."""
    match offset:
        case Offset.IMM7_UP | Offset.IMM7_DOWN:
            size = (word & 0x7F) * 4
        case Offset.CONST_UP | Offset.CONST_DOWN:
            size = expand_immediate(word)
        case Offset.IMM12_UP | Offset.IMM12_DOWN:
            size = word >> 15 & 0x800 | word >> 4 & 0x700 | word & 0xFF
        case Offset.IMM8:
            return word & 0xFF if word & 0x200 else -(word & 0xFF)
        case Offset.IMM8_WORDS:
            return (word & 0xFF) * 4 if word & 0x800000 else -(word & 0xFF) * 4
        case Offset.LIST_UP | Offset.LIST_DOWN:
            size = count * 4
        case _:
            return None
    down = offset in (Offset.IMM7_DOWN, Offset.CONST_DOWN, Offset.IMM12_DOWN, Offset.LIST_DOWN)
    return -size if down else size


def _written_base(word: int, encoding: Encoding, listed: int) -> int:
    match encoding.write_back:
        case WriteBack.NEVER:
            return -1
        case WriteBack.BIT21 if not word >> 21 & 1:
            return -1
        case _:
            base = _core_register(word, encoding.address[0])
    if encoding.write_back is WriteBack.UNLESS_LOADED and listed >> base & 1:
        return -1
    return base


def _branch(word: int, encoding: Encoding, writes: int) -> Branch:
    """Writing the program counter is a branch: a return if the value comes from LR or the stack."""
    if encoding.branch is not Branch.NONE or not writes >> PC & 1:
        return encoding.branch
    if encoding.address:
        from_stack = _core_register(word, encoding.address[0]) == SP
        return Branch.RETURN if from_stack else Branch.INDIRECT
    return Branch.RETURN if word == 0x46F7 else Branch.INDIRECT


def _flags(encoding: Encoding, word: int, in_it: bool) -> Flag:
    flags = encoding.flags & _OF_ENCODING
    if encoding.flags & Flag.SETS_FLAGS_OUTSIDE_IT and not in_it:
        flags |= Flag.SETS_FLAGS
    if encoding.flags & Flag.SETS_FLAGS_BY_S and word >> 20 & 1:
        flags |= Flag.SETS_FLAGS
    if in_it or encoding.flags & Flag.CONDITION:
        flags |= Flag.CONDITIONAL
    return flags


def _build(address: int, size: int, word: int, encoding: Encoding, in_it: bool) -> Instruction:
    listed, count = _register_list(word, encoding.registers)
    loads = encoding.kind is Class.LOAD_MANY
    writes = _core_mask(word, encoding.write) | (listed if loads else 0)
    base = _written_base(word, encoding, listed)
    if base >= 0:
        writes |= 1 << base
    address_registers = _core_mask(word, encoding.address)
    fp_listed = _fp_list(word, encoding.registers, count)
    fp_loads = encoding.kind is Class.FP_LOAD_MANY
    flags = _flags(encoding, word, in_it)
    if base >= 0:
        flags |= Flag.WRITE_BACK
    if encoding.kind is Class.LOAD and address_registers >> PC & 1:
        flags |= Flag.LITERAL
    delta = 0
    if writes >> SP & 1:
        moved = _sp_offset(word, encoding.offset, count)
        if moved is None or in_it:
            flags |= Flag.SP_DYNAMIC
        else:
            delta = moved
    return Instruction(
        address,
        size,
        encoding.name,
        encoding.kind,
        address_registers,
        writes,
        _fp_mask(word, encoding, encoding.fp_read) | (0 if fp_loads else fp_listed),
        _fp_mask(word, encoding, encoding.fp_write) | (fp_listed if fp_loads else 0),
        base,
        count,
        _branch(word, encoding, writes),
        flags,
        delta,
        4 - ((word & -word).bit_length() - 1) if encoding.kind is Class.IT else 0,
    )


@lru_cache(maxsize=1 << 16)
def find_encoding(word: int, size: int) -> Encoding | None:
    """The first encoding that matches ``word`` (32-bit: first halfword on top), None if there is none."""
    for encoding in ENCODINGS16 if size == 2 else ENCODINGS32:
        if word & encoding.mask == encoding.value:
            return encoding
    return None


def decode_one(code: bytes | memoryview, address: int, in_it: bool = False) -> Instruction:
    """Decode the instruction at the start of ``code``; kind UNKNOWN if there is no such encoding."""
    word = int.from_bytes(code[:2], "little")
    size = instruction_size(word)
    if size == 4:
        word = word << 16 | int.from_bytes(code[2:4], "little")
    encoding = find_encoding(word, size) if len(code) >= size else None
    if encoding is None:
        return Instruction(address, size, "unknown", Class.UNKNOWN)
    return _build(address, size, word, encoding, in_it)


def decode_run(code: bytes | memoryview, start: int) -> list[Instruction]:
    """Decode ``code``, the bytes of a linear run that starts at ``start``, following IT blocks."""
    instructions = []
    position = pending = 0
    while position + 2 <= len(code):
        instruction = decode_one(code[position : position + 4], start + position, pending > 0)
        pending = instruction.it_length or max(0, pending - 1)
        instructions.append(instruction)
        position += instruction.size
    return instructions
