"""Costing of runs without an emulator: the native model where there is one, else its Python twin."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

from mcusim.core import library
from mcusim.timing.model import TimingModel


@dataclass(frozen=True, slots=True)
class CodeRun:
    """A linear run: its bytes, its first address, whether a taken branch ended it, and its outcome."""

    code: bytes
    start: int
    taken: bool
    outcome: int = 0


def run_cycles(model: TimingModel, runs: Sequence[CodeRun]) -> list[int]:
    """Cycles of each run under ``model``."""
    try:
        native = library.load()
    except OSError:
        return [model.cost(run.code, run.start, run.taken, run.outcome).cycles for run in runs]
    table = ctypes.byref(library.timing_table(model))
    return [
        native.mcusim_cost(table, run.code, run.start, len(run.code), run.taken, run.outcome) for run in runs
    ]


def instruction_cycles(model: TimingModel, runs: Sequence[CodeRun]) -> list[list[tuple[int, int]]]:
    """For each run the address of every instruction and the cycles that it adds."""
    try:
        native = library.load()
    except OSError:
        return [twin_instruction_cycles(model, run) for run in runs]
    table = ctypes.byref(library.timing_table(model))
    rows = (library.CostRow * (max((len(run.code) for run in runs), default=0) // 2 + 1))()
    costs = []
    for run in runs:
        size = len(run.code)
        count = native.mcusim_cost_each(table, run.code, run.start, size, run.taken, run.outcome, rows)
        costs.append([(rows[i].address, rows[i].cycles) for i in range(count)])
    return costs


def twin_instruction_cycles(model: TimingModel, run: CodeRun) -> list[tuple[int, int]]:
    """The same by the readable model."""
    cost = model.cost(run.code, run.start, run.taken, run.outcome)
    return [(i.address, spent) for i, spent in zip(cost.instructions, cost.instruction_cycles, strict=True)]
