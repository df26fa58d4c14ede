"""What each instruction of a line costs and waits for: the rules applied to neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mcusim.timing.decode import Instruction
from mcusim.timing.isa import Branch, Class, Flag
from mcusim.timing.outcomes import DIVISION_LONG, DIVISION_SHORT, DIVISION_ZERO
from mcusim.timing.rules import CLASS_CYCLES, Parameter

_SINGLE_STORES = frozenset({Class.STORE, Class.STORE_INDEXED})
_LOADS = frozenset({Class.LOAD, Class.LOAD_MANY, Class.LOAD_PAIR})
_STORES = _SINGLE_STORES | {Class.STORE_MANY, Class.STORE_PAIR}
_ACCESSES = _LOADS | _STORES
_ALU = frozenset({Class.ALU, Class.MULTIPLY, Class.DIVIDE})
_FP_ARITHMETIC = frozenset({Class.FP_ALU, Class.FP_MAC, Class.FP_DIVIDE})
_FP = frozenset(kind for kind in Class if kind >= Class.FP_MOVE)
_SINGLE_ACCESSES = _SINGLE_STORES | {Class.LOAD, Class.TABLE_BRANCH, Class.FP_LOAD, Class.FP_STORE}
_DOUBLE_ACCESSES = frozenset({Class.LOAD_PAIR, Class.STORE_PAIR, Class.FP_LOAD_DOUBLE, Class.FP_STORE_DOUBLE})
_WRITING_BASE = frozenset({Class.LOAD, Class.LOAD_PAIR, Class.STORE_PAIR}) | _SINGLE_STORES


@dataclass(slots=True)
class Step:
    """An instruction on the timeline; one with an IT folded into it is one step.

    ``cost`` occupies the pipeline, ``stall`` is waited for before execution, beyond the cost of the step
    before. ``fp_latency`` is how long the floating-point unit is busy from execution on, ``fp_stall``
    the wait beyond that for a result. ``data_words`` are read or written.
    ``rules`` are the numbers of the rules that made the stall.
    """

    start: int
    end: int
    instructions: int
    cost: int
    stall: int = 0
    rules: tuple[int, ...] = ()
    frees_word: bool = False
    blocks_fetch: bool = False
    falls_through: bool = False
    data_words: int = 0
    uses_fpu: bool = False
    fp_latency: int = 0
    fp_stall: int = 0


def _feeds_address(first: Instruction, second: Instruction) -> bool:
    """Whether ``second`` addresses by a result of ``first``; a written-back base is rule 6's."""
    results = first.writes if first.base < 0 else first.writes & ~(1 << first.base)
    return results & second.address_registers != 0


def _cost(current: Instruction, following: Instruction | None, parameters: Sequence[int]) -> int:
    fixed, per_word = CLASS_CYCLES[current.kind]
    cost = parameters[fixed] + parameters[per_word] * current.count
    followed_by_nop = following is not None and following.kind is Class.NOP
    if current.kind is Class.LOAD:
        if _load_pipelines(current, following) or followed_by_nop:
            cost = parameters[Parameter.LOAD_PIPELINED]
        if current.flags & Flag.LITERAL:
            cost += parameters[Parameter.LITERAL]
    elif current.kind is Class.STORE_INDEXED and followed_by_nop:
        cost = parameters[Parameter.STORE]
    elif current.outcome:
        cost = _division_cost(current.outcome, parameters)
    return cost


def _division_cost(outcome: int, parameters: Sequence[int]) -> int:
    if outcome < DIVISION_LONG:
        known = {DIVISION_ZERO: Parameter.DIVIDE_ZERO, DIVISION_SHORT: Parameter.DIVIDE_SHORT}
        return parameters[known[outcome]]
    return min(parameters[Parameter.DIVIDE_LONG] + outcome - DIVISION_LONG, parameters[Parameter.DIVIDE_MOST])


def _load_pipelines(current: Instruction, following: Instruction | None) -> bool:
    return following is not None and following.kind in _ACCESSES and not _feeds_address(current, following)


