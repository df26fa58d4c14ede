"""Callgrind's profile format, for KCachegrind and callgrind_annotate.

Format: https://valgrind.org/docs/manual/cl-format.html. Costs stand on the first line of their function.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mcusim.report.call_tree import Frame, frames
from mcusim.report.terminal import title_of
from mcusim.trace import Trace

Place = tuple[str, str, int]
"""File, function and first line."""
UNKNOWN = "???"


@dataclass
class _Cost:
    """What a function spent itself, and per callee the calls and the inclusive cost."""

    cycles: int = 0
    instructions: int = 0
    callees: dict[Place, list[int]] = field(default_factory=dict)


def export(trace: Trace) -> bytes:
    """Every function with its own cycles and instructions, and its calls with what they cost."""
    tree = frames(trace)
    costs = _costs(tree)
    total = f"{trace.totals.cycles} {trace.totals.instructions}"
    lines = [
        "# callgrind format",
        "version: 1",
        f"creator: mcusim {trace.host.mcusim_version}",
        f"cmd: {title_of(trace)}",
        "positions: line",
        "events: Cycles Instructions",
        f"summary: {total}",
        "",
    ]
    for (file, name, line), cost in costs.items():
        lines += [f"fl={file}", f"fn={name}", f"{line} {cost.cycles} {cost.instructions}"]
        for (callee_file, callee, callee_line), (calls, cycles, instructions) in cost.callees.items():
            lines += [f"cfi={callee_file}", f"cfn={callee}", f"calls={calls} {callee_line}"]
            lines.append(f"{line} {cycles} {instructions}")
        lines.append("")
    lines.append(f"totals: {total}")
    return "".join(f"{line}\n" for line in lines).encode()


def _costs(tree: list[Frame]) -> dict[Place, _Cost]:
    instructions = [frame.instructions for frame in tree]
    for index in range(len(tree) - 1, -1, -1):
        if tree[index].parent >= 0:
            instructions[tree[index].parent] += instructions[index]
    costs: dict[Place, _Cost] = {}
    for index, frame in enumerate(tree):
        cost = costs.setdefault(_place(frame), _Cost())
        cost.cycles += frame.cycles
        cost.instructions += frame.instructions
        if frame.parent >= 0:
            callees = costs[_place(tree[frame.parent])].callees
            call = callees.setdefault(_place(frame), [0, 0, 0])
            for column, value in enumerate((frame.calls, frame.total_cycles, instructions[index])):
                call[column] += value
    return costs


def _place(frame: Frame) -> Place:
    return frame.function.file or UNKNOWN, frame.label, frame.function.line
