"""The decoder against capstone: which encodings exist, their size, names, written and address registers."""

from __future__ import annotations

import random
from functools import cache

import capstone
import pytest
from capstone import arm

from mcusim.timing.decode import ENCODINGS32, Instruction, decode_one, instruction_size
from mcusim.timing.isa import LR, PC, SP, Class

ADDRESS = 0x1000
_ACCESSES = {
    Class.LOAD,
    Class.STORE,
    Class.STORE_INDEXED,
    Class.LOAD_PAIR,
    Class.STORE_PAIR,
    Class.FP_LOAD,
    Class.FP_STORE,
    Class.FP_LOAD_DOUBLE,
    Class.FP_STORE_DOUBLE,
}
_MULTIPLES = {Class.LOAD_MANY, Class.STORE_MANY}
_CAPSTONE_WRITES_UNRELIABLY = frozenset(
    "cps strex strexb strexh vmov vmrs mrs svc stmdb strt strbt strht".split()  # noqa: SIM905
)
"""Capstone 5 gives wrong lists of written registers for these: no base of STMDB, STRT's source, and so on."""


@cache
def _disassembler() -> capstone.Cs:
    disassembler = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    disassembler.detail = True
    return disassembler


def _reference(code: bytes) -> capstone.CsInsn | None:
    found = next(_disassembler().disasm(code, ADDRESS, 1), None)
    return found if found is not None and found.size == len(code) else None


@cache
def _number(register: int) -> int | None:
    """Number of a core register by capstone's identifier, None for another."""
    name = _disassembler().reg_name(register)
    special = {"sb": 9, "sl": 10, "fp": 11, "ip": 12, "sp": SP, "lr": LR, "pc": PC}
    if name in special:
        return special[name]
    return int(name[1:]) if name.startswith("r") and name[1:].isdigit() else None


def _mask(registers: list[int]) -> int:
    numbers = {_number(register) for register in registers}
    return sum(1 << number for number in numbers if number is not None)


def _check_registers(mine: Instruction, reference: capstone.CsInsn) -> None:
    text = f"{reference.bytes.hex()} {reference.mnemonic} {reference.op_str}"
    if mine.branch == 0 and mine.name not in _CAPSTONE_WRITES_UNRELIABLY:
        assert mine.writes == _mask(reference.regs_access()[1]), text
    if mine.kind in _ACCESSES:
        memory = [o.mem for o in reference.operands if o.type == arm.ARM_OP_MEM]
        expected = _mask([r for m in memory for r in (m.base, m.index) if r])
        assert mine.address_registers == expected, text
    if mine.kind in _MULTIPLES:
        implied = 1 if reference.mnemonic.split(".")[0] in ("push", "pop") else 0
        assert mine.count == len(reference.operands) - 1 + implied, text


def _narrow() -> list[bytes]:
    return [h.to_bytes(2, "little") for h in range(0x10000) if instruction_size(h) == 2]


def _meaningless(code: bytes) -> bool:
    """16-bit forms on whose reserved bits or empty lists the two disagree, all UNPREDICTABLE."""
    word = int.from_bytes(code, "little")
    empty_list = word & 0xF0FF == 0xC000 or word in (0xB400, 0xBC00)
    branch_exchange = word >> 8 == 0x47 and word & 7 != 0
    return empty_list or branch_exchange or word & 0xFFE8 == 0xB660 or word == 0xDEF9


def test_every_narrow_encoding() -> None:
    for code in _narrow():
        if _meaningless(code):
            continue
        mine, reference = decode_one(code, ADDRESS), _reference(code)
        assert (mine.kind is Class.UNKNOWN) == (reference is None), code.hex()
        if reference is not None:
            assert mine.size == reference.size
            _check_registers(mine, reference)


def _predictable(word: int) -> bool:
    """Leave out stores of a multiple that hold their base, SP or PC, and PC or SP as operands."""
    return all(word >> position & 15 not in (SP, PC) for position in (0, 8, 12, 16))


@pytest.mark.parametrize("encoding", ENCODINGS32, ids=lambda e: f"{e.name}-{e.value:08x}")
def test_samples_of_every_wide_encoding(encoding: object) -> None:
    row = next(e for e in ENCODINGS32 if e is encoding)
    choose = random.Random(row.value)
    seen = 0
    for sample in range(24):
        free = choose.getrandbits(32) & (choose.getrandbits(32) if sample % 2 else sample)
        word = free & ~row.mask | row.value
        code = (word >> 16).to_bytes(2, "little") + (word & 0xFFFF).to_bytes(2, "little")
        reference = _reference(code)
        if reference is None or not _predictable(word & ~row.mask):
            continue
        mine = decode_one(code, ADDRESS)
        assert mine.kind is not Class.UNKNOWN
        assert mine.size == 4
        _check_registers(mine, reference)
        seen += 1
    assert seen
