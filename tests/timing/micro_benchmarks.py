"""Micro-benchmarks of the timing model: a snippet and the cycles it must take.

``cycles`` runs from behind the execute cycle of the taken branch before the snippet to the execute cycle
of its last branch; the refill of an indirect branch at its end counts too. In the code ``N`` and ``W`` are
a 16-bit and a 32-bit instruction that depend on nothing, ``END`` a branch out of the snippet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mcusim.timing.outcomes import (
    DIVISION_LONG,
    DIVISION_SHORT,
    DIVISION_SKIPPED,
    DIVISION_ZERO,
    EXECUTED,
    SKIPPED,
    STEP,
)

N, W, END = "mov r8,r8", "mov.w r8,r8", "b.n 9f"
_ADD = "adds r4,r4,#1"


@dataclass(frozen=True)
class MicroBenchmark:
    """``status``: "published" agrees with a published measurement on a chip, "documented" follows a
    documented rule, "model" is the default model's own output. ``offset`` is the start modulo 8.
    ``model_cycles`` differs from ``cycles`` where the model is known to miss. ``target`` is the number
    of the instruction that the last branch goes back to, -1 if it leaves the snippet. ``outcome`` is what
    the snippet's data make of it (see ``mcusim.timing.outcomes``). ``in_sram``: that is where it lies."""

    name: str
    code: str
    cycles: int
    status: Literal["published", "documented", "model"]
    offset: int = 0
    model_cycles: int = 0
    target: int = -1
    outcome: int = 0
    in_sram: bool = False

    @property
    def expected(self) -> int:
        """What the default model must say."""
        return self.model_cycles or self.cycles


def _lines(*parts: str | tuple[int, str]) -> str:
    """Instructions, one a line; (n, text) repeats."""
    lines: list[str] = []
    for part in parts:
        lines += [part] if isinstance(part, str) else [part[1]] * part[0]
    return "\n".join(lines)


def _loop(first: str) -> str:
    return _lines(first, "sub.w r3,r3,#1", "cmp r3,#0", "bne.n {start}")


def _not_taken(*middle: str | tuple[int, str]) -> str:
    return _lines(*middle, "subs.w r0,r0,#1", "bne.w 9f", (2, "nop.w"), END)


PUBLISHED: Sequence[MicroBenchmark] = tuple(
    MicroBenchmark(name, code, cycles, "published", **extra)
    for name, code, cycles, extra in (
        ("three wide behind a narrow", _lines(N, (3, W), END), 7, {}),
        ("two wide behind a narrow", _lines(N, (2, W), END), 5, {}),
        ("eight wide behind a narrow", _lines(N, (8, W), END), 12, {}),
        ("four wide, aligned", _lines((4, W), END), 6, {}),
        ("one wide, unaligned", _lines(W, END), 4, {"offset": 2}),
        ("one wide, aligned", _lines(W, END), 3, {}),
        ("one narrow, unaligned", _lines(N, END), 3, {"offset": 2}),
        (
            "loop entered from above",
            _lines("mov r2,r0", "mov.w r0,#1", "{start}:mul r1,r1,r2", "sub.w r3,r3,#1", "cmp r3,#0")
            + "\nbne.n {start}",
            8,
            {"target": 2},
        ),
        ("loop of mul", _loop("{start}:mul r1,r1,r2"), 6, {"offset": 6, "target": 0}),
        ("loop of add", _loop("{start}:adds r1,r1,r2"), 5, {"offset": 6, "target": 0}),
        ("branch not taken in wide code", _not_taken((17, "nop.w")), 24, {}),
        (
            "branch not taken, two narrow inside",
            _not_taken((8, "nop.w"), (2, "nop"), (8, "nop.w")),
            24,
            {},
        ),
        (
            "branch not taken, four narrow inside",
            _not_taken((8, "nop.w"), (4, "nop"), (8, "nop.w")),
            26,
            {},
        ),
        ("IT folds into 16 bit", _lines("movs r0,#1", "it mi", "rsbmi r0,r0,#0", END), 4, {}),
        ("IT does not fold into 32 bit", _lines("movs.w r0,#1", "it mi", "rsbmi r0,r0,#0", END), 5, {}),
        (
            "three unaligned wide stores",
            _lines(N, (3, "str.w r0,[r1]"), END),
            6,
            {"model_cycles": 7},
        ),
        ("four unaligned wide stores", _lines(N, (4, "str.w r0,[r1]"), END), 8, {}),
        ("NOP behind a load", _lines("ldr r0,[r1]", "nop", _ADD, END), 5, {}),
        ("store with register offset", _lines("str r0,[r2,r3]", _ADD, END), 5, {}),
        ("NOP behind it", _lines("str r0,[r2,r3]", "nop", _ADD, END), 5, {}),
        ("store, then load", _lines("str r0,[r1]", "ldr r2,[r3]", _ADD, END), 7, {}),
        ("three stores", _lines((3, "str r0,[r1]"), _ADD, END), 6, {}),
        ("written-back base used", _lines("ldr r0,[r1],#4", "ldr r2,[r1],#4", _ADD, END), 7, {}),
        ("written-back base not used", _lines("ldr r0,[r1],#4", "ldr r2,[r3],#4", _ADD, END), 6, {}),
    )
)

