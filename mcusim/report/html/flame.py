"""The call tree as blocks of a flame graph, the root on top."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from mcusim.report.call_tree import Frame, frames
from mcusim.trace import Trace

LEAST = 0.0005
"""Share of all cycles below which a block would be too narrow to see."""


@dataclass(frozen=True)
class Block:
    """``left`` and ``width`` are shares of the whole in percent; ``hue`` is an angle of the colour wheel."""

    label: str
    left: float
    width: float
    depth: int
    hue: int
    calls: int
    cycles: int
    own_cycles: int


def blocks(trace: Trace) -> list[Block]:
    """Blocks in the order of first calls; none for a trace without a call tree."""
    if not trace.call_tree:
        return []
    tree = frames(trace)
    total = sum(frame.total_cycles for frame in tree if frame.parent < 0) or 1
    starts = _starts(tree)
    depths: list[int] = []
    for frame in tree:
        depths.append(depths[frame.parent] + 1 if frame.parent >= 0 else 0)
    return [
        Block(
            label=frame.label,
            left=100 * starts[index] / total,
            width=100 * frame.total_cycles / total,
            depth=depths[index],
            hue=zlib.crc32(frame.function.name.encode()) % 360,
            calls=frame.calls,
            cycles=frame.total_cycles,
            own_cycles=frame.cycles,
        )
        for index, frame in enumerate(tree)
        if frame.total_cycles >= LEAST * total
    ]


def _starts(tree: list[Frame]) -> list[int]:
    """Cycles to the left of every frame; children begin where their parent begins."""
    starts = [0] * len(tree)
    top = 0
    for index, frame in enumerate(tree):
        if frame.parent < 0:
            starts[index] = top
            top += frame.total_cycles
        inner = starts[index]
        for child in frame.children:
            starts[child] = inner
            inner += tree[child].total_cycles
    return starts
