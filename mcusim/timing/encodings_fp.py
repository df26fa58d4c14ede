"""The encodings of FPv4-SP. Source: Arm DDI 0403E, sections A6.4 to A6.7."""

from __future__ import annotations

from mcusim.timing.isa import (
    VD,
    VM,
    VN,
    Class,
    Encoding,
    Flag,
    Offset,
    Registers,
    WriteBack,
    reg,
)

_RN, _RT, _RT2 = reg(16), reg(12), reg(16)


def _transfers() -> list[Encoding]:
    """Between core and floating-point registers (A6.6, A6.7)."""
    pair, rt = (_RT, _RT2), (_RT,)
    return [
        Encoding("vmov", 0xFFF00FD0, 0xEC400A10, Class.FP_MOVE_PAIR, flags=Flag.DOUBLE, fp_write=(VM,)),
        Encoding("vmov", 0xFFF00FD0, 0xEC500A10, Class.FP_MOVE_PAIR, (), pair, (VM,), flags=Flag.DOUBLE),
        Encoding("vmov", 0xFFF00FD0, 0xEC400B10, Class.FP_MOVE_PAIR, flags=Flag.DOUBLE, fp_write=(VM,)),
        Encoding("vmov", 0xFFF00FD0, 0xEC500B10, Class.FP_MOVE_PAIR, (), pair, (VM,), flags=Flag.DOUBLE),
        Encoding("vmov", 0xFFF00F10, 0xEE000A10, Class.FP_MOVE, fp_write=(VN,)),
        Encoding("vmov", 0xFFF00F10, 0xEE100A10, Class.FP_MOVE, (), rt, (VN,)),
        Encoding("vmov", 0xFFD00F10, 0xEE000B10, Class.FP_MOVE, flags=Flag.DOUBLE, fp_write=(VN,)),
        Encoding("vmov", 0xFFD00F10, 0xEE100B10, Class.FP_MOVE, (), rt, (VN,), flags=Flag.DOUBLE),
        Encoding("vmsr", 0xFFFF0F10, 0xEEE10A10, Class.FP_MOVE),
        Encoding("vmrs", 0xFFFFFF10, 0xEEF1FA10, Class.FP_MOVE, flags=Flag.SETS_FLAGS),
        Encoding("vmrs", 0xFFFF0F10, 0xEEF10A10, Class.FP_MOVE, (), rt),
    ]


def _single_accesses() -> list[Encoding]:
    """VLDR and VSTR (A6.5)."""
    double = Flag.DOUBLE
    return [
        Encoding("vstr", 0xFF300F00, 0xED000A00, Class.FP_STORE, (_RN,), (), (VD,)),
        Encoding("vldr", 0xFF300F00, 0xED100A00, Class.FP_LOAD, (_RN,), fp_write=(VD,)),
        Encoding("vstr", 0xFF300F00, 0xED000B00, Class.FP_STORE_DOUBLE, (_RN,), (), (VD,), flags=double),
        Encoding("vldr", 0xFF300F00, 0xED100B00, Class.FP_LOAD_DOUBLE, (_RN,), fp_write=(VD,), flags=double),
    ]


def _multiple_accesses() -> list[Encoding]:
    """VLDM, VSTM, VPUSH and VPOP (A6.5)."""
    rows = []
    forms = (
        (0xFFB00F00, 0xEC800000, WriteBack.NEVER, Offset.NONE),
        (0xFFB00F00, 0xECA00000, WriteBack.ALWAYS, Offset.LIST_UP),
        (0xFFB00F00, 0xED200000, WriteBack.ALWAYS, Offset.LIST_DOWN),
    )
    for mask, base, back, offset in forms:
        for size, registers in ((0xA00, Registers.SINGLES), (0xB00, Registers.DOUBLES)):
            for name, kind, bit in (
                ("vstm", Class.FP_STORE_MANY, 0),
                ("vldm", Class.FP_LOAD_MANY, 0x100000),
            ):
                rows.append(
                    Encoding(
                        name,
                        mask,
                        base | size | bit,
                        kind,
                        address=(_RN,),
                        registers=registers,
                        write_back=back,
                        offset=offset,
                    )
                )
    return rows


def _three_operands() -> list[Encoding]:
    """Arithmetic with two sources (A6.4); the multiply-accumulates also read their destination."""
    rows = []
    for name, value, kind in (
        ("vmla", 0xEE000A00, Class.FP_MAC),
        ("vmls", 0xEE000A40, Class.FP_MAC),
        ("vnmls", 0xEE100A00, Class.FP_MAC),
        ("vnmla", 0xEE100A40, Class.FP_MAC),
        ("vfnms", 0xEE900A00, Class.FP_MAC),
        ("vfnma", 0xEE900A40, Class.FP_MAC),
        ("vfma", 0xEEA00A00, Class.FP_MAC),
        ("vfms", 0xEEA00A40, Class.FP_MAC),
        ("vmul", 0xEE200A00, Class.FP_ALU),
        ("vnmul", 0xEE200A40, Class.FP_ALU),
        ("vadd", 0xEE300A00, Class.FP_ALU),
        ("vsub", 0xEE300A40, Class.FP_ALU),
        ("vdiv", 0xEE800A00, Class.FP_DIVIDE),
    ):
        sources = (VD, VN, VM) if kind is Class.FP_MAC else (VN, VM)
        rows.append(Encoding(name, 0xFFB00F50, value, kind, (), (), sources, (VD,)))
    return rows


def _two_operands() -> list[Encoding]:
    """Arithmetic with one source, moves, comparisons and conversions (A6.4)."""
    one = Class.FP_ALU
    rows = [Encoding("vmov", 0xFFB00FF0, 0xEEB00A00, one, fp_write=(VD,))]
    for name, mask, value, kind in (
        ("vmov", 0xFFBF0FD0, 0xEEB00A40, one),
        ("vabs", 0xFFBF0FD0, 0xEEB00AC0, one),
        ("vneg", 0xFFBF0FD0, 0xEEB10A40, one),
        ("vsqrt", 0xFFBF0FD0, 0xEEB10AC0, Class.FP_DIVIDE),
        ("vcvtb", 0xFFBE0F50, 0xEEB20A40, one),
        ("vcvt", 0xFFBF0F50, 0xEEB80A40, one),
        ("vcvt", 0xFFBE0F50, 0xEEBC0A40, one),
    ):
        rows.append(Encoding(name, mask, value, kind, (), (), (VM,), (VD,)))
    rows += [
        Encoding("vcmp", 0xFFBF0F50, 0xEEB40A40, one, (), (), (VD, VM)),
        Encoding("vcmp", 0xFFBF0F50, 0xEEB50A40, one, (), (), (VD,)),
        Encoding("vcvt", 0xFFBA0F50, 0xEEBA0A40, one, (), (), (VD,), (VD,)),
    ]
    return rows


def encodings() -> list[Encoding]:
    """The table, in order of precedence."""
    return [
        *_transfers(),
        *_single_accesses(),
        *_multiple_accesses(),
        *_three_operands(),
        *_two_operands(),
    ]
