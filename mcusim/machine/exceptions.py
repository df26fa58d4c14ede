"""Exceptions: what is pending, what is taken, stacking and unstacking, and what that costs.

Arm DDI 0403 (ARMv7-M ARM), B1.5. Interrupts are taken at the edges of linear runs. Faults are not delivered:
they end the simulation. Priorities are not grouped: every one preempts those below.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from unicorn import arm_const

from mcusim.core.interface import Core
from mcusim.machine.devices.nvic import FIRST_INTERRUPT, InterruptController
from mcusim.machine.devices.scb import SystemControlBlock
from mcusim.machine.devices.systick import SysTick
from mcusim.machine.engine import Engine
from mcusim.machine.memory import DebugPort
from mcusim.timing.rules import Parameter, parameters

SVCALL, PENDSV, SYSTICK = 11, 14, 15
NEVER = (1 << 64) - 1
POLL = 64
"""Cycles after which an exception that is masked is looked at again: nothing tells when it no longer is."""

THREAD_PRIORITY = 256
EXC_RETURN, TO_THREAD, TO_PROCESS_STACK, BASIC_FRAME = 0xFFFF_FFE1, 0x8, 0x4, 0x10
SPSEL, FPCA = 2, 4
XPSR_NUMBER, XPSR_IT, XPSR_ALIGN, XPSR_T = 0x1FF, 0x0600_FC00, 1 << 9, 1 << 24
WORDS, FP_WORDS = 8, 18
"""Of a basic frame, and what one with floating-point registers has more: S0 to S15, FPSCR, and a gap."""

_R0, _R12 = arm_const.UC_ARM_REG_R0, arm_const.UC_ARM_REG_R12
_SP, _LR, _XPSR = arm_const.UC_ARM_REG_SP, arm_const.UC_ARM_REG_LR, arm_const.UC_ARM_REG_XPSR
_STACKED = (_R0, _R0 + 1, _R0 + 2, _R0 + 3, _R12, _LR)
_FP = (*(arm_const.UC_ARM_REG_S0 + i for i in range(16)), arm_const.UC_ARM_REG_FPSCR)


COSTS = parameters()
"""Rule 20, by Parameter."""


@dataclass
class Exceptions:
    """Owned by the machine. ``handler_at`` tells the address of a vector's handler, None if it has none."""

    engine: Engine
    port: DebugPort
    core: Core
    handler_at: Callable[[int], int | None]
    control: SystemControlBlock
    interrupts: InterruptController
    timer: SysTick
    active: list[int] = field(default_factory=list)
    _tick: int = NEVER

    def changed(self) -> None:
        """A device was written: what is pending or when the timer ends may be another."""
        self._tick = self.timer.next_end()
        self._schedule()

    def take_due(self, pc: int) -> int:
        """Take what is due before the instruction at ``pc``; where execution goes on."""
        if self.core.cycles >= self._tick:
            self.control.pending.add(SYSTICK)
            self._tick = self.timer.next_end()
        number = self._next()
        if number is not None:
            pc = self.enter(number, pc)
        self._schedule()
        return pc

    def may_take(self, number: int) -> bool:
        """Whether an exception has a handler and a priority to preempt what runs."""
        return self.handler_at(number) is not None and self._priority(number) < self._running_priority()

    def enter(self, number: int, pc: int) -> int:
        """Stack the registers, ``pc`` being where to come back to; the handler's address."""
        flags = self.engine.reg_read(_XPSR)
        control = self.engine.reg_read(arm_const.UC_ARM_REG_CONTROL)
        code = EXC_RETURN | (0 if control & FPCA else BASIC_FRAME)
        if not self.active:
            code |= TO_THREAD | (TO_PROCESS_STACK if control & SPSEL else 0)
        self._push(pc, flags, bool(control & FPCA))
        self.engine.reg_write(arm_const.UC_ARM_REG_CONTROL, control & ~(SPSEL | FPCA))
        return self._start(number, code, flags, Parameter.EXCEPTION_ENTRY)

    def leave(self, code: int) -> int:
        """Return by the value ``code`` of EXC_RETURN, its bit 0 aside; where execution goes on."""
        self.active.pop()
        if self.core.cycles >= self._tick:
            self.control.pending.add(SYSTICK)
            self._tick = self.timer.next_end()
        number = self._next()
        if number is not None:
            pc = self._start(number, code | 1, self.engine.reg_read(_XPSR), Parameter.TAIL_CHAIN)
        else:
            pc = self._pop(code)
            self.core.jump(pc, COSTS[Parameter.EXCEPTION_RETURN])
        self._schedule()
        return pc

    def sleep(self, pc: int) -> int | None:
        """WFI: let the time pass that it takes to the next exception; None if there is none."""
        if self._pending():
            return self.take_due(pc)
        if self._tick == NEVER:
            return None
        self.core.jump(pc, max(0, self._tick - self.core.cycles))
        return self.take_due(pc)

    def _start(self, number: int, code: int, flags: int, cost: Parameter) -> int:
        handler = self.handler_at(number)
        if handler is None:
            raise RuntimeError("an exception without a handler is not taken")
        self.control.pending.discard(number)
        self.interrupts.pending.discard(number)
        self.active.append(number)
        self.interrupts.active = frozenset(self.active)
        self.engine.reg_write(_XPSR, flags & ~(XPSR_NUMBER | XPSR_IT) | XPSR_T | number)
        self.engine.reg_write(_LR, code)
        self.core.jump(handler, COSTS[cost])
        return handler

    def _push(self, pc: int, flags: int, with_fp: bool) -> None:
        top = self.engine.reg_read(_SP)
        frame = top - 4 * (WORDS + (FP_WORDS if with_fp else 0)) & ~7
        aligned = XPSR_ALIGN if top & 4 else 0
        words = [*(self.engine.reg_read(r) for r in _STACKED), pc, flags & ~XPSR_ALIGN | aligned]
        if with_fp:
            words += [self.engine.reg_read(r) for r in _FP]
        self.port.write(frame, b"".join(word.to_bytes(4, "little") for word in words))
        self.engine.reg_write(_SP, frame)

    def _pop(self, code: int) -> int:
        """Unstack, from the stack that ``code`` names; the address to go on at."""
        self.interrupts.active = frozenset(self.active)
        control = self.engine.reg_read(arm_const.UC_ARM_REG_CONTROL) & ~(SPSEL | FPCA)
        with_fp = not code & BASIC_FRAME
        control |= (SPSEL if code & TO_PROCESS_STACK else 0) | (FPCA if with_fp else 0)
        self.engine.reg_write(_XPSR, self.engine.reg_read(_XPSR) & ~XPSR_NUMBER)
        self.engine.reg_write(arm_const.UC_ARM_REG_CONTROL, control)
        frame = self.engine.reg_read(_SP)
        count = WORDS + (len(_FP) if with_fp else 0)
        raw = self.port.read(frame, 4 * count) or bytes(4 * count)
        words = [int.from_bytes(raw[i : i + 4], "little") for i in range(0, len(raw), 4)]
        registers = (*_STACKED, *(_FP if with_fp else ()))
        values = (*words[: len(_STACKED)], *words[WORDS:])
        for register, value in zip(registers, values, strict=True):
            self.engine.reg_write(register, value)
        pc, flags = words[len(_STACKED) : WORDS]
        size = 4 * (WORDS + (FP_WORDS if with_fp else 0)) + (4 if flags & XPSR_ALIGN else 0)
        self.engine.reg_write(_SP, frame + size)
        self.engine.reg_write(_XPSR, flags & ~XPSR_ALIGN)
        return pc & ~1

    def _pending(self) -> list[int]:
        """Everything that waits, the most urgent first; of equals the lowest number."""
        waiting = self.control.pending | (self.interrupts.pending & self.interrupts.enabled)
        return sorted(waiting, key=lambda number: (self._priority(number), number))

    def _next(self) -> int | None:
        return next((number for number in self._pending()[:1] if self.may_take(number)), None)

    def _priority(self, number: int) -> int:
        if number >= FIRST_INTERRUPT:
            return self.interrupts.priority(number)
        return self.control.priority(number)

    def _running_priority(self) -> int:
        """B1.5.4: of the active exceptions, raised by the masks."""
        level = min((self._priority(number) for number in self.active), default=THREAD_PRIORITY)
        base = self.engine.reg_read(arm_const.UC_ARM_REG_BASEPRI)
        level = min(level, base) if base else level
        if self.engine.reg_read(arm_const.UC_ARM_REG_PRIMASK) & 1:
            level = min(level, 0)
        return -1 if self.engine.reg_read(arm_const.UC_ARM_REG_FAULTMASK) & 1 else level

    def _schedule(self) -> None:
        """When the core is to stop for the next exception."""
        deadline = self._tick
        pending = self._pending()
        if pending and self.handler_at(pending[0]) is not None:
            deadline = min(deadline, 0 if self.may_take(pending[0]) else self.core.cycles + POLL)
        self.core.set_deadline(deadline)
