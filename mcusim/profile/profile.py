"""The profile: what every function and every layer cost, exactly as counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mcusim.core.interface import CallNode, Counts, LayerRecord
from mcusim.image import Image

OUTSIDE = -1
"""Stands for "no layer" where a layer's position is expected."""


@dataclass(frozen=True)
class LayerMark:
    """A layer before it is measured: its number, name and operator, and the function that is its work.

    ``start`` is that function's address, None for a layer without code. ``macs`` are those of
    ``planned_calls`` calls.
    """

    index: int
    name: str
    op: str
    symbol: str
    start: int | None
    macs: int = 0
    planned_calls: int = 1
    stage: int = 0
    shape_in: tuple[int, ...] = ()
    shape_out: tuple[int, ...] = ()


@dataclass(frozen=True)
class FunctionCost:
    """``cycles_total`` includes callees, counted once under recursion; ``instructions`` are its own."""

    name: str
    start: int
    calls: int
    cycles_self: int
    cycles_total: int
    instructions: int


@dataclass(frozen=True)
class LayerCost:
    """Everything executed under the layer's function. A layer inside another one counts as the outer."""

    mark: LayerMark
    calls: int
    cycles: int
    instructions: int
    touched_bytes: int
    stack_bytes: int
    live_peak_bytes: int
    unread_bytes: int = 0

    @property
    def macs(self) -> int:
        """Of the calls that were made; between whole rounds of calls each counts as the average one."""
        return self.mark.macs * self.calls // max(self.mark.planned_calls, 1)


@dataclass(frozen=True)
class Profile:
    """The layers' cycles and ``rest_cycles`` sum to ``cycles``, and so do the functions' own cycles.

    ``stack_bytes`` is the deepest point of the stack of reset, ``stack_chain`` names the functions, outermost
    first, that were being called there.
    """

    cycles: int
    instructions: int
    functions: tuple[FunctionCost, ...]
    layers: tuple[LayerCost, ...]
    rest_cycles: int
    stack_bytes: int
    stack_chain: tuple[str, ...]
    counts: Counts


def build(counts: Counts, image: Image, marks: Sequence[LayerMark], stack_top: int) -> Profile:
    """Functions sorted by their own cycles, layers in the order of ``marks``."""
    starts = [function_start(image, node.function) for node in counts.nodes]
    layers = _layers(counts, starts, marks)
    return Profile(
        cycles=counts.cycles,
        instructions=counts.instructions,
        functions=_functions(counts.nodes, starts, image),
        layers=layers,
        rest_cycles=counts.cycles - sum(layer.cycles for layer in layers),
        stack_bytes=stack_top - counts.stacks[0].lowest if counts.stacks else 0,
        stack_chain=tuple(name_of(image, start) for start in counts.stacks[0].chain) if counts.stacks else (),
        counts=counts,
    )


def function_start(image: Image, address: int) -> int:
    """Start of the function that holds ``address``; the address itself where there is none."""
    function = image.function_at(address)
    return function.start if function else address


def name_of(image: Image, address: int) -> str:
    function = image.function_at(address)
    return function.name if function else f"0x{address:08x}"


def _subtree_cycles(nodes: Sequence[CallNode]) -> list[int]:
    """Cycles of every node with everything under it; a parent's index is below its children's."""
    totals = [node.cycles_self for node in nodes]
    for index in range(len(nodes) - 1, 0, -1):
        parent = nodes[index].parent
        if parent >= 0:
            totals[parent] += totals[index]
    return totals


def _functions(nodes: Sequence[CallNode], starts: Sequence[int], image: Image) -> tuple[FunctionCost, ...]:
    totals = _subtree_cycles(nodes)
    sums: dict[int, list[int]] = {}
    open_above: list[frozenset[int]] = []
    for index, node in enumerate(nodes):
        start = starts[index]
        above = open_above[node.parent] if node.parent >= 0 else frozenset()
        open_above.append(above | {start})
        entry = sums.setdefault(start, [0, 0, 0, 0])
        entry[0] += node.calls
        entry[1] += node.cycles_self
        entry[2] += 0 if start in above else totals[index]
        entry[3] += node.instructions_self
    costs = [FunctionCost(name_of(image, start), start, *entry) for start, entry in sums.items()]
    return tuple(sorted(costs, key=lambda cost: (-cost.cycles_self, cost.start)))


def _positions(marks: Sequence[LayerMark]) -> dict[int | None, int]:
    return {mark.start: position for position, mark in reversed(list(enumerate(marks)))}


def layer_owners(nodes: Sequence[CallNode], starts: Sequence[int], marks: Sequence[LayerMark]) -> list[int]:
    """Per node the position of the outermost layer that it works for, or OUTSIDE."""
    position_of = _positions(marks)
    owner: list[int] = []
    for node, start in zip(nodes, starts, strict=True):
        above = owner[node.parent] if node.parent >= 0 else OUTSIDE
        owner.append(above if above != OUTSIDE else position_of.get(start, OUTSIDE))
    return owner


def _layer(
    mark: LayerMark, calls: int, cycles: int, instructions: int, record: LayerRecord | None
) -> LayerCost:
    """``record`` tells the memory of the layer's function, if it is this layer's alone."""
    if record is None:
        return LayerCost(mark, calls, cycles, instructions, 0, 0, 0)
    return LayerCost(
        mark,
        calls,
        cycles,
        instructions,
        touched_bytes=record.touched_bytes,
        stack_bytes=record.stack_bytes,
        live_peak_bytes=record.live_peak_bytes,
        unread_bytes=record.unread_bytes,
    )


def _layers(counts: Counts, starts: Sequence[int], marks: Sequence[LayerMark]) -> tuple[LayerCost, ...]:
    position_of = _positions(marks)
    owner = layer_owners(counts.nodes, starts, marks)
    sums = [[0, 0, 0] for _ in marks]
    for node, own in zip(counts.nodes, owner, strict=True):
        above = owner[node.parent] if node.parent >= 0 else OUTSIDE
        if own == OUTSIDE:
            continue
        sums[own][0] += node.calls if above == OUTSIDE else 0
        sums[own][1] += node.cycles_self
        sums[own][2] += node.instructions_self
    records = {record.function: record for record in counts.layers}
    layers = []
    for position, (mark, (calls, cycles, instructions)) in enumerate(zip(marks, sums, strict=True)):
        first = mark.start is not None and position_of[mark.start] == position
        record = records.get(mark.start) if mark.start is not None and first else None
        layers.append(_layer(mark, calls, cycles, instructions, record))
    return tuple(layers)
