"""A second opinion on straight-line code: cycles of the model beside those of llvm-mca's Cortex-M4.

Run: python benchmarks/llvm_mca.py [--network NETWORK] [--document]

Straight-line micro-benchmarks are repeated and compared in their steady state; of NETWORK (zoo:ds_cnn unless
named, built here) the longest loop of every kernel is compared per pass. --document writes the first part to
docs/llvm-mca.md. llvm-mca comes with LLVM (Debian's package llvm).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from llvm_mca_document import DOCUMENT, EXPLANATIONS, document
from llvm_mca_run import Comparison, Snippet, compare_all, version

from mcusim import chips, network
from mcusim import image as images
from mcusim.cli.timing import code_pieces
from mcusim.compiler.build import build
from mcusim.compiler.schedule import parse_spec
from mcusim.errors import McusimError
from mcusim.image.disassembly import disassemble
from mcusim.timing.explain import Line, Piece, explain_function
from mcusim.timing.isa import Branch, Class
from mcusim.timing.model import TimingModel

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "timing"))
from assembler import ORIGIN, assemble
from micro_benchmarks import DOCUMENTED, FLOATING, MODEL, PUBLISHED

CHIP = "stm32f412zg"
KERNELS = "mcu_"
COPIES = 21
"""Of a straight snippet; the first four and the last are not counted."""


def straight_snippets(folder: Path) -> list[Snippet]:
    """The micro-benchmarks without branches inside, each in the middle of many copies of itself."""
    bodies = {}
    for benchmark in (*PUBLISHED, *DOCUMENTED, *FLOATING, *MODEL):
        *body, last = benchmark.code.format(start="start").splitlines()
        text = "\n".join(body)
        if last.startswith("b.n 9f") and body and "9f" not in text and "start" not in text:
            bodies[benchmark.name] = body
    code, symbols = assemble("".join(_copies(i, body) for i, body in enumerate(bodies.values())), folder)
    places = [[symbols[f"body{i}_{copy}"] for copy in range(COPIES + 1)] for i in range(len(bodies))]
    return [
        _straight(name, body, code, place) for (name, body), place in zip(bodies.items(), places, strict=True)
    ]


def _copies(index: int, body: Sequence[str]) -> str:
    text = "\n".join(body)
    copies = "".join(f"body{index}_{copy}:\n{text}\n" for copy in range(COPIES))
    return f".p2align 3\n{copies}body{index}_{COPIES}:\n"


def _straight(name: str, body: Sequence[str], code: bytes, places: Sequence[int]) -> Snippet:
    """The cycles of copies 5 to 20 of those at ``places``."""
    first, last = places[4], places[-2]
    piece = Piece(places[0], code[places[0] - ORIGIN : places[-1] - ORIGIN])
    model = TimingModel()
    (line,) = explain_function([piece], model)
    rows = [row for row in line.rows if first <= row.instruction.address < last]
    spent = [model.cycles_at(piece.code, piece.start, place) for place in (first, last)]
    return Snippet(name, tuple(body), tuple(rows), passes=COPIES - 5, cycles=spent[1] - spent[0])


def kernel_snippets(model: str, folder: Path) -> list[Snippet]:
    """The longest loop of every kernel that a network needs, one pass of it."""
    graph = network.load(model)
    built = build(graph, parse_spec("layer", graph), chips.load(CHIP), out=folder / "network.elf")
    image = images.load(built.elf)
    found = []
    for function in image.functions:
        if function.name.startswith(KERNELS):
            pieces = code_pieces(image, function.start)
            loops = [line for line in explain_function(pieces, TimingModel()) if _computes(line)]
            if loops:
                longest = max(loops, key=lambda line: len(line.rows))
                found.append(_pass(function.name, longest, pieces))
    return found


def _computes(line: Line) -> bool:
    """Whether it is the whole of a loop, but none that waits for the end."""
    return line.is_loop and all(row.instruction.kind is not Class.SYSTEM for row in line.rows)


def _pass(name: str, loop: Line, pieces: Sequence[Piece]) -> Snippet:
    texts = {a: text for piece in pieces for a, text in disassemble(piece.code, piece.start).items()}
    body = [texts[row.instruction.address] for row in loop.rows]
    if loop.rows[-1].instruction.branch is not Branch.NONE:
        body[-1] = f"{body[-1].split()[0]} target"
    piece = next(piece for piece in pieces if piece.start <= loop.start < piece.start + len(piece.code))
    model = TimingModel()
    return Snippet(
        name,
        tuple(body),
        tuple(loop.rows),
        passes=1,
        cycles=model.cost(piece.code[loop.start - piece.start : loop.end - piece.start], loop.start).cycles,
        is_loop=True,
        refill=model.refill(loop.rows[-1].instruction),
    )


def table(comparisons: Sequence[Comparison]) -> str:
    """The table for a terminal."""
    lines = [f"{'code':<42} {'mcusim':>8} {'llvm-mca':>8} {'diff.':>7}  explained by"]
    for found in comparisons:
        parts = ", ".join(f"{EXPLANATIONS[key].title} {value:+.4g}" for key, value in found.parts.items())
        lines.append(
            f"{found.name:<42} {found.model:>8.2f} {found.llvm:>8.2f} {found.difference:>+7.2f}  {parts}"
        )
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--network", default="zoo:ds_cnn", help="whose kernels' loops are compared")
    parser.add_argument("--document", action="store_true", help="write docs/llvm-mca.md")
    options = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="mcusim-") as temporary:
            straight = compare_all(straight_snippets(Path(temporary)))
            loops = compare_all(kernel_snippets(options.network, Path(temporary)))
    except McusimError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write(f"{version()}\n{table(straight)}\n{table(loops)}")
    if options.document:
        DOCUMENT.write_text(document(version(), straight), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
