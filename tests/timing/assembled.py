"""Assembles all micro-benchmarks at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from assembler import ORIGIN, assemble
from micro_benchmarks import MicroBenchmark


@dataclass(frozen=True)
class Snippet:
    """Addresses: ``entry`` holds a branch to ``start``, ``target`` is where the last branch goes."""

    entry: int
    start: int
    end: int
    target: int
    code: bytes


def _text(index: int, benchmark: MicroBenchmark) -> str:
    """One snippet, entered by a branch, with room between it and the place that it branches to."""
    code = benchmark.code.format(start=f"loop{index}")
    return (
        f".p2align 6\nentry{index}: b.n start{index}\n"
        f".space {6 + benchmark.offset}\nstart{index}:\n{code}\nend{index}:\n"
        f".space 16\n9: out{index}: nop\nb.n out{index}\n"
    )


def assemble_all(benchmarks: Sequence[MicroBenchmark], folder: Path) -> tuple[bytes, list[Snippet]]:
    """The whole code and one snippet per micro-benchmark."""
    code, symbols = assemble("".join(_text(i, b) for i, b in enumerate(benchmarks)), folder)
    snippets = []
    for index, benchmark in enumerate(benchmarks):
        start, end = symbols[f"start{index}"], symbols[f"end{index}"]
        target = symbols[f"loop{index}" if benchmark.target >= 0 else f"out{index}"]
        body = code[start - ORIGIN : end - ORIGIN]
        snippets.append(Snippet(symbols[f"entry{index}"], start, end, target, body))
    return code, snippets
