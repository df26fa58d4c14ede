"""Cycles of every instruction: counts of linear runs, split by the timing model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mcusim.core.interface import Counts
from mcusim.errors import InputError
from mcusim.timing.model import RunCost, TimingModel


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
    executions: dict[int, int] = {}
    cycles: dict[int, int] = {}
    costs: dict[tuple[int, int, bool], RunCost] = {}
    for run in counts.runs:
        key = run.start, run.end, run.next != 0
        if key not in costs:
            code = read(run.start, run.end - run.start)
            if code is None:
                raise InputError(f"code at 0x{run.start:08x} was executed and is no longer there")
            costs[key] = model.cost(code, run.start, taken=run.next != 0)
        cost = costs[key]
        for instruction, spent in zip(cost.instructions, cost.instruction_cycles, strict=True):
            address = instruction.address
            executions[address] = executions.get(address, 0) + run.count
            cycles[address] = cycles.get(address, 0) + spent * run.count
    for address in cycles.keys() & counts.waits.keys():
        cycles[address] += counts.waits[address]
    return {address: InstructionCost(executions[address], cycles[address]) for address in sorted(executions)}
