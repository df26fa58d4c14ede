"""The Python core: slow, readable, and the native one's oracle. It runs where no native library is."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from unicorn import UC_HOOK_BLOCK, arm_const
from unicorn.unicorn_py3.unicorn import Uc

from mcusim.core.interface import (
    CoreSpec,
    Counts,
    FunctionRange,
    RunCount,
    StackRecord,
    Stop,
    StopState,
    Watch,
)
from mcusim.core.twin_access import AccessTracker
from mcusim.core.twin_calls import CallState
from mcusim.core.twin_stacks import Moment, Stack, StackChange
from mcusim.timing.decode import Instruction, decode_run
from mcusim.timing.flash import FlashSurvey, FlashUnit
from mcusim.timing.isa import Branch, Class, Flag
from mcusim.timing.model import RunCost, TimingModel, ends_line
from mcusim.timing.rules import Parameter

CONTROL_SPSEL, EXCEPTION = 2, 0x1FF


@dataclass(frozen=True, slots=True)
class _StackEffect:
    """What a run does to the stack pointer. Below are offsets from the stack pointer at its start, up to
    the first write that decoding does not tell, and at its end, from the last such write on. ``before`` is
    the stack pointer at the first, ``named``: an MSR is among them."""

    writes: bool
    dynamic: bool
    named: bool
    before: int
    delta: int
    lowest: int
    lowest_back: int


def stack_effect(run: Sequence[Instruction]) -> _StackEffect:
    """Static analysis of a run's stack pointer, in bytes."""
    first: tuple[int, int] | None = None
    sp = lowest = 0
    for instruction in run:
        if instruction.flags & Flag.SP_DYNAMIC:
            first = first or (sp, lowest)
            sp = lowest = 0
        sp += instruction.sp_delta
        lowest = min(lowest, sp)
    writes = any(i.sp_delta or i.flags & Flag.SP_DYNAMIC for i in run)
    named = any(i.flags & Flag.SP_DYNAMIC and i.kind is Class.SYSTEM for i in run)
    if first is None:
        return _StackEffect(writes, False, False, sp, sp, lowest, lowest - sp)
    return _StackEffect(writes, True, named, first[0], sp, first[1], lowest - sp)


