"""Snippets through llvm-mca, and what makes the difference between its cycles and the model's."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mcusim.errors import ToolchainError
from mcusim.timing.explain import FETCH, Explained

COMMAND = ("llvm-mca", "-mtriple=thumbv7em", "-mcpu=cortex-m4", "-json")
FEW, MANY = 1, 101
"""Iterations; what the second takes longer is the steady state."""
FOLDED, REFILL, RESULT = "folded", "refill", "result"


@dataclass(frozen=True)
class Snippet:
    """``body`` are its instructions, a line each; ``rows`` the model's account of ``passes`` of them, which
    take ``cycles``. In a loop the branch at the end adds ``refill``, and the wait behind it comes first."""

    name: str
    body: tuple[str, ...]
    rows: tuple[Explained, ...]
    passes: int
    cycles: int
    is_loop: bool = False
    refill: int = 0


@dataclass(frozen=True)
class Comparison:
    """Cycles of one pass. ``parts`` are the cycles that one of the two counts and the other does not, by what
    causes them: a rule's number, "fetch", or one of this module's names; positive where the model counts.
    ``latencies`` are llvm-mca's, instruction by instruction."""

    name: str
    body: tuple[str, ...]
    model: float
    llvm: float
    parts: Mapping[str, float]
    latencies: tuple[int, ...]

    @property
    def difference(self) -> float:
        return self.model - self.llvm


def version() -> str:
    """As llvm-mca calls itself. Raises ToolchainError where it is missing."""
    return _run(("--version",), "").splitlines()[0].strip()


def compare_all(snippets: Sequence[Snippet]) -> list[Comparison]:
    """Raises ToolchainError if llvm-mca is missing or does not understand a snippet."""
    few, many = (_regions(snippets, iterations) for iterations in (FEW, MANY))
    return [_compare(*each) for each in zip(snippets, few, many, strict=True)]


def _compare(snippet: Snippet, few: _Region, many: _Region) -> Comparison:
    llvm = (many.cycles - few.cycles) / (MANY - FEW)
    awaited = llvm - len(snippet.body)
    parts = {**model_parts(snippet), **({RESULT: -awaited} if awaited else {})}
    model = snippet.cycles / snippet.passes
    return Comparison(snippet.name, snippet.body, model, llvm, parts, few.latencies)


def model_parts(snippet: Snippet) -> Mapping[str, float]:
    """What the model counts beyond one cycle an instruction, per pass."""
    parts: dict[str, float] = defaultdict(float)
    for index, row in enumerate(snippet.rows):
        parts[FOLDED if row.cost == 0 else str(row.rule)] += row.cost - 1
        at_entry = index == 0 and snippet.is_loop
        for reason in row.reasons:
            parts[REFILL if at_entry and reason == FETCH else reason] += row.wait / len(row.reasons)
    parts[REFILL] += snippet.refill
    return {key: cycles / snippet.passes for key, cycles in parts.items() if cycles}


@dataclass(frozen=True)
class _Region:
    cycles: int
    latencies: tuple[int, ...]


def _regions(snippets: Sequence[Snippet], iterations: int) -> list[_Region]:
    text = "".join(
        f"# LLVM-MCA-BEGIN {index}\n" + "\n".join(snippet.body) + "\n# LLVM-MCA-END\n"
        for index, snippet in enumerate(snippets)
    )
    found = {}
    for region in json.loads(_run((f"-iterations={iterations}",), text))["CodeRegions"]:
        instructions = region["InstructionInfoView"]["InstructionList"]
        latencies = tuple(instruction["Latency"] for instruction in instructions)
        found[region["Name"]] = _Region(region["SummaryView"]["TotalCycles"], latencies)
    return [found[str(index)] for index in range(len(snippets))]


@functools.cache
def _program() -> str:
    found = shutil.which(COMMAND[0])
    if found is None:
        raise ToolchainError("llvm-mca is not installed; it comes with LLVM")
    return found


def _run(options: Sequence[str], text: str) -> str:
    command = [_program(), *COMMAND[1:], *options]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolchainError(f"llvm-mca does not understand a snippet: {done.stderr.strip().splitlines()[0]}")
    return done.stdout
