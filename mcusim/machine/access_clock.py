"""The time of an access to a device, exact to the instruction that makes it.

While a device is asked, the emulator knows the block that runs but not the instruction inside it. The
registers are those of that moment, so the instruction is the next load or store of the block, behind the
one that asked last, whose address is the one that is accessed and whose condition holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from unicorn import arm_const

from mcusim.core.interface import Core
from mcusim.timing.outcomes import condition_holds

WORD = 4
ALWAYS = 14
"""Condition of an instruction that is not skipped (Arm DDI 0403E, A7.3)."""


@dataclass(frozen=True)
class MemoryOperand:
    """An access to [``base`` + (``index`` << ``shift``) + ``offset``, that + ``reach``) by the instruction at
    ``instruction``. Registers are the emulator's identifiers, ``index`` 0 for none."""

    instruction: int
    store: bool
    base: int
    index: int
    shift: int
    offset: int
    reach: int
    condition: int = ALWAYS


class AccessClock:
    """Owned by the machine; ``open`` and ``close`` bracket a device's call, ``cycles`` is what it asks."""

    def __init__(
        self, core: Core, register: Callable[[int], int], code: Callable[[int, int], bytes | None]
    ) -> None:
        """``register`` reads one by the emulator's identifier, ``code`` (address, size) memory."""
        self._core = core
        self._register = register
        self._code = code
        self._operands: dict[tuple[int, int], Sequence[MemoryOperand]] = {}
        self._access: tuple[int, bool] | None = None
        self._answer: int | None = None
        self._last: tuple[int, int, int] = (0, 0, 0)
        """Cycles at the block's start, the block, and the instruction that asked last in it."""

    def open(self, address: int, *, store: bool) -> None:
        """A device is asked for ``address``."""
        self._access = address, store
        self._answer = None

    def close(self) -> None:
        """The device has answered."""
        self._access = None

    def cycles(self) -> int:
        """Cycles up to the instruction that makes the open access; up to its block if there is none."""
        if self._access is None:
            return self._core.cycles
        if self._answer is None:
            self._answer = self._cycles(*self._access)
        return self._answer

    def _cycles(self, address: int, store: bool) -> int:
        start, end = self._core.block
        before = self._core.cycles
        behind = self._last[2] if self._last[:2] == (before, start) else 0
        instruction = self._find(start, end, address, store, behind)
        if instruction is None:
            return before
        self._last = before, start, instruction
        return self._core.cycles_at(instruction)

    def _find(self, start: int, end: int, address: int, store: bool, behind: int) -> int | None:
        """The instruction of the block that accesses ``address``, not before ``behind``; only one that moves
        several words can be the one that asked before."""
        for operand in self._operands_of(start, end):
            if operand.instruction < behind or (operand.instruction == behind and operand.reach <= WORD):
                continue
            reaches = operand.store == store and 0 <= address - self._address(operand) < operand.reach
            if reaches and self._is_executed(operand):
                return operand.instruction
        return None

    def _is_executed(self, operand: MemoryOperand) -> bool:
        """Whether its condition holds now; that was so then if it is the one that asks."""
        if operand.condition >= ALWAYS:
            return True
        return condition_holds(operand.condition, self._register(arm_const.UC_ARM_REG_XPSR))

    def _address(self, operand: MemoryOperand) -> int:
        literal = operand.base == arm_const.UC_ARM_REG_PC
        base = operand.instruction + 4 & ~3 if literal else self._register(operand.base)
        index = self._register(operand.index) if operand.index else 0
        return base + (index << operand.shift) + operand.offset & 0xFFFF_FFFF

    def _operands_of(self, start: int, end: int) -> Sequence[MemoryOperand]:
        key = start, end
        if key not in self._operands:
            code = self._code(start, end - start) or b""
            self._operands[key] = tuple(memory_operands(code, start))
        return self._operands[key]


@cache
def _disassembler() -> Any:
    import capstone

    engine = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    engine.detail = True
    engine.skipdata = True
    return engine


def memory_operands(code: bytes, start: int) -> Iterator[MemoryOperand]:
    """Loads and stores in ``code``, in order; without those through the stack pointer alone (PUSH, POP).

    The disassembler numbers registers as the emulator does.
    """
    from capstone import arm

    for instruction in _disassembler().disasm(code, start):
        name = instruction.mnemonic
        if not name.startswith(("ld", "st", "vld", "vst")):
            continue
        operands = instruction.operands
        place, store = instruction.address, name.startswith(("st", "vst"))
        condition = instruction.cc - arm.ARM_CC_EQ
        memory = next((o for o in operands if o.type == arm.ARM_OP_MEM), None)
        if memory is None:
            reach = WORD * (len(operands) - 1)
            yield MemoryOperand(place, store, operands[0].reg, 0, 0, 0, reach, condition)
        else:
            reach = 2 * WORD if name.startswith(("ldrd", "strd")) else WORD
            where = memory.mem
            yield MemoryOperand(
                place, store, where.base, where.index, memory.shift.value, where.disp, reach, condition
            )
