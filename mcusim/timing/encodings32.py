"""The 32-bit integer encodings of ARMv7E-M. Source: Arm DDI 0403E, section A5.3."""

from __future__ import annotations

from mcusim.timing.isa import (
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
    reg,
)

_RN, _RT, _RD, _RM = reg(16), reg(12), reg(8), reg(0)
_COMPARISONS = {0: "tst", 4: "teq", 8: "cmn", 13: "cmp"}
_OPERATIONS = {
    0: "and",
    1: "bic",
    2: "orr",
    3: "orn",
    4: "eor",
    8: "add",
    10: "adc",
    11: "sbc",
    13: "sub",
    14: "rsb",
}


def _multiples() -> list[Encoding]:
    """A5.3.5."""
    rows = []
    for name, value, kind, offset in (
        ("stm", 0xE8800000, Class.STORE_MANY, Offset.LIST_UP),
        ("ldm", 0xE8900000, Class.LOAD_MANY, Offset.LIST_UP),
        ("stmdb", 0xE9000000, Class.STORE_MANY, Offset.LIST_DOWN),
        ("ldmdb", 0xE9100000, Class.LOAD_MANY, Offset.LIST_DOWN),
    ):
        rows.append(
            Encoding(
                name,
                0xFFD00000,
                value,
                kind,
                address=(_RN,),
                registers=Registers.LIST16,
                write_back=WriteBack.BIT21,
                offset=offset,
            )
        )
    return rows


def _pairs_exclusives_tables() -> list[Encoding]:
    """A5.3.6."""
    pair, words = (_RT, _RD), Offset.IMM8_WORDS
    rows = [
        Encoding("tbb", 0xFFF0FFE0, 0xE8D0F000, Class.TABLE_BRANCH, (_RN, _RM), branch=Branch.TABLE),
        Encoding("strex", 0xFFF00000, 0xE8400000, Class.STORE, (_RN,), (_RD,)),
        Encoding("ldrex", 0xFFF00F00, 0xE8500F00, Class.LOAD, (_RN,), (_RT,)),
    ]
    for suffix, bit in (("b", 0x40), ("h", 0x50)):
        rows.append(Encoding("strex" + suffix, 0xFFF00FF0, 0xE8C00F00 | bit, Class.STORE, (_RN,), (_RM,)))
        rows.append(Encoding("ldrex" + suffix, 0xFFF00FFF, 0xE8D00F0F | bit, Class.LOAD, (_RN,), (_RT,)))
    for value, back in ((0xE8600000, True), (0xE9400000, False), (0xE9600000, True)):
        when = WriteBack.ALWAYS if back else WriteBack.NEVER
        rows.append(
            Encoding("strd", 0xFF700000, value, Class.STORE_PAIR, (_RN,), write_back=when, offset=words)
        )
        rows.append(
            Encoding(
                "ldrd",
                0xFF700000,
                value | 0x100000,
                Class.LOAD_PAIR,
                (_RN,),
                pair,
                write_back=when,
                offset=words,
            )
        )
    return rows


def _shifted_register() -> list[Encoding]:
    """A5.3.11; ORR and ORN without a first operand are MOV, the shifts, and MVN."""
    rows = [
        Encoding(name, 0xFFF08F00, 0xEA100F00 | op << 21, Class.ALU, flags=Flag.SETS_FLAGS)
        for op, name in _COMPARISONS.items()
    ]
    s = Flag.SETS_FLAGS_BY_S
    rows.append(Encoding("mov", 0xFFEF8000, 0xEA4F0000, Class.ALU, write=(_RD,), flags=s))
    rows.append(Encoding("mvn", 0xFFEF8000, 0xEA6F0000, Class.ALU, write=(_RD,), flags=s))
    rows += [
        Encoding(name, 0xFFE08000, 0xEA000000 | op << 21, Class.ALU, write=(_RD,), flags=s)
        for op, name in _OPERATIONS.items()
    ]
    rows.append(Encoding("pkh", 0xFFF08010, 0xEAC00000, Class.ALU, write=(_RD,)))
    return rows


def _modified_immediate() -> list[Encoding]:
    """A5.3.1."""
    rows = [
        Encoding(name, 0xFBF08F00, 0xF0100F00 | op << 21, Class.ALU, flags=Flag.SETS_FLAGS)
        for op, name in _COMPARISONS.items()
    ]
    s, sp = Flag.SETS_FLAGS_BY_S, (fixed(SP),)
    rows += [
        Encoding("mov", 0xFBEF8000, 0xF04F0000, Class.ALU, write=(_RD,), flags=s),
        Encoding("mvn", 0xFBEF8000, 0xF06F0000, Class.ALU, write=(_RD,), flags=s),
        Encoding("add", 0xFBEF8F00, 0xF10D0D00, Class.ALU, write=sp, offset=Offset.CONST_UP, flags=s),
        Encoding("sub", 0xFBEF8F00, 0xF1AD0D00, Class.ALU, write=sp, offset=Offset.CONST_DOWN, flags=s),
    ]
    rows += [
        Encoding(name, 0xFBE08000, 0xF0000000 | op << 21, Class.ALU, write=(_RD,), flags=s)
        for op, name in _OPERATIONS.items()
    ]
    return rows


