"""``mcusim timing``: what the timing model does with code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mcusim.cli.options import DEFAULT_CHIP, DEFAULT_TIMING, ChipOption, ClockOption, WaitStatesOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcusim.image import Image
    from mcusim.timing.explain import Line, Piece

NAME = "timing"
app = typer.Typer(name=NAME, help="See what the timing model does with code.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps the command's name although it is the only one."""


@app.command("explain")
def explain(
    firmware: Annotated[Path, typer.Argument(metavar="FW.elf", help="An ELF image for a Cortex-M4.")],
    at: Annotated[
        str, typer.Option("--at", metavar="SYMBOL", help="A function, or an address (0x...) to start at.")
    ],
    model: Annotated[
        str, typer.Option("--timing", metavar="NAME", help="Fetch machine: m1, m2, m5 or m6.")
    ] = DEFAULT_TIMING,
    chip: ChipOption = DEFAULT_CHIP,
    clock: ClockOption = None,
    wait_states: WaitStatesOption = None,
) -> None:
    """Show a function instruction by instruction as the pipeline sees it: issue, waits, and their rules."""
    from mcusim.cli.values import chip_at
    from mcusim.image import load
    from mcusim.image.disassembly import disassemble
    from mcusim.report import explain as report
    from mcusim.report.canvas import open_console
    from mcusim.timing.chip_flash import flash_timing
    from mcusim.timing.explain import explain_function, explain_line, waiting_for_flash
    from mcusim.timing.model import TimingModel

    image, timing = load(firmware), TimingModel(model)
    address = _address(image, at)
    pieces = code_pieces(image, address)
    if at.startswith("0x"):
        piece = next(p for p in pieces if p.start <= address < p.start + len(p.code))
        lines = [explain_line(piece, address, timing)]
    else:
        lines = explain_function(pieces, timing)
    texts = {a: text for piece in pieces for a, text in disassemble(piece.code, piece.start).items()}
    target = chip_at(chip, clock, wait_states)
    flash, words = flash_timing(target), ""
    if flash is not None:
        lines = waiting_for_flash(lines, flash)
        words = f"{target.wait_states} wait states on {target.name}"
    report.render(lines, texts, _names(image, lines), open_console(), model=model, flash=words)


def _address(image: Image, at: str) -> int:
    """Raises UsageError if ``at`` is neither a function nor an address inside one."""
    from mcusim.errors import UsageError

    if at.startswith("0x"):
        try:
            address = int(at, 16) & ~1
        except ValueError as error:
            raise UsageError(f"{at!r} is not an address") from error
    else:
        symbol = image.symbol(at)
        if symbol is None:
            raise UsageError(f"{image.path} has no symbol {at!r}{_suggestion(image, at)}")
        address = symbol.address
    function = image.function_at(address)
    if function is None or not _is_code(image, address):
        raise UsageError(f"{at} is not inside a function of {image.path}")
    return address


def _suggestion(image: Image, name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, [function.name for function in image.functions], n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _is_code(image: Image, address: int) -> bool:
    return image.table.code_map.kind_at(address) in ("t", "")


def code_pieces(image: Image, address: int) -> Sequence[Piece]:
    """The code of the function around ``address``, cut where data lie in between."""
    from mcusim.timing.explain import Piece

    function = image.function_at(address)
    if function is None:
        return ()
    segment = next(s for s in image.segments if s.address <= address < s.address + len(s.data))
    pieces: list[Piece] = []
    start: int | None = None
    for place in range(function.start, function.end + 2, 2):
        inside = place < function.end and _is_code(image, place)
        if inside and start is None:
            start = place
        elif not inside and start is not None:
            code = segment.data[start - segment.address : place - segment.address]
            pieces.append(Piece(start, code))
            start = None
    return pieces


def _names(image: Image, lines: Sequence[Line]) -> dict[int, str]:
    names = {}
    for address in {line.start for line in lines} | {line.shown for line in lines}:
        function = image.function_at(address)
        name = function.name if function else ""
        offset = address - function.start if function else 0
        names[address] = f"0x{address:08x} {name}" + (f"+{offset}" if offset else "")
    return names