class _Stalls:
    """Collects the waits between two neighbours; remembers that rule 6 applies once a pair."""

    def __init__(self, parameters: Sequence[int]) -> None:
        self._parameters = parameters
        self._charged = False

    def between(self, previous: Instruction | None, current: Instruction) -> tuple[int, tuple[int, ...]]:
        """Cycles that ``current`` waits because of ``previous``, and the rules that say so."""
        charged, self._charged = self._charged, False
        if previous is None:
            return 0, ()
        found: list[tuple[int, Parameter]] = []
        kinds = previous.kind, current.kind
        if kinds[0] in _STORES and kinds[1] in _LOADS:
            found.append((4, Parameter.STORE_THEN_LOAD))
        if kinds[0] is Class.LOAD and kinds[1] in _SINGLE_STORES and not _feeds_address(previous, current):
            found.append((2, Parameter.LOAD_THEN_STORE))
        if kinds[0] in _ALU and _feeds_address(previous, current):
            found.append((5, Parameter.ADDRESS_FROM_ALU))
        if kinds[0] is Class.FP_MOVE and _feeds_address(previous, current):
            found.append((5, Parameter.ADDRESS_FROM_VMOV))
        if kinds[0] in _WRITING_BASE and not charged and _shares_base(previous, current):
            found.append((6, Parameter.WRITE_BACK_BASE))
            self._charged = True
        if kinds == (Class.LOAD, Class.LOAD) and (previous.wide_unaligned or current.wide_unaligned):
            found.append((11, Parameter.UNALIGNED_LOADS))
        cycles = sum(self._parameters[parameter] for _, parameter in found)
        return cycles, tuple(number for number, parameter in found if self._parameters[parameter])


def _shares_base(previous: Instruction, current: Instruction) -> bool:
    return previous.base >= 0 and current.address_registers >> previous.base & 1 != 0


def _fill_fp(step: Step, current: Instruction, pending_writes: int, parameters: Sequence[int]) -> int:
    """Floating-point part of a step; returns the registers whose result the next one may wait for."""
    step.uses_fpu = True
    dependent = current.fp_reads & pending_writes
    step.fp_stall = parameters[Parameter.FP_DEPENDENT] if dependent else 0
    latency = {Class.FP_MAC: Parameter.FP_MAC, Class.FP_DIVIDE: Parameter.FP_DIVIDE}
    if current.kind in latency:
        step.fp_latency = parameters[latency[current.kind]]
    else:
        step.fp_latency = step.cost
    return current.fp_writes if current.kind in _FP_ARITHMETIC else 0


def _blocks_fetch(current: Instruction, following: Instruction | None, cost: int) -> bool:
    if cost < 2 or current.kind in _SINGLE_STORES:
        return False
    return not (current.kind is Class.LOAD and following is not None and following.kind in _ACCESSES)


def _data_words(current: Instruction) -> int:
    if current.kind in _SINGLE_ACCESSES:
        return 1
    return 2 if current.kind in _DOUBLE_ACCESSES else current.count


def _falls_through(current: Instruction, taken: bool) -> bool:
    return current.branch is Branch.DIRECT and bool(current.flags & Flag.CONDITIONAL) and not taken


def _folds(previous: Instruction | None, current: Instruction) -> bool:
    if current.kind is not Class.IT or previous is None:
        return False
    return previous.size == 2 and previous.kind is not Class.IT


def line_steps(line: Sequence[Instruction], taken: bool, parameters: Sequence[int]) -> list[Step]:
    """Steps of a straight line; ``taken`` tells whether its last instruction is a taken branch."""
    steps: list[Step] = []
    stalls = _Stalls(parameters)
    pending_writes = 0
    previous: Instruction | None = None
    for index, current in enumerate(line):
        before = line[index - 1] if index else None
        if _folds(before, current):
            _fold(steps[-1], current)
            continue
        following = _next_unfolded(line, index)
        cost = _cost(current, following, parameters)
        stall, rules = stalls.between(previous, current)
        step = Step(current.address, current.end, 1, cost, stall, rules)
        step.frees_word = current.address & 2 != 0 or current.size == 4
        step.blocks_fetch = _blocks_fetch(current, following, cost)
        step.data_words = _data_words(current)
        step.falls_through = _falls_through(current, taken and index == len(line) - 1)
        if current.kind in _FP:
            pending_writes = _fill_fp(step, current, pending_writes, parameters)
        steps.append(step)
        previous = current
    return steps


def _fold(step: Step, it: Instruction) -> None:
    step.end = it.end
    step.instructions += 1
    step.frees_word = True


def _next_unfolded(line: Sequence[Instruction], index: int) -> Instruction | None:
    """The instruction that executes after ``line[index]``: an IT that folds into it is passed over."""
    if index + 1 < len(line) and _folds(line[index], line[index + 1]):
        index += 1
    return line[index + 1] if index + 1 < len(line) else None
