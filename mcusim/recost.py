"""Cost a kept run again, under another timing model, clock or chip, without running it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from mcusim import trace
from mcusim.errors import InputError
from mcusim.profile import flash_reads
from mcusim.profile.execution import Execution, unpack
from mcusim.timing.flash import FlashRange
from mcusim.timing.model import MODEL_VERSION, TimingModel, known_error
from mcusim.timing.rules import Bound


@dataclass(frozen=True)
class _Costs:
    """Cycles by node of the call tree and by layer, at one bound of the rules."""

    nodes: Sequence[int]
    layers: Sequence[int]


def with_bounds(document: trace.Trace) -> trace.Trace:
    """The trace with low and high cycles; unchanged if it does not hold its execution."""
    if document.execution is None:
        return document
    execution = unpack(document.execution)
    low, high = (_costs(document, execution, document.timing.model, b) for b in (Bound.LOW, Bound.HIGH))
    return _with_bounds(document, low, high)


def recost(
    document: trace.Trace, *, model: str, chip: trace.ChipInfo, flash: FlashRange | None = None
) -> trace.Trace:
    """The trace that a run of the same firmware with the same inputs on ``chip`` would give.

    ``flash``: the chip's, if that is another one than the run's. Cycles are exact but for one thing: how much
    of its waiting prefetch hides is as under the model that the firmware was run with. Host figures stay
    those of the run. Hot instructions are left out where others would wait. Raises InputError if the trace
    does not hold its execution, or no reads of a flash like this one, and UsageError for an unknown model.
    """
    if document.execution is None:
        raise InputError("the trace does not hold what was executed, so it cannot be costed again")
    execution = unpack(document.execution)
    waits = _more_waits(document, document.execution, chip, flash)
    low, best, high = (_costs(document, execution, model, bound, waits[bound]) for bound in Bound)
    again = _with_costs(document, best)
    again = msgspec.structs.replace(
        again,
        chip=chip,
        timing=_timing(model, document, chip.wait_states),
        totals=msgspec.structs.replace(again.totals, seconds=again.totals.cycles / chip.clock_hz),
        hot_instructions=() if any(waits[Bound.BEST]) else _hot_instructions(document, execution, model),
    )
    return _with_bounds(again, low, high)


def _more_waits(
    document: trace.Trace, packed: trace.Execution, chip: trace.ChipInfo, flash: FlashRange | None
) -> dict[Bound, list[int]]:
    """Cycles per place that reads of ``flash`` take more than those of the run's did, at each bound."""
    before, places = document.chip, len(packed.places)
    if chip.wait_states == before.wait_states and (chip.name == before.name or not chip.wait_states):
        return {bound: [0] * places for bound in Bound}
    if not packed.flashes:
        raise InputError(
            f"the trace is of {before.wait_states} wait states on {before.name} and does not say how often "
            "flash was read; run the firmware again with -o, and its trace can be costed at any number"
        )
    found: Sequence[trace.FlashReads | None] = packed.flashes[:3]
    if flash and chip.wait_states:
        found = [flash_reads.find(packed.flashes, kind) for kind in flash]
    more = {}
    for bound, own, kept in zip((Bound.BEST, Bound.LOW, Bound.HIGH), packed.flashes, found, strict=False):
        if kept is None:
            raise InputError(
                f"the trace does not say how often a flash like that of {chip.name} would be read"
            )
        old = flash_reads.place_waits(own, before.wait_states, places)
        new = flash_reads.place_waits(kept, chip.wait_states, places)
        more[bound] = [after - now for after, now in zip(new, old, strict=True)]
    return more


def _timing(model: str, document: trace.Trace, wait_states: int) -> trace.TimingInfo:
    addresses = document.memory.touched_bytes > 0
    error = known_error(model, wait_states=wait_states, addresses=addresses)
    return trace.TimingInfo(model=model, version=MODEL_VERSION, error=error)


