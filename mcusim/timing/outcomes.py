"""What a pass through a run did where that depends on data: what was skipped, and what divided.

Few instructions cost something else from pass to pass: divisions (rule 17), and those of an IT block that
take more than a plain cycle (rule 15). Their outcomes in one pass, first instruction in the low bits, make
the number that tells one pass through a run from another; 0 where nothing was followed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mcusim.timing.decode import Instruction
from mcusim.timing.isa import Branch, Class, Flag

EXECUTED, SKIPPED = 0, 1
"""Of an instruction in an IT block."""

DIVISION_UNKNOWN, DIVISION_ZERO, DIVISION_SHORT, DIVISION_LONG, DIVISION_SKIPPED = 0, 1, 2, 3, 15
"""Of a division: nothing is known, an operand is zero, the dividend has fewer significant bits than the
divisor, or at least as many (and one more for every STEP bits), or it was skipped."""

STEP = 4
SKIP_BITS, DIVISION_BITS, ALL_BITS = 1, 4, 32
"""Width of an outcome, and of all outcomes of a run; those beyond are not followed."""

_SAME_EITHER_WAY = frozenset({Class.UNKNOWN, Class.ALU, Class.MULTIPLY, Class.NOP, Class.IT, Class.FP_MOVE})
"""One cycle, skipped or not."""


def condition_holds(condition: int, status: int) -> bool:
    """Whether ``condition`` (0 to 15) holds under the flags of xPSR (Arm DDI 0403E, A7.3.1)."""
    n, z, c, v = (bool(status >> bit & 1) for bit in (31, 30, 29, 28))
    even = (z, c, n, v, c and not z, n == v, n == v and not z, True)[condition >> 1]
    return even or condition >= 14 if not condition & 1 else not even or condition >= 14


def outcome_bits(instruction: Instruction) -> int:
    """How many bits tell what the instruction did; 0 where it always costs the same, or where the next
    run's start tells (branches)."""
    if instruction.branch is not Branch.NONE:
        return 0
    if instruction.kind is Class.DIVIDE:
        return DIVISION_BITS
    may_be_skipped = instruction.flags & Flag.CONDITIONAL and instruction.kind not in _SAME_EITHER_WAY
    return SKIP_BITS if may_be_skipped else 0


def division_outcome(dividend: int, divisor: int, *, signed: bool) -> int:
    """Outcome of a division of two register values; of a negative number its absolute value counts."""
    bits = [_magnitude(value, signed).bit_length() for value in (dividend, divisor)]
    if not all(bits):
        return DIVISION_ZERO
    more = bits[0] - bits[1]
    return DIVISION_SHORT if more < 0 else DIVISION_LONG + more // STEP


def _magnitude(value: int, signed: bool) -> int:
    return (1 << 32) - value if signed and value >> 31 else value


def with_outcomes(run: Sequence[Instruction], outcome: int, *, taken: bool) -> list[Instruction]:
    """The run as it was executed in passes of that outcome. A branch of an IT block was skipped unless it
    ended the run."""
    executed = []
    position = 0
    for index, instruction in enumerate(run):
        width = outcome_bits(instruction)
        value = 0
        if width and position + width <= ALL_BITS:
            value = outcome >> position & (1 << width) - 1
        position = position + width if position + width <= ALL_BITS else ALL_BITS
        stayed = _is_skippable_branch(instruction) and not (taken and index == len(run) - 1)
        if stayed or value == (DIVISION_SKIPPED if width == DIVISION_BITS else SKIPPED):
            instruction = _skipped(instruction)
        elif value:
            instruction = replace(instruction, outcome=value)
        executed.append(instruction)
    return executed


def _is_skippable_branch(instruction: Instruction) -> bool:
    """In an IT block; one to an address in the encoding costs the same if it is not taken."""
    in_it = instruction.flags & Flag.CONDITIONAL and not instruction.flags & Flag.CONDITION
    return bool(in_it) and instruction.branch not in (Branch.NONE, Branch.DIRECT)


def _skipped(instruction: Instruction) -> Instruction:
    """An instruction that passes through the pipeline without doing anything: one cycle."""
    return replace(
        instruction,
        kind=Class.ALU,
        address_registers=0,
        writes=0,
        fp_reads=0,
        fp_writes=0,
        base=-1,
        count=0,
        branch=Branch.NONE,
        flags=instruction.flags & ~(Flag.LITERAL | Flag.WRITE_BACK),
    )