DOCUMENTED: Sequence[MicroBenchmark] = tuple(
    MicroBenchmark(name, code, cycles, "documented")
    for name, code, cycles in (
        ("load, then store", _lines("ldr r0,[r1]", "str r2,[r3]", _ADD, END), 6),
        ("address from arithmetic", _lines("adds r1,r1,#4", "ldr r0,[r1]", _ADD, END), 7),
        ("address from a load", _lines("ldr r1,[r0]", "ldr r2,[r1]", _ADD, END), 7),
        ("literal load", _lines("ldr r0,[pc,#16]", _ADD, END), 6),
        ("load multiple, then use", _lines("ldm r0!,{{r1,r2,r3,r4}}", "adds r1,r1,#1", END), 8),
        ("long multiplies", _lines("umull r0,r1,r2,r3", "umlal r0,r1,r2,r3", END), 4),
        ("product used", _lines("mul r0,r1,r2", "add.w r0,r0,r1", END), 4),
        ("floating-point register moved and used", _lines("vmov r0,s0", "add.w r0,r0,r1", END), 4),
        ("load and store of pairs", _lines("ldrd r0,r1,[r2]", "strd r0,r1,[r3]", END), 8),
        ("loaded value used", _lines("ldr r0,[r1]", "adds r0,r0,#1", END), 5),
        ("long load of PC", _lines("str r0,[r1]", "ldr.w pc,[sp]"), 7),
        ("PC written", "mov pc,lr", 3),
        ("two registers moved", _lines("vmov r4,r5,s0,s1", "adds r6,r6,#1", END), 5),
        ("special register read", _lines("mrs r0,apsr", END), 4),
        ("barrier", _lines("dsb", END), 3),
    )
)

# The floating-point unit works beside the integer pipeline; its next instruction waits until it is free.
FLOATING: Sequence[MicroBenchmark] = tuple(
    MicroBenchmark(name, code, cycles, "documented")
    for name, code, cycles in (
        ("two sums", _lines("vadd.f32 s0,s1,s2", "vmul.f32 s3,s4,s5", END), 4),
        ("sum used", _lines("vadd.f32 s0,s1,s2", "vmul.f32 s3,s0,s4", END), 5),
        ("sum used one later", _lines("vadd.f32 s0,s1,s2", "adds r4,r4,#1", "vmul.f32 s3,s0,s4", END), 5),
        ("sum of products beside arithmetic", _lines("vmla.f32 s0,s1,s2", (2, _ADD), END), 5),
        ("two sums of products", _lines("vfma.f32 s0,s1,s2", "vfma.f32 s3,s4,s5", END), 6),
        ("sum of products used", _lines((2, "vfma.f32 s0,s1,s2"), END), 7),
        ("quotient beside arithmetic", _lines("vdiv.f32 s0,s1,s2", (4, _ADD), END), 7),
        ("quotient, then a sum", _lines("vdiv.f32 s0,s1,s2", "vadd.f32 s3,s4,s5", END), 17),
        ("quotient used", _lines("vdiv.f32 s0,s1,s2", "vadd.f32 s3,s0,s5", END), 18),
        ("square root, then a store", _lines("vsqrt.f32 s0,s1", "vstr s2,[r1]", END), 17),
        ("floating-point load", _lines("vldr s0,[r1]", _ADD, END), 5),
        ("loaded floating-point value used", _lines("vldr s0,[r1]", "vadd.f32 s1,s0,s2", END), 5),
        ("load of a double word", _lines("vldr d0,[r1]", _ADD, END), 6),
        ("floating-point store", _lines("vstr s0,[r1]", _ADD, END), 4),
        ("store of a double word", _lines("vstr d0,[r1]", _ADD, END), 6),
        ("load of four", _lines("vldm r1,{{s0-s3}}", _ADD, END), 8),
        ("store of four", _lines("vstm r1,{{s0-s3}}", _ADD, END), 8),
    )
)

