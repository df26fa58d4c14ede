"""Which bytes of memory an instruction reads or writes, as data and as a decoder.

One table of addressing forms, next to the timing encodings, that the Python decoder below and the native
one both read. Source: Arm DDI 0403E, sections A5.2 to A5.3, A6.5 and the instructions' own pages in A7.7.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from mcusim.timing.decode import instruction_size
from mcusim.timing.isa import LR, PC, SP, Registers, fixed, low, reg

__all__ = ["ACCESSES16", "ACCESSES32", "Access", "AccessEncoding", "Form", "decode_access"]


class Form(enum.IntEnum):
    """Where the offset from the base register is, and what happens to that register."""

    BASE = 0  # no offset
    INDEX = 1  # a register
    INDEX_SHIFTED = 2  # a register, shifted left by bits 5 and 4
    INDEX_DOUBLED = 3  # a register, shifted left by one
    IMM5 = 4  # bits 10 to 6, in units of the access
    IMM8_WORDS = 5  # bits 7 to 0, in words
    IMM12 = 6  # bits 11 to 0
    IMM12_SIGNED = 7  # the same, down unless bit 23
    IMM8_MODES = 8  # bits 7 to 0; bit 10: before the access, bit 9: up, bit 8: write back
    WORDS_MODES = 9  # the same in words, by bits 24, 23 and 21
    LIST_UP = 10  # the base is the lowest address; written back by bit 21
    LIST_DOWN = 11  # the base is behind the highest address; written back by bit 21
    LIST_UP_WRITTEN = 12  # always written back, unless it is in the list of a load
    LIST_DOWN_WRITTEN = 13  # always written back


@dataclass(frozen=True, slots=True)
class AccessEncoding:
    """``word & mask == value`` names the access; words and field codes as in ``isa.Encoding``.

    ``unit`` is the size of one element in bytes, ``count`` the number of elements unless a register list
    tells. ``targets`` are the core registers that a load fills, lowest address first, without lists. An
    address that is not aligned always faults with ``aligned`` (A3.2.1).
    """

    mask: int
    value: int
    store: bool
    unit: int
    form: Form
    base: int
    index: int = 0
    targets: tuple[int, ...] = ()
    count: int = 1
    registers: Registers = Registers.NONE
    signed: bool = False
    exclusive: bool = False
    aligned: bool = False


@dataclass(frozen=True, slots=True)
class Access:
    """``count`` elements of ``unit`` bytes, from address base + (index << shift) + offset upwards.

    ``index`` is -1 for none; a base of PC is the word-aligned address of the instruction plus four.
    ``write_back`` is added to the base register afterwards. ``targets`` are the core registers that a load
    fills, lowest address first; ``status`` is the register that an exclusive store sets to 0 if it stores,
    else -1. ``aligned``: the address must be a multiple of ``unit``.
    """

    store: bool
    unit: int
    count: int
    base: int
    index: int = -1
    shift: int = 0
    offset: int = 0
    write_back: int = 0
    targets: tuple[int, ...] = ()
    signed: bool = False
    status: int = -1
    aligned: bool = False

    @property
    def bytes(self) -> int:
        """Bytes read or written, without a gap."""
        return self.unit * self.count


_RN, _RT, _RD, _RM = reg(16), reg(12), reg(8), reg(0)
_SP, _PC = fixed(SP), fixed(PC)


def _narrow() -> list[AccessEncoding]:
    """A5.2.4 to A5.2.6, A5.2.9 and A5.2.10."""
    rows = []
    indexed = [(True, 4), (True, 2), (True, 1), (False, -1), (False, 4), (False, 2), (False, 1), (False, -2)]
    for op, (store, unit) in enumerate(indexed):
        targets = () if store else (low(0),)
        value = 0x5000 | op << 9
        rows.append(
            AccessEncoding(
                0xFE00, value, store, abs(unit), Form.INDEX, low(3), low(6), targets, signed=unit < 0
            )
        )
    for value, unit in ((0x6000, 4), (0x7000, 1), (0x8000, 2)):
        rows.append(AccessEncoding(0xF800, value, True, unit, Form.IMM5, low(3)))
        rows.append(AccessEncoding(0xF800, value | 0x800, False, unit, Form.IMM5, low(3), targets=(low(0),)))
    words, up, down = Form.IMM8_WORDS, Form.LIST_UP_WRITTEN, Form.LIST_DOWN_WRITTEN
    rows += [
        AccessEncoding(0xF800, 0x4800, False, 4, words, _PC, targets=(low(8),)),
        AccessEncoding(0xF800, 0x9000, True, 4, words, _SP),
        AccessEncoding(0xF800, 0x9800, False, 4, words, _SP, targets=(low(8),)),
        AccessEncoding(0xFE00, 0xB400, True, 4, down, _SP, registers=Registers.PUSH, aligned=True),
        AccessEncoding(0xFE00, 0xBC00, False, 4, up, _SP, registers=Registers.POP, aligned=True),
        AccessEncoding(0xF800, 0xC000, True, 4, up, low(8), registers=Registers.LOW8, aligned=True),
        AccessEncoding(0xF800, 0xC800, False, 4, up, low(8), registers=Registers.LOW8, aligned=True),
    ]
    return rows


def _multiples() -> list[AccessEncoding]:
    """A5.3.5."""
    many = Registers.LIST16
    return [
        AccessEncoding(0xFFD00000, 0xE8800000, True, 4, Form.LIST_UP, _RN, registers=many, aligned=True),
        AccessEncoding(0xFFD00000, 0xE8900000, False, 4, Form.LIST_UP, _RN, registers=many, aligned=True),
        AccessEncoding(0xFFD00000, 0xE9000000, True, 4, Form.LIST_DOWN, _RN, registers=many, aligned=True),
        AccessEncoding(0xFFD00000, 0xE9100000, False, 4, Form.LIST_DOWN, _RN, registers=many, aligned=True),
    ]


def _pairs_exclusives_tables() -> list[AccessEncoding]:
    """A5.3.6; a table branch reads its table."""
    base, words = Form.BASE, Form.IMM8_WORDS
    rows = [
        AccessEncoding(0xFFF0FFF0, 0xE8D0F000, False, 1, Form.INDEX, _RN, _RM),
        AccessEncoding(0xFFF0FFF0, 0xE8D0F010, False, 2, Form.INDEX_DOUBLED, _RN, _RM),
        AccessEncoding(
            0xFFF00000, 0xE8400000, True, 4, words, _RN, targets=(_RD,), exclusive=True, aligned=True
        ),
        AccessEncoding(0xFFF00F00, 0xE8500F00, False, 4, words, _RN, targets=(_RT,), aligned=True),
    ]
    for bits, unit in ((0x40, 1), (0x50, 2)):
        stored, loaded = 0xE8C00F00 | bits, 0xE8D00F0F | bits
        rows.append(
            AccessEncoding(
                0xFFF00FF0, stored, True, unit, base, _RN, targets=(_RM,), exclusive=True, aligned=True
            )
        )
        rows.append(AccessEncoding(0xFFF00FFF, loaded, False, unit, base, _RN, targets=(_RT,), aligned=True))
    for value in (0xE8600000, 0xE9400000, 0xE9600000):
        modes = Form.WORDS_MODES
        rows.append(AccessEncoding(0xFF700000, value, True, 4, modes, _RN, count=2, aligned=True))
        value, pair = value | 0x100000, (_RT, _RD)
        rows.append(
            AccessEncoding(0xFF700000, value, False, 4, modes, _RN, targets=pair, count=2, aligned=True)
        )
    return rows


def _singles() -> list[AccessEncoding]:
    """A5.3.7 to A5.3.10."""
    rows = []
    for store, value, unit in (
        (True, 0xF8000000, 1),
        (True, 0xF8200000, 2),
        (True, 0xF8400000, 4),
        (False, 0xF8100000, 1),
        (False, 0xF8300000, 2),
        (False, 0xF8500000, 4),
        (False, 0xF9100000, -1),
        (False, 0xF9300000, -2),
    ):
        size, signed, to = abs(unit), unit < 0, () if store else (_RT,)
        if not store:
            literal = value | 0xF0000
            rows.append(
                AccessEncoding(0xFF7F0000, literal, store, size, Form.IMM12_SIGNED, _PC, 0, to, signed=signed)
            )
        for mask, bits, form, index in (
            (0xFFF00FC0, 0, Form.INDEX_SHIFTED, _RM),
            (0xFFF00000, 0x800000, Form.IMM12, 0),
            (0xFFF00800, 0x800, Form.IMM8_MODES, 0),
        ):
            rows.append(AccessEncoding(mask, value | bits, store, size, form, _RN, index, to, signed=signed))
    return rows


def _floating_point() -> list[AccessEncoding]:
    """A6.5: VLDR and VSTR, then the multiples."""
    rows = []
    for bits, count, registers in ((0xA00, 1, Registers.SINGLES), (0xB00, 2, Registers.DOUBLES)):
        for store, load_bit in ((True, 0), (False, 0x100000)):
            value = 0xED000000 | bits | load_bit
            rows.append(
                AccessEncoding(0xFF300F00, value, store, 4, Form.WORDS_MODES, _RN, count=count, aligned=True)
            )
            for mask, start, form in (
                (0xFF900F00, 0xEC800000, Form.LIST_UP),
                (0xFFB00F00, 0xED200000, Form.LIST_DOWN),
            ):
                value = start | bits | load_bit
                rows.append(
                    AccessEncoding(mask, value, store, 4, form, _RN, registers=registers, aligned=True)
                )
    return rows


ACCESSES16: Sequence[AccessEncoding] = tuple(_narrow())
ACCESSES32: Sequence[AccessEncoding] = (
    *_multiples(),
    *_pairs_exclusives_tables(),
    *_singles(),
    *_floating_point(),
)


def _register(word: int, field: int) -> int:
    kind, position = field & 0xE0, field & 0x1F
    if kind == 0x20:
        return word >> position & 7
    return word >> position & 15 if kind == 0x40 else position


def _list(word: int, registers: Registers) -> tuple[tuple[int, ...], int]:
    """Core registers in ascending order, and the number of words."""
    if registers is Registers.SINGLES:
        return (), word & 0xFF
    if registers is Registers.DOUBLES:
        return (), word & 0xFE
    mask = word & (0xFFFF if registers is Registers.LIST16 else 0xFF)
    if registers in (Registers.PUSH, Registers.POP):
        mask |= (word >> 8 & 1) << (LR if registers is Registers.PUSH else PC)
    listed = tuple(register for register in range(16) if mask >> register & 1)
    return listed, len(listed)


def _modes(offset: int, before: int, up: int, back: int) -> tuple[int, int]:
    """Offset of the access and what is added to the base, from the bits P, U and W."""
    moved = offset if up else -offset
    return (moved if before else 0), (moved if back or not before else 0)


def _offsets(word: int, row: AccessEncoding, size: int) -> tuple[int, int]:
    """Offset of the lowest byte from the base, and what is added to the base."""
    imm8, imm12 = word & 0xFF, word & 0xFFF
    match row.form:
        case Form.IMM5:
            return (word >> 6 & 31) * row.unit, 0
        case Form.IMM8_WORDS:
            return imm8 * 4, 0
        case Form.IMM12:
            return imm12, 0
        case Form.IMM12_SIGNED:
            return (imm12 if word >> 23 & 1 else -imm12), 0
        case Form.IMM8_MODES:
            return _modes(imm8, word >> 10 & 1, word >> 9 & 1, word >> 8 & 1)
        case Form.WORDS_MODES:
            return _modes(imm8 * 4, word >> 24 & 1, word >> 23 & 1, word >> 21 & 1)
        case Form.LIST_UP | Form.LIST_UP_WRITTEN:
            return 0, size if row.form is Form.LIST_UP_WRITTEN or word >> 21 & 1 else 0
        case Form.LIST_DOWN | Form.LIST_DOWN_WRITTEN:
            return -size, -size if row.form is Form.LIST_DOWN_WRITTEN or word >> 21 & 1 else 0
        case _:
            return 0, 0


def _shift(word: int, form: Form) -> int:
    if form is Form.INDEX_SHIFTED:
        return word >> 4 & 3
    return 1 if form is Form.INDEX_DOUBLED else 0


def _build(word: int, row: AccessEncoding) -> Access | None:
    listed, count = _list(word, row.registers) if row.registers else ((), row.count)
    base = _register(word, row.base)
    targets = tuple(_register(word, field) for field in row.targets)
    if not row.store and row.unit < 4 and PC in targets:
        return None  # a memory hint
    offset, write_back = _offsets(word, row, row.unit * count)
    if not row.store:
        targets += listed
    if base in targets and not row.store:
        write_back = 0
    return Access(
        row.store,
        row.unit,
        count,
        base,
        _register(word, row.index) if row.index else -1,
        _shift(word, row.form),
        offset,
        write_back,
        () if row.store else targets,
        row.signed,
        targets[0] if row.exclusive else -1,
        row.aligned,
    )


@lru_cache(maxsize=1 << 16)
def _find(word: int, size: int) -> Access | None:
    for row in ACCESSES16 if size == 2 else ACCESSES32:
        if word & row.mask == row.value:
            return _build(word, row)
    return None


def decode_access(code: bytes | memoryview) -> Access | None:
    """The access of the instruction at the start of ``code``, None if it makes none."""
    word = int.from_bytes(code[:2], "little")
    size = instruction_size(word)
    if len(code) < size:
        return None
    return _find(word << 16 | int.from_bytes(code[2:4], "little") if size == 4 else word, size)
