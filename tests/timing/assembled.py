"""Assembles all micro-benchmarks at once with the cross assembler of the ziglang wheel."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile
from micro_benchmarks import MicroBenchmark

ORIGIN = 0x1000
_HEAD = ".syntax unified\n.thumb\n.cpu cortex-m4\n.fpu fpv4-sp-d16\n"
_TARGET = ("-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m4+vfp4d16sp")


@dataclass(frozen=True)
class Snippet:
    """Addresses: ``entry`` holds a branch to ``start``, ``target`` is where the last branch goes."""

    entry: int
    start: int
    end: int
    target: int
    code: bytes


def assemble(text: str, folder: Path) -> tuple[bytes, Mapping[str, int]]:
    """Code, to be placed at ORIGIN, and the addresses of its symbols."""
    source, built = folder / "code.s", folder / "code.o"
    source.write_text(_HEAD + text)
    command = [sys.executable, "-m", "ziglang", "cc", *_TARGET, "-c", str(source), "-o", str(built)]
    subprocess.run(command, check=True, capture_output=True)
    with built.open("rb") as file:
        elf = ELFFile(file)
        code = elf.get_section_by_name(".text").data()
        symbols = {
            symbol.name: ORIGIN + (symbol["st_value"] & ~1)
            for symbol in elf.get_section_by_name(".symtab").iter_symbols()
        }
    return code, symbols


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
