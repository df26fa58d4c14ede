"""The timing rules as data: what each costs, who says so, and how sure it is. The pipeline applies them.

Sources: "TRM" is the Arm Cortex-M4 Technical Reference Manual (100166, r0p1), section 3.3 instruction
timing; "M3 TRM" that of the Cortex-M3 (DDI 0337), section 14.5 on the buses, which the Cortex-M4 shares;
"fit" is the agreement with published cycle counts of cryptographic code on an STM32L4R5 at zero wait states;
"measured" a published micro-benchmark on an STM32F407; "programs" published programs on one, see
docs/accuracy.md; "schedule" the Cortex-M4 scheduling descriptions of GCC and LLVM; "compendium" benchmarks
of many divisions on a Cortex-M4, https://compendium.i-0.nl/docs/computational-operations/division, whose
formula for the last case could not be opened.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mcusim.timing.isa import Class


class Parameter(enum.IntEnum):
    """A number that the pipeline model reads; the integer is its place in the native parameter array."""

    ALU = 0
    MULTIPLY = 1
    DIVIDE = 2
    LOAD = 3
    LOAD_PIPELINED = 4
    STORE = 5
    STORE_INDEXED = 6
    STORE_THEN_LOAD = 7
    LOAD_THEN_STORE = 8
    ADDRESS_FROM_ALU = 9
    WRITE_BACK_BASE = 10
    MULTIPLE = 11
    MULTIPLE_WORD = 12
    PAIR = 13
    BRANCH = 14
    REFILL_REGISTER = 15
    REFILL_POP = 16
    REFILL_LOAD = 17
    TABLE_BRANCH = 18
    UNALIGNED_LOADS = 19
    LITERAL = 20
    NOP = 21
    IT = 22
    SYSTEM = 23
    BARRIER = 24
    FP_MOVE = 25
    FP_MOVE_PAIR = 26
    FP_ALU = 27
    FP_DEPENDENT = 28
    FP_MAC = 29
    FP_DIVIDE = 30
    FP_LOAD = 31
    FP_LOAD_DOUBLE = 32
    FP_STORE = 33
    FP_STORE_DOUBLE = 34
    NOTHING = 35
    UNALIGNED = 36
    DIVIDE_ZERO = 37
    DIVIDE_SHORT = 38
    DIVIDE_LONG = 39
    DIVIDE_MOST = 40
    SYSTEM_LATENCY = 41
    SYSTEM_INTERVAL = 42
    SYSTEM_DATA = 43
    ADDRESS_FROM_VMOV = 44
    EXCEPTION_ENTRY = 45
    EXCEPTION_RETURN = 46
    TAIL_CHAIN = 47


class Status(enum.StrEnum):
    """How well a rule is known."""

    DETERMINED = "determined"  # changing it makes the fit to published cycles clearly worse
    MEASURED = "measured"  # a published micro-benchmark
    DOCUMENTED = "documented"  # a manual says so, data do not decide
    KEPT = "kept"  # one source says so, data do not decide
    LOW = "low"  # a guess between documented bounds


class Bound(enum.StrEnum):
    """Which end of a rule's range is applied."""

    LOW = "low"
    BEST = "best"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class Rule:
    """Cycles of one parameter. ``number`` is what reports and ``timing explain`` name the rule by."""

    number: int
    parameter: Parameter
    text: str
    low: int
    best: int
    high: int
    source: str
    status: Status

    def cycles(self, bound: Bound) -> int:
        """Cycles at one end of the range."""
        return {Bound.LOW: self.low, Bound.BEST: self.best, Bound.HIGH: self.high}[bound]


def _sure(number: int, parameter: Parameter, text: str, cycles: int, source: str, status: Status) -> Rule:
    return Rule(number, parameter, text, cycles, cycles, cycles, source, status)


_P, _S = Parameter, Status

