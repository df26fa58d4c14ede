"""Collapsed stacks, a line a stack with its cycles: the input of flamegraph.pl and of many viewers.

Format: https://github.com/brendangregg/FlameGraph, "stackcollapse".
"""

from __future__ import annotations

from mcusim.report.call_tree import frames, stacks
from mcusim.trace import Trace


def export(trace: Trace) -> bytes:
    """``root;caller;callee cycles``, in the order of first calls; frames without cycles are left out."""
    tree = frames(trace)
    lines = [
        f"{';'.join(tree[index].label.replace(';', ':') for index in stack)} {frame.cycles}\n"
        for frame, stack in zip(tree, stacks(tree), strict=True)
        if frame.cycles
    ]
    return "".join(lines).encode()