def _costs(
    document: trace.Trace, execution: Execution, model: str, bound: Bound, waits: Sequence[int] = ()
) -> _Costs:
    """``waits``: cycles by place to add to those that the trace holds beside its runs."""
    packed = document.execution
    places = packed.places if packed else ()
    cycles = execution.place_cycles(TimingModel(model, bound), len(places))
    column = 1 + list(Bound).index(bound)
    for other in packed.other if packed else ():
        cycles[other[0]] += other[column]
    for place, more in enumerate(waits):
        cycles[place] += more
    nodes, layers = [0] * len(document.call_tree), [0] * len(document.layers)
    for (node, layer), spent in zip(places, cycles, strict=True):
        nodes[node] += spent
        if layer >= 0:
            layers[layer] += spent
    return _Costs(nodes, layers)


def _with_bounds(document: trace.Trace, low: _Costs, high: _Costs) -> trace.Trace:
    best = document.totals.cycles
    totals = msgspec.structs.replace(
        document.totals, cycles_low=min(sum(low.nodes), best), cycles_high=max(sum(high.nodes), best)
    )
    layers = tuple(
        msgspec.structs.replace(
            layer, cycles_low=min(least, layer.cycles), cycles_high=max(most, layer.cycles)
        )
        for layer, least, most in zip(document.layers, low.layers, high.layers, strict=True)
    )
    return msgspec.structs.replace(document, totals=totals, layers=layers)


def _with_costs(document: trace.Trace, costs: _Costs) -> trace.Trace:
    """Every figure of cycles that follows from the call tree."""
    tree = tuple(
        msgspec.structs.replace(node, cycles=cycles)
        for node, cycles in zip(document.call_tree, costs.nodes, strict=True)
    )
    own, total = _function_cycles(tree, len(document.functions))
    functions = tuple(
        msgspec.structs.replace(function, cycles_self=own[i], cycles_total=total[i])
        for i, function in enumerate(document.functions)
    )
    layers = tuple(
        msgspec.structs.replace(layer, cycles=cycles)
        for layer, cycles in zip(document.layers, costs.layers, strict=True)
    )
    totals = msgspec.structs.replace(document.totals, cycles=sum(costs.nodes))
    return msgspec.structs.replace(
        document,
        totals=totals,
        call_tree=tree,
        functions=functions,
        layers=layers,
        inferences=_inferences(document, total),
    )


def _function_cycles(tree: Sequence[trace.CallTreeNode], functions: int) -> tuple[list[int], list[int]]:
    """Own cycles and those with callees; the tree has no recursion, and parents come first."""
    subtree = [node.cycles for node in tree]
    for index in range(len(tree) - 1, -1, -1):
        if tree[index].parent >= 0:
            subtree[tree[index].parent] += subtree[index]
    own, total = [0] * functions, [0] * functions
    for node, spent in zip(tree, subtree, strict=True):
        own[node.function] += node.cycles
        total[node.function] += spent
    return own, total


def _inferences(document: trace.Trace, total: Sequence[int]) -> trace.Inferences | None:
    """A single inference can be costed again; of several only the first left its runs."""
    old, packed = document.inferences, document.execution
    if old is None or old.count != 1 or packed is None or packed.network_call < 0:
        return None
    cycles = total[packed.network_call]
    return trace.Inferences(count=1, cycles_min=cycles, cycles_max=cycles, cycles_mean=cycles)


def _hot_instructions(
    document: trace.Trace, execution: Execution, model: str
) -> tuple[trace.HotInstruction, ...]:
    """What an instruction waited for its data stays as it was."""
    addresses = {hot.address for hot in document.hot_instructions}
    before = execution.instruction_cycles(TimingModel(document.timing.model), addresses)
    after = execution.instruction_cycles(TimingModel(model), addresses)
    return tuple(
        msgspec.structs.replace(
            hot, cycles=hot.cycles + after.get(hot.address, 0) - before.get(hot.address, 0)
        )
        for hot in document.hot_instructions
    )
