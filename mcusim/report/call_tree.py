"""The call tree of a trace with names and sums, as exports and flame graphs want it."""

from __future__ import annotations

from dataclasses import dataclass

from mcusim.errors import InputError
from mcusim.trace import Function, Trace


@dataclass(frozen=True)
class Frame:
    """One function under one caller. ``children`` and ``parent`` are indices of frames, -1 for none;
    ``cycles`` and ``instructions`` are its own, ``total_cycles`` includes all that it called."""

    label: str
    function: Function
    parent: int
    children: tuple[int, ...]
    calls: int
    cycles: int
    instructions: int
    total_cycles: int


def frames(trace: Trace) -> list[Frame]:
    """Frames in an order in which a parent comes before its children. A layer's function is labelled with
    number and operator. Raises InputError for a trace without a call tree."""
    nodes = trace.call_tree
    if not nodes:
        raise InputError(f"the trace of {trace.firmware.path} has no call tree; run the firmware again")
    children: list[list[int]] = [[] for _ in nodes]
    totals = [node.cycles for node in nodes]
    for index in range(len(nodes) - 1, -1, -1):
        parent = nodes[index].parent
        if parent >= 0:
            children[parent].insert(0, index)
            totals[parent] += totals[index]
    labels = layer_labels(trace)
    return [
        Frame(
            label=labels.get(trace.functions[node.function].name, trace.functions[node.function].name),
            function=trace.functions[node.function],
            parent=node.parent,
            children=tuple(children[index]),
            calls=node.calls,
            cycles=node.cycles,
            instructions=node.instructions,
            total_cycles=totals[index],
        )
        for index, node in enumerate(nodes)
    ]


def layer_labels(trace: Trace) -> dict[str, str]:
    """Names of layers' functions to what they are called: ``#3 CONV_2D layer_003``."""
    return {
        layer.symbol: f"#{layer.index} {layer.op} {layer.symbol}"
        for layer in reversed(trace.layers)
        if layer.symbol and layer.op != "function"
    }


def stacks(tree: list[Frame]) -> list[list[int]]:
    """For every frame the indices of the frames from the root to it."""
    found: list[list[int]] = []
    for index, frame in enumerate(tree):
        above = found[frame.parent] if frame.parent >= 0 else []
        found.append([*above, index])
    return found
