"""Cycles of every instruction: counts of linear runs, split by the timing model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from mcusim.core.costing import CodeRun, instruction_cycles
from mcusim.core.interface import Counts
from mcusim.errors import InputError
from mcusim.timing.model import TimingModel


@dataclass(frozen=True)
class InstructionCost:
    """``executions`` counts passes, also those in which a condition skipped the instruction."""

    executions: int
    cycles: int


def by_address(
    counts: Counts, read: Callable[[int, int], bytes | None], model: TimingModel
) -> dict[int, InstructionCost]:
    """Cost per instruction address, sorted; the cycles sum to the total if ``counts`` holds all runs.

    ``read`` gives the code, (address, size) to bytes. Raises InputError where it gives none.
    """
    totals: Counter[tuple[int, int, bool, int]] = Counter()
    for run in counts.runs:
        totals[run.start, run.end, run.next != 0, run.outcome] += run.count
    runs = [CodeRun(_code(read, start, end), start, taken, outcome) for start, end, taken, outcome in totals]
    executions: Counter[int] = Counter()
    cycles: Counter[int] = Counter()
    for count, costs in zip(totals.values(), instruction_cycles(model, runs), strict=True):
        for address, spent in costs:
            executions[address] += count
            cycles[address] += spent * count
    for address in cycles.keys() & counts.waits.keys():
        cycles[address] += counts.waits[address]
    return {address: InstructionCost(executions[address], cycles[address]) for address in sorted(executions)}


def _code(read: Callable[[int, int], bytes | None], start: int, end: int) -> bytes:
    code = read(start, end - start)
    if code is None:
        raise InputError(f"code at 0x{start:08x} was executed and is no longer there")
    return code