class TwinCore:
    """The Core protocol in Python, on ``mcusim.timing`` alone."""

    def __init__(self, uc: Uc, spec: CoreSpec) -> None:
        self._uc = uc
        self._spec = spec
        self._model = TimingModel(spec.model)
        self._starts = [function.start for function in spec.functions]
        self._by_start = {function.start: function for function in spec.functions}
        self._flash = FlashUnit(spec.flash) if spec.flash else None
        self._survey = FlashSurvey(spec.surveyed)
        self._cycles: int = 0
        self._memory = AccessTracker(uc, spec, self._waits_for, self._refuse, lambda: self._cycles)
        self._calls = CallState(self._by_start, spec.areas, self._memory)
        self._costs: dict[tuple[int, int, bool, int], RunCost] = {}
        self._deadline = (1 << 64) - 1
        self._reset(0, 0)
        self._hook: int | None = uc.hook_add(UC_HOOK_BLOCK, self._on_block)

    @property
    def cycles(self) -> int:
        """Cycles up to the start of the pending run's last known block."""
        if self._block == self._start:
            return self._cycles
        outcome = self._outcomes(self._start, self._block)
        return self._cycles + self._cost(self._start, self._block, False, outcome).cycles

    @property
    def block(self) -> tuple[int, int]:
        """Start and end of the last known block."""
        return self._block, self._end

    def cycles_at(self, address: int) -> int:
        """Cycles up to the first execute cycle of an instruction of the pending run."""
        code = self._code(self._start, self._end)
        outcome = self._outcomes(self._start, address)
        return self._cycles + self._model.cycles_at(code, self._start, address, outcome)

    @property
    def call_chain(self) -> Sequence[int]:
        """Starts of the functions on the shadow call stack, outermost first."""
        return self._calls.chain(self._calls.innermost_node)

    def begin(self, address: int, stack_pointer: int, return_address: int = 0, measure: bool = True) -> None:
        """Forget all counts and start at ``address``."""
        self._reset(address, stack_pointer)
        self._waited = 0
        self._waits: Counter[int] = Counter()
        if self._flash:
            self._flash.begin()
        self._survey.begin(is_on=measure)
        self._memory.begin(measure)
        self._calls.reset(stack_pointer, self._spec.stack_limit)
        function = self._function_at(address)
        self._calls.enter(function.start if function else address, return_address, self._now())
        self._calls.stacks.present.lowest = stack_pointer
        if return_address:
            self._calls.stop_on_return()
        self._calls.stacks.present.deepest_node = self._calls.current

    def resume(self) -> None:
        """Clear the stop state."""
        self._stop_state = StopState(Stop.NONE)
        if self._start == self._end:
            self._sp = self._read_sp()

    def pause(self, pc: int) -> None:
        """The engine came to rest at ``pc``."""
        self._memory.pause(pc)

    def note(self, pc: int, address: int, size: int, store: bool) -> None:
        """An access that no instruction makes by itself."""
        self._memory.note(pc, address, size, store)

    def set_heap(self, start: int, end: int) -> None:
        """Where the heap is."""
        self._memory.set_heap(start, end)

    def set_stack_limit(self, limit: int) -> None:
        """The lowest address that the main stack may have."""
        self._calls.stacks.all[0].limit = limit

    def set_deadline(self, cycles: int) -> None:
        """Stop at the end of the run, or before the block, that comes at ``cycles`` or later."""
        self._deadline = cycles

    def trap_unaligned(self, traps: bool) -> None:
        """Whether every unaligned access stops."""
        self._memory.traps_unaligned = traps

    def jump(self, address: int, cycles: int) -> None:
        """The machine moves execution to ``address``."""
        came_from = self._end
        if self._start != self._end:
            self._commit(self._end, 0)
        self._cycles += cycles
        is_entry, is_handler = address in self._by_start, self._is_in_exception()
        stopped = self._calls.leave_to(address, self._now(), deep=False)
        is_over = stopped is not None
        if not is_over and is_entry and is_handler:
            exception = self._calls.exception
            if exception and exception.entry.sp == self._read_sp() == self._sp:
                came_from = exception.return_address
                stopped = self._calls.leave_exception(self._now())
        elif not is_over:
            stopped = self._calls.leave_exception(self._now())
            is_over = stopped is not None
        self._change_stack()
        if is_over and is_entry and self._calls.stacks.present.is_fresh:
            self._calls.drop_fresh_frames()  # a thread begins on a stack of its own
            self._calls.tail(address, self._now())
        elif not is_over and is_entry:
            self._calls.enter(address, came_from, self._now())
            self._calls.mark_exception()
        elif not is_over:
            stopped = self._calls.leave_to(address, self._now(), deep=True)
        self._calls.keep_frames()
        if stopped:
            self._stop(Stop.RETURNED, stopped)
        self._restart(address)

    def finish(self, end: int) -> None:
        """Commit the pending run up to ``end``."""
        if not self._start <= end <= self._end:
            end = self._end
        if end > self._start:
            self._commit(end, 0)
        self._restart(end)

    def stop_state(self) -> StopState:
        """Why the core stopped the engine."""
        return self._stop_state

    def counts(self) -> Counts:
        """Everything counted so far; runs sorted by address."""
        self._calls.settle(self._now())
        memory, figures = self._memory.count()
        return Counts(
            cycles=self._cycles,
            instructions=self._instructions,
            runs=tuple(
                RunCount(start, end, following, count, node, outcome)
                for (start, end, following, node, outcome), count in sorted(self._runs.items())
            ),
            nodes=tuple(self._calls.nodes),
            layers=self._calls.layer_records(figures),
            stacks=tuple(self._stack_record(stack) for stack in self._calls.stacks.all),
            high_water=tuple(self._memory.high_water(part) for part in self._spec.sram),
            memory=memory,
            waits={pc: cycles for pc, cycles in sorted(self._waits.items()) if cycles},
            flash_reads=[
                self._survey.counts(i, len(self._calls.nodes)) for i in range(len(self._spec.surveyed))
            ],
            memory_map=self._memory.liveness.memory_map() if self._spec.tracked else None,
        )

    def close(self) -> None:
        """Remove the hooks; further calls do nothing."""
        self._memory.close()
        if self._hook is not None:
            self._uc.hook_del(self._hook)
            self._hook = None

    def _reset(self, address: int, sp: int) -> None:
        self._restart(address)
        self._cycles = 0
        self._instructions: int = 0
        self._sp = sp
        self._overflow: StopState | None = None
        self._stop_state = StopState(Stop.NONE)
        self._runs: Counter[tuple[int, int, int, int, int]] = Counter()

    def _restart(self, address: int) -> None:
        """The pending run is empty and starts at ``address``."""
        self._start: int = address
        self._block: int = address
        self._end: int = address

    def _now(self) -> Moment:
        return Moment(self._cycles, self._instructions, self._sp)

    def _read_sp(self) -> int:
        return int(self._uc.reg_read(arm_const.UC_ARM_REG_SP))

    def _stop(self, why: Stop, address: int, instruction: int = 0) -> None:
        if self._stop_state.stop < Stop.CYCLES:
            self._stop_state = StopState(why, address, instruction)
            self._uc.emu_stop()

    def _refuse(self, fault: StopState) -> None:
        self._stop(fault.stop, fault.address, fault.instruction)

    def _function_at(self, address: int) -> FunctionRange | None:
        index = bisect_right(self._starts, address) - 1
        if index < 0 or address >= self._spec.functions[index].end:
            return None
        return self._spec.functions[index]

    def _cost(self, start: int, end: int, taken: bool, outcome: int = 0) -> RunCost:
        key = start, end, taken, outcome
        if key not in self._costs:
            self._costs[key] = self._model.cost(self._code(start, end), start, taken, outcome)
        return self._costs[key]

    def _outcomes(self, start: int, end: int) -> int:
        """What the pending run did between its start and ``end``."""
        return self._memory.outcomes(decode_run(self._code(start, end), start))

    def _code(self, start: int, end: int) -> bytes:
        """Bytes of a run, none outside every region."""
        for region in self._spec.code:
            if region.start <= start and end <= region.start + region.data.nbytes:
                return bytes(region.data[start - region.start : end - region.start])
        return b""

    def _on_block(self, _uc: Uc, address: int, size: int, _user: object) -> None:
        self._memory.settle()
        if self._overflow is not None:
            self._refuse(self._overflow)
        if self._memory.is_over or self._overflow is not None:
            return
        if not self._goes_on(address):
            if self._start != self._end:
                self._commit(self._end, address)
            self._start = self._end = address
            if self._stop_state.stop is not Stop.NONE:
                size = 0
        self._block = address
        if self._cycles >= self._deadline and self._stop_state.stop is Stop.NONE:
            self._stop(Stop.DEADLINE, 0)
            size = 0
        self._end += size
        if size:
            self._memory.liveness.advance()

    def _goes_on(self, address: int) -> bool:
        """Whether a block that starts at ``address`` belongs to the pending run."""
        if address != self._end:
            return False
        if self._start == self._end or address not in self._by_start:
            return True
        run = self._cost(self._start, self._end, False).instructions
        return not (run and ends_line(run[-1]))

    def _commit(self, end: int, following: int) -> None:
        outcome = self._outcomes(self._start, end)
        self._memory.forget_outcomes()
        cost = self._cost(self._start, end, following != 0, outcome)
        self._runs[self._start, end, following, self._calls.current, outcome] += 1
        self._cycles += cost.cycles + self._waited
        self._waited = 0
        if self._flash:
            fetched = self._flash.fetch(self._start, end, cost.cycles)
            self._cycles += fetched
            self._waits[self._start] += fetched
        self._survey.commit(self._calls.current, self._start, end, cost.cycles)
        self._instructions += len(cost.instructions)
        self._commit_stack(cost.instructions)
        if following and cost.instructions:
            self._branch(cost.instructions[-1], following)
        unknown = [i.address for i in cost.instructions if i.kind is Class.UNKNOWN]
        if unknown or not cost.instructions:
            blamed = unknown[0] if unknown else self._start
            self._stop(Stop.UNDECODED, blamed, blamed)
        if self._spec.cycle_limit and self._cycles >= self._spec.cycle_limit:
            self._stop(Stop.CYCLES, 0)
        elif self._cycles >= self._deadline and self._stop_state.stop is Stop.NONE:
            self._stop(Stop.DEADLINE, 0)

    def _waits_for(self, pc: int, address: int, size: int, store: bool) -> None:
        """An access of the run took longer: data that are not aligned (rule 14), constants in flash."""
        step = self._model.parameters[Parameter.UNALIGNED]
        waited = 0
        if size in (2, 4) and address % size:
            waited += 2 * step if size == 4 and address & 1 else step
        if self._flash and not store:
            waited += sum(self._flash.read(address + offset) for offset in range(0, size, 4))
        if not store:
            self._survey.read(address, size)
        self._waited += waited
        self._waits[pc] += waited

    def _stack_record(self, stack: Stack) -> StackRecord:
        return StackRecord(
            top=stack.top,
            lowest=stack.deepest,
            chain=self._calls.chain(stack.deepest_node),
            area=self._spec.areas[stack.area] if stack.area >= 0 else None,
            is_process=stack.is_process,
        )

    def _is_in_exception(self) -> bool:
        return bool(self._uc.reg_read(arm_const.UC_ARM_REG_XPSR) & EXCEPTION)

    def _uses_process_stack(self) -> bool:
        """PSP is in use: CONTROL.SPSEL, outside of exceptions (Arm DDI 0403E, B1.4.1)."""
        control = int(self._uc.reg_read(arm_const.UC_ARM_REG_CONTROL))
        return bool(control & CONTROL_SPSEL) and not self._is_in_exception()

    def _commit_stack(self, run: Sequence[Instruction]) -> None:
        effect = stack_effect(run)
        if not effect.writes:
            return
        before, self._sp = self._sp, self._read_sp()
        self._note_stack(before + effect.lowest, run, before)
        if effect.dynamic:
            process = self._calls.stacks.present.is_process
            if effect.named:
                process = self._uses_process_stack()
            change = StackChange(before + effect.before, self._sp - effect.delta, process, effect.named)
            self._calls.change_stack(change, self._now())
            self._note_stack(self._sp + effect.lowest_back, run, before)

    def _change_stack(self) -> None:
        """The machine has moved the stack pointer. An exception leaves its frame on the stack of what it
        interrupts."""
        before, stack = self._sp, self._calls.stacks.present
        self._sp = self._read_sp()
        self._calls.change_stack(StackChange(before, self._sp, self._uses_process_stack()), self._now())
        if self._calls.stacks.present is stack:
            self._note_frame(stack, self._sp)
        elif stack.is_process:
            self._note_frame(stack, int(self._uc.reg_read(arm_const.UC_ARM_REG_PSP)))

    def _note_frame(self, stack: Stack, lowest: int) -> None:
        if lowest >= stack.deepest:
            return
        stack.deepest = lowest
        stack.deepest_node = stack.frames[-1].node if stack.frames else -1
        if lowest < stack.limit:
            self._overflow = StopState(Stop.STACK, lowest, self._end)

    def _note_stack(self, lowest: int, run: Sequence[Instruction], before: int) -> None:
        stack = self._calls.stacks.present
        stack.lowest = min(stack.lowest, lowest)
        if lowest >= stack.deepest:
            return
        stack.deepest, stack.deepest_node = lowest, self._calls.current
        if lowest < stack.limit:
            self._stop(Stop.STACK, lowest, self._culprit(run, before, stack.limit))

    def _culprit(self, run: Sequence[Instruction], sp: int, limit: int) -> int:
        """The instruction that moved the stack pointer below its limit."""
        culprit = run[0].address
        for instruction in run:
            if instruction.flags & Flag.SP_DYNAMIC:
                return instruction.address
            sp += instruction.sp_delta
            culprit = instruction.address if instruction.sp_delta < 0 else culprit
            if sp < limit:
                break
        return culprit

    def _branch(self, last: Instruction, following: int) -> None:
        """What the branch at the end of a run does to the call stack."""
        if last.branch in (Branch.CALL, Branch.CALL_INDIRECT):
            self._calls.enter(following, last.end, self._now())
            self._stop_on_entry(following)
        elif last.branch in (Branch.RETURN, Branch.INDIRECT):
            self._branch_indirectly(following)
        elif last.branch is Branch.DIRECT and self._is_tail_call(last.address, following):
            self._calls.tail(following, self._now())
            self._stop_on_entry(following)

    def _is_tail_call(self, address: int, following: int) -> bool:
        function = self._by_start.get(following)
        return function is not None and self._function_at(address) is not function

    def _branch_indirectly(self, following: int) -> None:
        stopped = self._calls.leave_to(following, self._now(), deep=False)
        if stopped is not None:
            self._calls.keep_frames()
        elif following in self._by_start:
            self._calls.drop_fresh_frames()
            self._calls.tail(following, self._now())
            self._stop_on_entry(following)
        else:
            stopped = self._calls.leave_to(following, self._now(), deep=True)
        if stopped:
            self._stop(Stop.RETURNED, stopped)

    def _stop_on_entry(self, address: int) -> None:
        function = self._by_start.get(address)
        if function is not None and function.watch & Watch.STOP:
            self._stop(Stop.ENTERED, address)
