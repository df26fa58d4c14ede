"""The 16-bit Thumb encodings of ARMv7-M. Source: Arm DDI 0403E, section A5.2."""

from __future__ import annotations

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
    fixed,
    low,
)

_S = Flag.SETS_FLAGS_OUTSIDE_IT


def _alu(name: str, mask: int, value: int, rd: int, flags: Flag = _S) -> Encoding:
    return Encoding(name, mask, value, Class.ALU, write=(rd,), flags=flags)


def _shift_add_move_compare() -> list[Encoding]:
    """A5.2.1."""
    return [
        _alu("lsl", 0xF800, 0x0000, low(0)),
        _alu("lsr", 0xF800, 0x0800, low(0)),
        _alu("asr", 0xF800, 0x1000, low(0)),
        _alu("add", 0xFE00, 0x1800, low(0)),
        _alu("sub", 0xFE00, 0x1A00, low(0)),
        _alu("add", 0xFE00, 0x1C00, low(0)),
        _alu("sub", 0xFE00, 0x1E00, low(0)),
        _alu("mov", 0xF800, 0x2000, low(8)),
        Encoding("cmp", 0xF800, 0x2800, Class.ALU, flags=Flag.SETS_FLAGS),
        _alu("add", 0xF800, 0x3000, low(8)),
        _alu("sub", 0xF800, 0x3800, low(8)),
    ]


def _data_processing() -> list[Encoding]:
    """A5.2.2: sixteen operations in bits 9 to 6."""
    names = ("and eor lsl lsr asr adc sbc ror tst rsb cmp cmn orr mul bic mvn").split()  # noqa: SIM905
    rows = []
    for op, name in enumerate(names):
        value = 0x4000 | op << 6
        if name in ("tst", "cmp", "cmn"):
            rows.append(Encoding(name, 0xFFC0, value, Class.ALU, flags=Flag.SETS_FLAGS))
        else:
            kind = Class.MULTIPLY if name == "mul" else Class.ALU
            rows.append(Encoding(name, 0xFFC0, value, kind, write=(low(0),), flags=_S))
    return rows


def _special_data_and_branch() -> list[Encoding]:
    """A5.2.3; BX and MOV PC with LR are returns, which the decoder finds by the register."""
    return [
        _alu("add", 0xFF00, 0x4400, HIGH, Flag.NOTHING),
        Encoding("cmp", 0xFF00, 0x4500, Class.ALU, flags=Flag.SETS_FLAGS),
        _alu("mov", 0xFF00, 0x4600, HIGH, Flag.NOTHING),
        Encoding("bx", 0xFFFF, 0x4770, Class.BRANCH, branch=Branch.RETURN),
        Encoding("bx", 0xFF87, 0x4700, Class.BRANCH, branch=Branch.INDIRECT),
        Encoding("blx", 0xFF87, 0x4780, Class.BRANCH, write=(fixed(LR),), branch=Branch.CALL_INDIRECT),
    ]


def _load_store_register() -> list[Encoding]:
    """A5.2.4, register offset."""
    names = ["str", "strh", "strb", "ldrsb", "ldr", "ldrh", "ldrb", "ldrsh"]
    rows = []
    for op, name in enumerate(names):
        address, value = (low(3), low(6)), 0x5000 | op << 9
        if name.startswith("str"):
            rows.append(Encoding(name, 0xFE00, value, Class.STORE_INDEXED, address))
        else:
            rows.append(Encoding(name, 0xFE00, value, Class.LOAD, address, (low(0),)))
    return rows


def _load_store_immediate() -> list[Encoding]:
    """A5.2.4, immediate offset, relative to the stack pointer, and literals."""
    rows = [Encoding("ldr", 0xF800, 0x4800, Class.LOAD, (fixed(PC),), (low(8),))]
    for value, name in ((0x6000, "str"), (0x7000, "strb"), (0x8000, "strh")):
        rows.append(Encoding(name, 0xF800, value, Class.STORE, (low(3),)))
        load = name.replace("st", "ld")
        rows.append(Encoding(load, 0xF800, value | 0x800, Class.LOAD, (low(3),), (low(0),)))
    rows.append(Encoding("str", 0xF800, 0x9000, Class.STORE, (fixed(SP),)))
    rows.append(Encoding("ldr", 0xF800, 0x9800, Class.LOAD, (fixed(SP),), (low(8),)))
    return rows


