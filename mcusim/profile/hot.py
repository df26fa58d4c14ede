"""The instructions that take most of the time, as text beside their source lines."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from itertools import pairwise

from mcusim import trace
from mcusim.image import Image
from mcusim.image.disassembly import disassemble
from mcusim.profile.instructions import InstructionCost, by_address
from mcusim.profile.profile import Profile
from mcusim.timing.model import TimingModel

FUNCTIONS = 6
"""Functions that are looked into, those with most cycles of their own."""
LEAST_FUNCTION = 0.02
"""Share of all cycles that a function must have."""
LEAST = 0.002
"""Share of its function's cycles that an instruction must have."""

Reader = Callable[[int, int], bytes | None]


def hot_instructions(
    profile: Profile, image: Image, read: Reader, model: TimingModel
) -> tuple[trace.HotInstruction, ...]:
    """The hottest instructions of the hottest functions, function by function and by address.

    ``read`` gives the code, (address, size) to bytes; what can no longer be read is left out.
    """
    found: list[trace.HotInstruction] = []
    for position, cost in enumerate(profile.functions[:FUNCTIONS]):
        function = image.function_at(cost.start)
        if function is None or cost.cycles_self < LEAST_FUNCTION * profile.cycles:
            continue
        costs = _costs(profile, function.start, function.end, read, model)
        texts = _texts(costs, read)
        for address, spent in costs.items():
            if spent.cycles >= LEAST * cost.cycles_self:
                found.append(_entry(position, address, spent, texts.get(address, ""), image))
    return tuple(found)


def _costs(
    profile: Profile, start: int, end: int, read: Reader, model: TimingModel
) -> dict[int, InstructionCost]:
    """Costs of the instructions in [start, end), whichever function's run they were executed in."""
    runs = [
        run
        for run in profile.counts.runs
        if run.start < end and run.end > start and read(run.start, run.end - run.start) is not None
    ]
    costs = by_address(dataclasses.replace(profile.counts, runs=runs), read, model)
    return {address: cost for address, cost in costs.items() if start <= address < end}


def _texts(costs: dict[int, InstructionCost], read: Reader) -> dict[int, str]:
    """Disassembly of stretches without gaps, since data between code would be taken for code."""
    texts: dict[int, str] = {}
    addresses = list(costs)
    first = 0
    for index, (before, after) in enumerate(pairwise([*addresses, 1 << 33])):
        if after - before > 4:
            start = addresses[first]
            code = read(start, before + 4 - start) or read(start, before + 2 - start) or b""
            texts |= disassemble(code, start)
            first = index + 1
    return texts


def _entry(
    function: int, address: int, cost: InstructionCost, text: str, image: Image
) -> trace.HotInstruction:
    file, line = image.lines.at(address)
    return trace.HotInstruction(
        function=function,
        address=address,
        text=text,
        file=file,
        line=line,
        executions=cost.executions,
        cycles=cost.cycles,
    )