def _plain_immediate() -> list[Encoding]:
    """A5.3.3."""
    sp = (fixed(SP),)
    rows = [
        Encoding("addw", 0xFBFF8F00, 0xF20D0D00, Class.ALU, write=sp, offset=Offset.IMM12_UP),
        Encoding("subw", 0xFBFF8F00, 0xF2AD0D00, Class.ALU, write=sp, offset=Offset.IMM12_DOWN),
    ]
    rows += [
        Encoding(name, mask, value, Class.ALU, write=(_RD,))
        for name, mask, value in (
            ("addw", 0xFBF08000, 0xF2000000),
            ("movw", 0xFBF08000, 0xF2400000),
            ("subw", 0xFBF08000, 0xF2A00000),
            ("movt", 0xFBF08000, 0xF2C00000),
            ("ssat16", 0xFFF0F0F0, 0xF3200000),
            ("usat16", 0xFFF0F0F0, 0xF3A00000),
            ("ssat", 0xFFD08020, 0xF3000000),
            ("usat", 0xFFD08020, 0xF3800000),
            ("sbfx", 0xFFF08020, 0xF3400000),
            ("bfi", 0xFFF08020, 0xF3600000),
            ("ubfx", 0xFFF08020, 0xF3C00000),
        )
    ]
    return rows


def _branches_and_control() -> list[Encoding]:
    """A5.3.4; the conditional branch is three rows because conditions 14 and 15 mean other things."""
    rows = [
        Encoding("msr", 0xFFE0D000, 0xF3808000, Class.SYSTEM, flags=Flag.SP_DYNAMIC),
        Encoding("mrs", 0xFFE0D000, 0xF3E08000, Class.SYSTEM, write=(_RD,)),
        Encoding("nop", 0xFFFFD7FF, 0xF3AF8000, Class.NOP),
        Encoding("wfe", 0xFFFFD7FF, 0xF3AF8002, Class.SYSTEM),
        Encoding("wfi", 0xFFFFD7FF, 0xF3AF8003, Class.SYSTEM),
        Encoding("hint", 0xFFFFD700, 0xF3AF8000, Class.NOP),
        Encoding("clrex", 0xFFFFFFFF, 0xF3BF8F2F, Class.SYSTEM),
        Encoding("dsb", 0xFFFFFFF0, 0xF3BF8F40, Class.BARRIER),
        Encoding("dmb", 0xFFFFFFF0, 0xF3BF8F50, Class.BARRIER),
        Encoding("isb", 0xFFFFFFF0, 0xF3BF8F60, Class.BARRIER),
        Encoding("udf", 0xFFF0F000, 0xF7F0A000, Class.SYSTEM),
        Encoding("b", 0xF800D000, 0xF0009000, Class.BRANCH, branch=Branch.DIRECT),
        Encoding("bl", 0xF800D000, 0xF000D000, Class.BRANCH, write=(fixed(LR),), branch=Branch.CALL),
    ]
    rows += [
        Encoding("b", mask, value, Class.BRANCH, branch=Branch.DIRECT, flags=Flag.CONDITION)
        for mask, value in (
            (0xFA00D000, 0xF0008000),
            (0xFB00D000, 0xF2008000),
            (0xFB80D000, 0xF3008000),
        )
    ]
    return rows


def _stores() -> list[Encoding]:
    """A5.3.10."""
    rows = []
    for name, base in (("strb", 0xF8000000), ("strh", 0xF8200000), ("str", 0xF8400000)):
        rows += [
            Encoding(name, 0xFFF00FC0, base, Class.STORE_INDEXED, (_RN, _RM)),
            Encoding(name, 0xFFF00000, base | 0x800000, Class.STORE, (_RN,)),
            Encoding(name, 0xFFF00F00, base | 0xC00, Class.STORE, (_RN,)),
            Encoding(name + "t", 0xFFF00F00, base | 0xE00, Class.STORE, (_RN,)),
        ]
        rows += [
            Encoding(
                name,
                0xFFF00D00,
                base | post_or_pre,
                Class.STORE,
                (_RN,),
                write_back=WriteBack.ALWAYS,
                offset=Offset.IMM8,
            )
            for post_or_pre in (0x900, 0xD00)
        ]
    return rows


def _preloads() -> list[Encoding]:
    """A5.3.8, A5.3.9: byte loads to PC are memory hints, which this core treats as nothing."""
    rows = []
    for base, name in ((0xF810F000, "pld"), (0xF910F000, "pli")):
        rows += [
            Encoding(name, 0xFF7FF000, base | 0xF0000, Class.NOP),
            Encoding(name, 0xFFF0F000, base | 0x800000, Class.NOP),
            Encoding(name, 0xFFF0FF00, base | 0xC00, Class.NOP),
            Encoding(name, 0xFFF0FFC0, base, Class.NOP),
        ]
    return rows