def _miscellaneous() -> list[Encoding]:
    """A5.2.5, with ADR and ADD to SP (A5.1)."""
    sp, push, pop = (fixed(SP),), Registers.PUSH, Registers.POP
    always = WriteBack.ALWAYS
    rows = [
        _alu("adr", 0xF800, 0xA000, low(8), Flag.NOTHING),
        _alu("add", 0xF800, 0xA800, low(8), Flag.NOTHING),
        Encoding("add", 0xFF80, 0xB000, Class.ALU, write=sp, offset=Offset.IMM7_UP),
        Encoding("sub", 0xFF80, 0xB080, Class.ALU, write=sp, offset=Offset.IMM7_DOWN),
        Encoding("cbz", 0xFD00, 0xB100, Class.BRANCH, branch=Branch.DIRECT, flags=Flag.CONDITION),
        Encoding("cbnz", 0xFD00, 0xB900, Class.BRANCH, branch=Branch.DIRECT, flags=Flag.CONDITION),
        Encoding("push", 0xFE00, 0xB400, Class.STORE_MANY, sp, (), (), (), push, always, Offset.LIST_DOWN),
        Encoding("pop", 0xFE00, 0xBC00, Class.LOAD_MANY, sp, (), (), (), pop, always, Offset.LIST_UP),
        Encoding("cps", 0xFFEC, 0xB660, Class.SYSTEM),
        Encoding("bkpt", 0xFF00, 0xBE00, Class.SYSTEM),
    ]
    rows += [_alu(n, 0xFFC0, v, low(0), Flag.NOTHING) for n, v in _EXTENDS]
    rows += [Encoding(n, 0xFFFF, v, Class.NOP) for n, v in (("nop", 0xBF00), ("yield", 0xBF10))]
    rows += [Encoding(n, 0xFFFF, v, Class.SYSTEM) for n, v in _WAITS]
    rows.append(Encoding("hint", 0xFF0F, 0xBF00, Class.NOP))
    rows.append(Encoding("it", 0xFF00, 0xBF00, Class.IT))
    return rows


_EXTENDS = (
    ("sxth", 0xB200),
    ("sxtb", 0xB240),
    ("uxth", 0xB280),
    ("uxtb", 0xB2C0),
    ("rev", 0xBA00),
    ("rev16", 0xBA40),
    ("revsh", 0xBAC0),
)
_WAITS = (("wfe", 0xBF20), ("wfi", 0xBF30), ("sev", 0xBF40))


def _multiple_and_branch() -> list[Encoding]:
    """A5.2.6, A5.2.7 and the unconditional branch."""
    base, low8 = (low(8),), Registers.LOW8
    loaded = WriteBack.UNLESS_LOADED
    return [
        Encoding("stm", 0xF800, 0xC000, Class.STORE_MANY, base, (), (), (), low8, WriteBack.ALWAYS),
        Encoding("ldm", 0xF800, 0xC800, Class.LOAD_MANY, base, (), (), (), low8, loaded),
        Encoding("udf", 0xFF00, 0xDE00, Class.SYSTEM),
        Encoding("svc", 0xFF00, 0xDF00, Class.SYSTEM),
        Encoding("b", 0xF000, 0xD000, Class.BRANCH, branch=Branch.DIRECT, flags=Flag.CONDITION),
        Encoding("b", 0xF800, 0xE000, Class.BRANCH, branch=Branch.DIRECT),
    ]


def encodings() -> list[Encoding]:
    """The table, in order of precedence."""
    return [
        *_shift_add_move_compare(),
        *_data_processing(),
        *_special_data_and_branch(),
        *_load_store_register(),
        *_load_store_immediate(),
        *_miscellaneous(),
        *_multiple_and_branch(),
    ]
