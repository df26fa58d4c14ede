"""Every form of memory access against Capstone: registers, offset, shift and write-back."""

from __future__ import annotations

import random
from collections.abc import Iterator

import capstone
import pytest
from capstone import arm

from mcusim.timing.addressing import ACCESSES16, ACCESSES32, AccessEncoding, decode_access
from mcusim.timing.decode import decode_one
from mcusim.timing.isa import Class

SAMPLES = 200
SIZES = {"b": 1, "h": 2, "d": 8}
REGISTERS = {getattr(arm, f"ARM_REG_R{n}"): n for n in range(13)} | {
    arm.ARM_REG_SP: 13,
    arm.ARM_REG_LR: 14,
    arm.ARM_REG_PC: 15,
}


def _engine() -> capstone.Cs:
    engine = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    engine.detail = True
    return engine


def _samples(rows: tuple[AccessEncoding, ...], size: int) -> Iterator[tuple[bytes, capstone.CsInsn]]:
    """Random instructions of every row that both decoders know."""
    generator, engine = random.Random(size), _engine()
    full = (1 << 8 * size) - 1
    for row in rows:
        for _ in range(SAMPLES):
            word = row.value | generator.getrandbits(8 * size) & ~row.mask & full
            halves = (word,) if size == 2 else (word >> 16, word & 0xFFFF)
            code = b"".join(half.to_bytes(2, "little") for half in halves)
            found = next(engine.disasm(code, 0x1000, 1), None)
            if (
                found is not None
                and found.size == size
                and decode_one(code, 0x1000).kind is not Class.UNKNOWN
            ):
                yield code, found


def _is_unpredictable(code: bytes) -> bool:
    """Byte and halfword loads to PC, and loads over their own base with write-back (Arm DDI 0403E, A7.7)."""
    access = decode_access(code)
    if access is None:
        return True
    return not access.store and access.write_back == 0 and access.base in access.targets


@pytest.mark.parametrize(("rows", "size"), [(ACCESSES16, 2), (ACCESSES32, 4)], ids=["narrow", "wide"])
def test_address_of_single_accesses(rows: tuple[AccessEncoding, ...], size: int) -> None:
    checked = 0
    for code, found in _samples(rows, size):
        operands = [operand for operand in found.operands if operand.type == arm.ARM_OP_MEM]
        if not operands or _is_unpredictable(code):
            continue
        access, memory = decode_access(code), operands[0].mem
        assert access is not None
        text = f"{found.mnemonic} {found.op_str}"
        assert access.base == REGISTERS[memory.base], text
        assert access.index == REGISTERS.get(memory.index, -1), text
        if access.index >= 0:
            assert access.shift == (memory.lshift or operands[0].shift.value), text
        post_indexed = access.write_back and not access.offset
        assert post_indexed or access.offset == memory.disp, text
        assert not access.write_back or found.writeback, text
        checked += 1
    assert checked > 10 * len(rows)


def test_sizes_and_directions() -> None:
    for code, found in _samples(tuple(ACCESSES32), 4):
        mnemonic, access = found.mnemonic.split(".")[0], decode_access(code)
        if access is None or not mnemonic.startswith(("ldr", "str")):
            continue
        kind = mnemonic[3:].removeprefix("ex").removeprefix("s").removesuffix("t")
        assert access.store == mnemonic.startswith("str")
        assert access.bytes == SIZES.get(kind, 4), mnemonic
        assert access.signed == mnemonic[3:].startswith("s")


def test_register_lists() -> None:
    checked = 0
    for rows, size in ((ACCESSES16, 2), (ACCESSES32, 4)):
        for code, found in _samples(tuple(rows), size):
            mnemonic, access = found.mnemonic.split(".")[0], decode_access(code)
            if access is None or not mnemonic.startswith(("ldm", "stm", "push", "pop")):
                continue
            has_base = not mnemonic.startswith(("push", "pop"))
            listed = [REGISTERS[operand.reg] for operand in found.operands][int(has_base) :]
            assert access.bytes == 4 * len(listed)
            assert access.targets == (() if access.store else tuple(listed))
            down = mnemonic.startswith("push") or mnemonic.endswith("db")
            assert access.offset == (-access.bytes if down else 0)
            assert abs(access.write_back) in (0, access.bytes)
            checked += 1
    assert checked > 100


def test_hints_access_nothing() -> None:
    for text in (b"\x91\xf8\x10\xf0", b"\x11\xf9\x00\xf0"):  # pld [r1, #16]; pli [r1, r0]
        assert decode_access(text) is None