# R0 is 1 and R1 points to memory, 0x20000000.
OPERANDS: Sequence[MicroBenchmark] = tuple(
    MicroBenchmark(name, code, cycles, status, outcome=outcome)
    for name, code, cycles, status, outcome in (
        ("division by zero", _lines("movs r2,#0", "udiv r4,r1,r2", END), 5, "published", DIVISION_ZERO),
        (
            "division by more bits",
            _lines("movs r2,#100", "movs r3,#7", "udiv r4,r3,r2", END),
            7,
            "published",
            DIVISION_SHORT,
        ),
        (
            "division of 30 bits by 2",
            _lines("movs r2,#3", "udiv r4,r1,r2", END),
            15,
            "documented",
            DIVISION_LONG + 28 // STEP,
        ),
        (
            "division by a negative number",
            _lines("mvn r2,#1", "movs r3,#7", "sdiv r4,r3,r2", END),
            9,
            "documented",
            DIVISION_LONG,
        ),
        (
            "division skipped",
            _lines("cmp r0,#1", "it ne", "udivne r4,r1,r0", END),
            4,
            "documented",
            DIVISION_SKIPPED,
        ),
        ("load skipped", _lines("cmp r0,#1", "it ne", "ldrne r2,[r1]", END), 4, "documented", SKIPPED),
        ("load not skipped", _lines("cmp r0,#1", "it eq", "ldreq r2,[r1]", END), 5, "documented", EXECUTED),
        (
            "load skipped, flags changed",
            _lines("cmp r0,#1", "it ne", "ldrne r2,[r1]", "cmp r0,#2", END),
            5,
            "documented",
            SKIPPED,
        ),
        (
            "load skipped, store not",
            _lines("cmp r0,#1", "ite ne", "ldrne r2,[r1]", "streq r0,[r1,#4]", END),
            5,
            "documented",
            SKIPPED,
        ),
        (
            "store multiple skipped",
            _lines("cmp r0,#1", "it ne", "stmne r1!,{{r2,r3,r4,r5}}", END),
            4,
            "documented",
            SKIPPED,
        ),
        (
            "store multiple not skipped",
            _lines("cmp r0,#1", "it eq", "stmeq r1!,{{r2,r3,r4,r5}}", END),
            8,
            "documented",
            EXECUTED,
        ),
        (
            "return by the stack skipped",
            _lines("cmp r0,#1", "it ne", "popne {{r4,pc}}", END),
            4,
            "documented",
            0,
        ),
        (
            "table branch to the next",
            _lines("movs r2,#0", "movs r3,#0", "strb r2,[r1]", "tbb [r1,r3]", END),
            9,
            "documented",
            0,
        ),
        (
            "floating-point division skipped",
            _lines("cmp r0,#1", "it ne", "vdivne.f32 s0,s1,s2", "vmov r4,s3", END),
            5,
            "documented",
            SKIPPED,
        ),
    )
)

# A word is fetched every other cycle, takes one more, and gives way to data.
IN_SRAM: Sequence[MicroBenchmark] = tuple(
    MicroBenchmark(name, code, cycles, status, in_sram=True)
    for name, code, cycles, status in (
        ("one wide in SRAM", _lines(W, END), 5, "documented"),
        ("four wide in SRAM", _lines((4, W), END), 11, "documented"),
        ("eight narrow in SRAM", _lines((8, N), END), 11, "documented"),
        ("store in SRAM", _lines(W, "str.w r0,[r1]", (2, W), END), 12, "documented"),
        ("load in SRAM", _lines("ldr r0,[r1]", N, (2, W), END), 10, "model"),
        ("load multiple in SRAM", _lines("ldm r1,{{r4,r5,r6,r7}}", N, (2, W), END), 14, "model"),
    )
)

MODEL: Sequence[MicroBenchmark] = tuple(
    MicroBenchmark(name, code, cycles, "model")
    for name, code, cycles in (
        ("return by LR", "bx lr", 3),
        (
            "address from a floating-point register",
            _lines("vmov s0,r3", "vmov r1,s0", "ldr r2,[r1]", _ADD, END),
            8,
        ),
        (
            "address from two of them",
            _lines("vmov s0,s1,r3,r4", "vmov r1,r2,s0,s1", "ldr r2,[r1]", _ADD, END),
            9,
        ),
        ("return by the stack", "pop {{r4,pc}}", 5),
        ("push, then pop", _lines("push {{r4-r7}}", "pop {{r4-r7}}", END), 13),
        ("load before wide", _lines("ldr.w r0,[r1]", (4, W), END), 8),
        ("four such groups", _lines(*["ldr.w r0,[r1]", (4, W)] * 4, END), 26),
        ("load and two adds", _lines(*["ldr r0,[r1]", "adds r2,r2,#1", "adds r5,r5,#1"] * 4, END), 18),
        ("load multiple before wide", _lines(N, "ldm.w r2,{{r4,r5,r6,r7}}", (3, W), END), 12),
        ("unaligned wide loads", _lines(N, (5, "ldr.w r0,[r1]"), W, END), 14),
        ("aligned wide loads", _lines((5, "ldr.w r0,[r1]"), W, END), 9),
    )
)

MICRO_BENCHMARKS: Sequence[MicroBenchmark] = (
    *PUBLISHED,
    *DOCUMENTED,
    *FLOATING,
    *OPERANDS,
    *IN_SRAM,
    *MODEL,
)
