"""The manual's table of cycles added up, instruction by instruction: a baseline for the model to beat."""

from __future__ import annotations

from collections.abc import Mapping

from mcusim.timing.decode import decode_run
from mcusim.timing.isa import Branch, Class

TRM_REFILL = 2
"""Cycles of a pipeline refill in the flat table; the manual says 1 to 3."""
TRM_DIVIDE = 7
"""The manual says 2 to 12."""
_TRM: Mapping[Class, int] = {
    Class.LOAD: 2,
    Class.STORE: 2,
    Class.STORE_INDEXED: 2,
    Class.DIVIDE: TRM_DIVIDE,
    Class.TABLE_BRANCH: 2,
    Class.FP_MOVE_PAIR: 2,
    Class.FP_MAC: 3,
    Class.FP_DIVIDE: 14,
    Class.FP_LOAD: 2,
    Class.FP_STORE: 2,
    Class.LOAD_PAIR: 3,
    Class.STORE_PAIR: 3,
    Class.FP_LOAD_DOUBLE: 3,
    Class.FP_STORE_DOUBLE: 3,
}
"""Cycles by class, Arm 100166 (Cortex-M4 TRM), 3.3 and 7.2.3; all other instructions take one."""
_MULTIPLE = (Class.LOAD_MANY, Class.STORE_MANY, Class.FP_LOAD_MANY, Class.FP_STORE_MANY)


def flat_cycles(code: bytes, start: int, taken: bool) -> dict[int, int]:
    """Cycles per instruction address of a linear run by the manual's table alone."""
    run = decode_run(code, start)
    cycles = {}
    for instruction in run:
        words = instruction.count if instruction.kind in _MULTIPLE else 0
        cost = 1 + words if words else _TRM.get(instruction.kind, 1)
        leaves = instruction is run[-1] and taken
        jumps = leaves and instruction.branch is not Branch.NONE
        cycles[instruction.address] = cost + (TRM_REFILL if jumps else 0)
    return cycles