RULES: Sequence[Rule] = (
    _sure(
        1,
        _P.ALU,
        "Arithmetic, logic, saturation, SIMD; also with a shifted operand",
        1,
        "TRM, fit",
        _S.DETERMINED,
    ),
    _sure(
        1,
        _P.MULTIPLY,
        "Multiplies and multiply-accumulates, any width; no use penalty",
        1,
        "TRM, fit",
        _S.DETERMINED,
    ),
    _sure(2, _P.LOAD, "Single load", 2, "TRM, fit", _S.DETERMINED),
    _sure(
        2,
        _P.LOAD_PIPELINED,
        "Single load, next is an access whose address it does not feed",
        1,
        "TRM, fit",
        _S.DETERMINED,
    ),
    Rule(
        2,
        _P.LOAD_THEN_STORE,
        "Pipelined single load, then a single store: extra",
        0,
        1,
        1,
        "fit; one source disagrees",
        _S.DETERMINED,
    ),
    _sure(4, _P.STORE, "Single store", 1, "TRM, fit", _S.DETERMINED),
    _sure(4, _P.STORE_THEN_LOAD, "Store directly followed by a load: extra", 1, "fit", _S.DETERMINED),
    Rule(4, _P.STORE_INDEXED, "Single store with register offset", 1, 2, 2, "measured", _S.KEPT),
    Rule(
        5,
        _P.ADDRESS_FROM_ALU,
        "Address register written by the data-processing instruction just before: extra",
        0,
        1,
        1,
        "TRM",
        _S.KEPT,
    ),
    _sure(
        5,
        _P.ADDRESS_FROM_VMOV,
        "Address register written by a VMOV from one floating-point register just before: extra",
        1,
        "programs: products of Saber's number theoretic transform",
        _S.DETERMINED,
    ),
    _sure(
        6,
        _P.WRITE_BACK_BASE,
        "Single or pair access with base write-back, then an access on that base: extra, once a pair",
        1,
        "fit",
        _S.DETERMINED,
    ),
    _sure(7, _P.MULTIPLE, "LDM, STM, PUSH, POP, VLDM, VSTM: fixed part", 1, "TRM", _S.DOCUMENTED),
    _sure(7, _P.MULTIPLE_WORD, "LDM, STM, PUSH, POP, VLDM, VSTM: per word", 1, "TRM", _S.DOCUMENTED),
    _sure(7, _P.PAIR, "LDRD, STRD", 3, "TRM", _S.DOCUMENTED),
    _sure(
        8, _P.BRANCH, "Any branch, beside the refill that the fetch model shows", 1, "TRM, fit", _S.DETERMINED
    ),
    _sure(9, _P.REFILL_REGISTER, "BX, BLX, MOV PC, TBB, TBH: extra refill", 1, "TRM, fit", _S.DOCUMENTED),
    Rule(9, _P.REFILL_POP, "POP or LDM of PC: extra refill", 0, 1, 1, "TRM, fit", _S.DOCUMENTED),
    Rule(9, _P.REFILL_LOAD, "LDR to PC: extra refill", 1, 2, 2, "TRM", _S.DOCUMENTED),
    _sure(9, _P.TABLE_BRANCH, "TBB, TBH: the table's load", 2, "TRM", _S.DOCUMENTED),
    _sure(
        11,
        _P.UNALIGNED_LOADS,
        "Two single loads in a row, either a 32-bit encoding not word aligned: extra",
        1,
        "fit",
        _S.DETERMINED,
    ),
    Rule(12, _P.LITERAL, "Load relative to PC: extra", 0, 1, 1, "measured", _S.KEPT),
    _sure(
        14,
        _P.UNALIGNED,
        "Halfword or word that is not aligned: extra; twice for a word at an odd address",
        1,
        "TRM",
        _S.DOCUMENTED,
    ),
    _sure(
        15,
        _P.IT,
        "IT that does not fold into a 16-bit instruction before it",
        1,
        "measured",
        _S.MEASURED,
    ),
    _sure(
        16,
        _P.NOP,
        "NOP; it fills the second cycle of a load or register-offset store just before",
        1,
        "measured",
        _S.MEASURED,
    ),
    Rule(17, _P.DIVIDE, "UDIV, SDIV whose operands are not known", 2, 7, 12, "TRM", _S.LOW),
    _sure(17, _P.DIVIDE_ZERO, "UDIV, SDIV: an operand is zero", 2, "TRM, compendium", _S.MEASURED),
    _sure(
        17,
        _P.DIVIDE_SHORT,
        "UDIV, SDIV: the dividend has fewer significant bits than the divisor",
        3,
        "TRM, compendium",
        _S.MEASURED,
    ),
    Rule(
        17,
        _P.DIVIDE_LONG,
        "UDIV, SDIV: otherwise, with one more for every 4 bits that the dividend has more",
        4,
        5,
        6,
        "compendium: grows with the difference; that it reaches the most at 31 bits is a guess",
        _S.LOW,
    ),
    _sure(17, _P.DIVIDE_MOST, "UDIV, SDIV: at most", 12, "TRM", _S.DOCUMENTED),
    _sure(
        18,
        _P.FP_MOVE,
        "VMOV between one core and one floating-point register, VMRS, VMSR",
        1,
        "TRM",
        _S.DOCUMENTED,
    ),
    _sure(18, _P.FP_MOVE_PAIR, "VMOV of two registers", 2, "TRM", _S.DOCUMENTED),
    _sure(
        19,
        _P.FP_ALU,
        "VADD, VSUB, VMUL, VCVT, VCMP, VABS, VNEG, VMOV",
        1,
        "TRM, schedule",
        _S.DOCUMENTED,
    ),
    Rule(
        19,
        _P.FP_DEPENDENT,
        "Floating-point result used by the next floating-point instruction: extra",
        0,
        1,
        1,
        "TRM, schedule",
        _S.DOCUMENTED,
    ),
    _sure(
        19,
        _P.FP_MAC,
        "VMLA, VFMA and their kin; integer instructions overlap the last two",
        3,
        "TRM, schedule",
        _S.DOCUMENTED,
    ),
    _sure(
        19,
        _P.FP_DIVIDE,
        "VDIV, VSQRT; integer instructions overlap",
        14,
        "TRM, schedule",
        _S.DOCUMENTED,
    ),
    _sure(19, _P.FP_LOAD, "VLDR, single", 2, "TRM", _S.DOCUMENTED),
    _sure(19, _P.FP_LOAD_DOUBLE, "VLDR, double word", 3, "TRM", _S.DOCUMENTED),
    Rule(19, _P.FP_STORE, "VSTR, single", 1, 1, 2, "schedule; the TRM says 2", _S.KEPT),
    _sure(19, _P.FP_STORE_DOUBLE, "VSTR, double word", 3, "TRM", _S.DOCUMENTED),
    _sure(
        20,
        _P.EXCEPTION_ENTRY,
        "Exception: from the run that it interrupts to its handler's first instruction",
        12,
        "TRM",
        _S.DOCUMENTED,
    ),
    Rule(20, _P.EXCEPTION_RETURN, "Return from an exception", 10, 10, 12, "TRM", _S.DOCUMENTED),
    _sure(20, _P.TAIL_CHAIN, "From an exception to the next, without unstacking", 6, "TRM", _S.DOCUMENTED),
    Rule(
        21,
        _P.SYSTEM,
        "MRS, MSR, CPS, SVC, BKPT, WFI and other system instructions",
        1,
        2,
        2,
        "TRM",
        _S.DOCUMENTED,
    ),
    Rule(21, _P.BARRIER, "DMB, DSB, ISB", 1, 1, 4, "TRM: 1 + B", _S.LOW),
    _sure(
        22,
        _P.SYSTEM_LATENCY,
        "Code at 0x20000000 or above, such as in SRAM: fetches go by the system bus and take longer by",
        1,
        "M3 TRM",
        _S.DOCUMENTED,
    ),
    _sure(22, _P.SYSTEM_INTERVAL, "The same: cycles from a fetch to the next", 2, "M3 TRM", _S.DOCUMENTED),
    Rule(
        22,
        _P.SYSTEM_DATA,
        "The same: cycles that a word of data keeps fetches from the bus; none if it lies below 0x20000000",
        0,
        1,
        1,
        "M3 TRM: data have priority",
        _S.DOCUMENTED,
    ),
)
"""Rules 3, 10 and 13 of the documentation have no number of their own: see ``docs/timing.md``."""

