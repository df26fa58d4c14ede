"""``mcusim redistribute``: move a zoo network's receptive field behind its patch stage."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mcusim.cli.options import DEFAULT_CHIP, ChipOption

if TYPE_CHECKING:
    from mcusim.network.zoo.blocks import Block
    from mcusim.report.redistribution import BlockRow, FigureRow, Sheet
    from mcusim.search.redistribution import Side

NAME = "redistribute"


def command(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="zoo:NAME?parameter=value.")],
    blocks: Annotated[
        int, typer.Option("--blocks", metavar="N", min=1, help="Blocks of the patch stage, before.")
    ] = 4,
    grid: Annotated[str, typer.Option("--grid", metavar="RxC", help="Patches of the stage.")] = "4x4",
    chip: ChipOption = DEFAULT_CHIP,
    input_in: Annotated[
        Literal["sram", "flash"], typer.Option("--input-in", help="Where the input lies.")
    ] = "flash",
    plan_only: Annotated[bool, typer.Option("--plan-only", help="Build and run nothing.")] = False,
) -> None:
    """Move receptive field out of a network's patch stage.

    Windows and depth go to the blocks behind it, at equal MACs. Shows receptive field, halo
    overhead, peak and cycles before and after.
    """
    from mcusim import chips
    from mcusim.cli.progress import Progress
    from mcusim.report import redistribution as renderer
    from mcusim.report.canvas import open_console
    from mcusim.search import redistribution

    target = chips.load(chip)
    sides = redistribution.compare(model, blocks, parse_grid(grid), target, input_in)
    if not plan_only:
        with Progress("networks", len(sides)) as progress:
            sides = redistribution.run(sides, target, input_in, progress)
    renderer.render(_sheet(*sides, grid), open_console())


def parse_grid(text: str) -> tuple[int, int]:
    """Rows and columns of "4x4"; raises UsageError for anything else."""
    from mcusim.errors import UsageError

    match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text)
    if match is None:
        raise UsageError(f"{text!r} is not a grid such as 4x4")
    return int(match[1]), int(match[2])


def _sheet(before: Side, after: Side, grid: str) -> Sheet:
    from mcusim.report.redistribution import Sheet

    notes = [f"{side.network} was not run: {side.refusal}" for side in (before, after) if side.refusal]
    return Sheet(
        title=f"{before.network} in {grid} patches over its first {before.stage_blocks} blocks",
        network=f"{after.network}, its schedule {after.schedule}",
        figures=(*_planned(before, after), *_measured(before, after)),
        blocks=tuple(_block_rows(before, after)),
        notes=tuple(notes),
    )


def _planned(before: Side, after: Side) -> list[FigureRow]:
    from mcusim.report.figures import count, kib
    from mcusim.report.redistribution import FigureRow

    return [
        FigureRow(
            "MACs layer by layer", count(before.macs), count(after.macs), _change(before.macs, after.macs)
        ),
        FigureRow("pixels that a patch needs", *(f"{h}x{w}" for h, w in (before.field, after.field))),
        FigureRow("MACs of the patch stage", f"{before.stage_factor:.3f}x", f"{after.stage_factor:.3f}x"),
        FigureRow("MACs of the network", f"{before.mac_factor:.3f}x", f"{after.mac_factor:.3f}x"),
        FigureRow(
            "weights",
            kib(before.weight_bytes),
            kib(after.weight_bytes),
            _change(before.weight_bytes, after.weight_bytes),
        ),
        FigureRow(
            "arena and scratch, planned",
            kib(before.sram_bytes),
            kib(after.sram_bytes),
            _change(before.sram_bytes, after.sram_bytes),
        ),
    ]


def _measured(before: Side, after: Side) -> list[FigureRow]:
    from mcusim.report.figures import count, kib
    from mcusim.report.redistribution import FigureRow

    old, new = before.measured, after.measured
    if old is None or new is None:
        return []
    return [
        FigureRow(
            "SRAM peak, measured",
            kib(old.sram_peak_bytes),
            kib(new.sram_peak_bytes),
            _change(old.sram_peak_bytes, new.sram_peak_bytes),
        ),
        FigureRow("cycles, measured", count(old.cycles), count(new.cycles), _change(old.cycles, new.cycles)),
        FigureRow("ms", f"{old.seconds * 1e3:,.1f}", f"{new.seconds * 1e3:,.1f}"),
    ]


def _change(before: int, after: int) -> str:
    return f"{after / before - 1:+.1%}"


def _block_rows(before: Side, after: Side) -> list[BlockRow]:
    """Blocks of the stage beside each other, then the others, rows of one stride aligned."""
    from mcusim.report.redistribution import BlockRow

    rows: list[BlockRow] = []
    for in_stage in (True, False):
        old, new = (
            side.blocks[: side.stage_blocks] if in_stage else side.blocks[side.stage_blocks :]
            for side in (before, after)
        )
        rows += [BlockRow(*pair, in_stage) for pair in _aligned(old, new)]
    return rows


def _aligned(old: tuple[Block, ...], new: tuple[Block, ...]) -> list[tuple[str, str]]:
    """Pairs of texts, "" for a block that the other side lacks."""
    from difflib import SequenceMatcher

    keys = [[f"{block.channels} /{block.stride}" for block in side] for side in (old, new)]
    pairs: list[tuple[str, str]] = []
    for _, first, last, start, end in SequenceMatcher(None, keys[0], keys[1], autojunk=False).get_opcodes():
        left, right = [_text(block) for block in old[first:last]], [_text(block) for block in new[start:end]]
        length = max(len(left), len(right))
        left += [""] * (length - len(left))
        right += [""] * (length - len(right))
        pairs += zip(left, right, strict=True)
    return pairs


def _text(block: Block) -> str:
    stride = " /2" if block.stride == 2 else ""
    return f"MB{block.expansion} {block.kernel}x{block.kernel}{stride} {block.channels}"