def _loads() -> list[Encoding]:
    """A5.3.7 to A5.3.9."""
    rows = []
    for name, base in (
        ("ldrb", 0xF8100000),
        ("ldrh", 0xF8300000),
        ("ldr", 0xF8500000),
        ("ldrsb", 0xF9100000),
        ("ldrsh", 0xF9300000),
    ):
        to = (_RT,)
        rows += [
            Encoding(name, 0xFF7F0000, base | 0xF0000, Class.LOAD, (fixed(PC),), to),
            Encoding(name, 0xFFF00FC0, base, Class.LOAD, (_RN, _RM), to),
            Encoding(name, 0xFFF00000, base | 0x800000, Class.LOAD, (_RN,), to),
            Encoding(name, 0xFFF00F00, base | 0xC00, Class.LOAD, (_RN,), to),
            Encoding(name + "t", 0xFFF00F00, base | 0xE00, Class.LOAD, (_RN,), to),
        ]
        rows += [
            Encoding(
                name,
                0xFFF00D00,
                base | post_or_pre,
                Class.LOAD,
                (_RN,),
                to,
                write_back=WriteBack.ALWAYS,
                offset=Offset.IMM8,
            )
            for post_or_pre in (0x900, 0xD00)
        ]
    return rows


def _register_operations() -> list[Encoding]:
    """A5.3.12 to A5.3.15: shifts, extends, parallel arithmetic, miscellaneous."""
    names = [("shift", 0xFF80F0F0, 0xFA00F000)]
    extends = ["sxtah", "uxtah", "sxtab16", "uxtab16", "sxtab", "uxtab"]
    names += [(n, 0xFFF0F0C0, 0xFA00F080 | op << 20) for op, n in enumerate(extends)]
    lanes = {0: "add8", 1: "add16", 2: "asx", 4: "sub8", 5: "sub16", 6: "sax"}
    prefixes = {0x00: "s", 0x10: "q", 0x20: "sh", 0x40: "u", 0x50: "uq", 0x60: "uh"}
    names += [
        (prefix + lane, 0xFFF0F0F0, 0xFA80F000 | op << 20 | bits)
        for op, lane in lanes.items()
        for bits, prefix in prefixes.items()
    ]
    saturating = ["qadd", "qdadd", "qsub", "qdsub"]
    names += [(n, 0xFFF0F0F0, 0xFA80F080 | op << 4) for op, n in enumerate(saturating)]
    reverses = ["rev", "rev16", "rbit", "revsh"]
    names += [(n, 0xFFF0F0F0, 0xFA90F080 | op << 4) for op, n in enumerate(reverses)]
    names += [("sel", 0xFFF0F0F0, 0xFAA0F080), ("clz", 0xFFF0F0F0, 0xFAB0F080)]
    s = Flag.SETS_FLAGS_BY_S
    return [
        Encoding(n, mask, value, Class.ALU, write=(_RD,), flags=s if n == "shift" else Flag.NOTHING)
        for n, mask, value in names
    ]


def _multiplies() -> list[Encoding]:
    """A5.3.16 and A5.3.17; an accumulator of PC means none, which costs the same."""
    short = (
        ("mla", 0xFFF000F0, 0xFB000000),
        ("mls", 0xFFF000F0, 0xFB000010),
        ("smla", 0xFFF000C0, 0xFB100000),
        ("smlad", 0xFFF000E0, 0xFB200000),
        ("smlaw", 0xFFF000E0, 0xFB300000),
        ("smlsd", 0xFFF000E0, 0xFB400000),
        ("smmla", 0xFFF000E0, 0xFB500000),
        ("smmls", 0xFFF000E0, 0xFB600000),
        ("usada8", 0xFFF000F0, 0xFB700000),
    )
    long = (
        ("smull", 0xFFF000F0, 0xFB800000),
        ("umull", 0xFFF000F0, 0xFBA00000),
        ("smlal", 0xFFF000F0, 0xFBC00000),
        ("smlalxy", 0xFFF000C0, 0xFBC00080),
        ("smlald", 0xFFF000E0, 0xFBC000C0),
        ("smlsld", 0xFFF000E0, 0xFBD000C0),
        ("umlal", 0xFFF000F0, 0xFBE00000),
        ("umaal", 0xFFF000F0, 0xFBE00060),
    )
    rows = [Encoding(n, m, v, Class.MULTIPLY, write=(_RD,)) for n, m, v in short]
    rows += [Encoding(n, m, v, Class.MULTIPLY, write=(_RT, _RD)) for n, m, v in long]
    rows += [
        Encoding(n, 0xFFF0F0F0, v, Class.DIVIDE, write=(_RD,))
        for n, v in (("sdiv", 0xFB90F0F0), ("udiv", 0xFBB0F0F0))
    ]
    return rows


def encodings() -> list[Encoding]:
    """The table, in order of precedence."""
    return [
        *_multiples(),
        *_pairs_exclusives_tables(),
        *_shifted_register(),
        *_modified_immediate(),
        *_plain_immediate(),
        *_branches_and_control(),
        *_stores(),
        *_preloads(),
        *_loads(),
        *_register_operations(),
        *_multiplies(),
    ]