CLASS_CYCLES: Mapping[Class, tuple[Parameter, Parameter]] = {
    Class.UNKNOWN: (_P.ALU, _P.NOTHING),
    Class.ALU: (_P.ALU, _P.NOTHING),
    Class.MULTIPLY: (_P.MULTIPLY, _P.NOTHING),
    Class.DIVIDE: (_P.DIVIDE, _P.NOTHING),
    Class.LOAD: (_P.LOAD, _P.NOTHING),
    Class.STORE: (_P.STORE, _P.NOTHING),
    Class.STORE_INDEXED: (_P.STORE_INDEXED, _P.NOTHING),
    Class.LOAD_MANY: (_P.MULTIPLE, _P.MULTIPLE_WORD),
    Class.STORE_MANY: (_P.MULTIPLE, _P.MULTIPLE_WORD),
    Class.LOAD_PAIR: (_P.PAIR, _P.NOTHING),
    Class.STORE_PAIR: (_P.PAIR, _P.NOTHING),
    Class.BRANCH: (_P.BRANCH, _P.NOTHING),
    Class.TABLE_BRANCH: (_P.TABLE_BRANCH, _P.NOTHING),
    Class.NOP: (_P.NOP, _P.NOTHING),
    Class.IT: (_P.IT, _P.NOTHING),
    Class.SYSTEM: (_P.SYSTEM, _P.NOTHING),
    Class.BARRIER: (_P.BARRIER, _P.NOTHING),
    Class.FP_MOVE: (_P.FP_MOVE, _P.NOTHING),
    Class.FP_MOVE_PAIR: (_P.FP_MOVE_PAIR, _P.NOTHING),
    Class.FP_ALU: (_P.FP_ALU, _P.NOTHING),
    Class.FP_MAC: (_P.FP_ALU, _P.NOTHING),
    Class.FP_DIVIDE: (_P.FP_ALU, _P.NOTHING),
    Class.FP_LOAD: (_P.FP_LOAD, _P.NOTHING),
    Class.FP_LOAD_DOUBLE: (_P.FP_LOAD_DOUBLE, _P.NOTHING),
    Class.FP_STORE: (_P.FP_STORE, _P.NOTHING),
    Class.FP_STORE_DOUBLE: (_P.FP_STORE_DOUBLE, _P.NOTHING),
    Class.FP_LOAD_MANY: (_P.MULTIPLE, _P.MULTIPLE_WORD),
    Class.FP_STORE_MANY: (_P.MULTIPLE, _P.MULTIPLE_WORD),
}
"""Cycles that a class occupies the integer pipeline for: a fixed part, and one per word moved."""


def parameters(bound: Bound = Bound.BEST) -> list[int]:
    """Cycles by Parameter, at one end of every rule's range."""
    values = [0] * len(Parameter)
    for rule in RULES:
        values[rule.parameter] = rule.cycles(bound)
    return values
