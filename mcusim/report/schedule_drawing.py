"""One schedule as a drawing: which operators run together, how many rows their rings hold, and what lies
where in the arena over time."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from mcusim.report import figures
from mcusim.report.canvas import bar, has_blocks, rule, section, show
from mcusim.report.layer_table import short_op

MAP_ROWS = 24
"""Lines of the arena's map; each stands for as many bytes."""

MAP_MARGIN = 12
"""Columns left of the map, for addresses."""

LETTERS = string.ascii_uppercase + string.ascii_lowercase
SCRATCH = "~"
FREE = "."
_STYLES = ("cyan", "magenta", "green", "yellow", "blue", "red")

RegionKind = Literal["tensor", "ring", "patch", "scratch"]


@dataclass(frozen=True)
class DrawnStage:
    """``operators``: number and kind of each in the order in which they run. ``moments``: the first and the
    last moment of the stage on the map; ``bytes``: the most that is live in one of them; ``mac_factor``: MACs
    over those of the same operators run once."""

    mode: str
    operators: tuple[tuple[int, str], ...]
    moments: tuple[int, int]
    bytes: int
    mac_factor: float


@dataclass(frozen=True)
class Region:
    """Bytes of the arena in moments ``first`` to ``last`` inclusive. ``maker``: number of the operator that
    fills them, None for the network's input. ``rows``: of a ring how many rows it holds, and of how many."""

    kind: RegionKind
    maker: int | None
    op: str
    offset: int
    bytes: int
    first: int
    last: int
    rows: tuple[int, int] | None = None

    def covers(self, moment: int, first: int, end: int) -> bool:
        """Whether it lies at one of the bytes first <= b < end at the moment."""
        alive = self.first <= moment <= self.last
        return alive and self.offset < end and first < self.offset + self.bytes


@dataclass(frozen=True)
class ScheduleDrawing:
    """``sram_bytes``: arena and scratch together. A moment is an operator, or a whole stream."""

    network: str
    spec: str
    input_in: str
    sram_bytes: int
    mac_factor: float
    moments: int
    stages: tuple[DrawnStage, ...]
    regions: tuple[Region, ...]


def render(drawing: ScheduleDrawing, console: Console) -> None:
    """Print stages, map and what the map's letters stand for."""
    blocks = has_blocks(console)
    letters = _letters(drawing.regions)
    parts = [
        _heading(drawing, blocks=blocks),
        section("Stages"),
        _stages(drawing, blocks=blocks),
        section("Arena over time"),
        _map(drawing, letters, console.width - MAP_MARGIN),
        section("What lies there"),
        _legend(drawing, letters),
    ]
    show(console, Group(*parts))


def _letters(regions: Sequence[Region]) -> list[str]:
    """A letter for every region; they are used again where there are more regions than letters."""
    found, count = [], 0
    for region in regions:
        found.append(SCRATCH if region.kind == "scratch" else LETTERS[count % len(LETTERS)])
        count += region.kind != "scratch"
    return found


def _heading(drawing: ScheduleDrawing, *, blocks: bool) -> RenderableType:
    where = {"sram": "in SRAM", "flash": "in flash", "camera": "from a camera"}[drawing.input_in]
    totals = Text.assemble(
        (figures.kib(drawing.sram_bytes), "bold"),
        " of arena and scratch, ",
        (f"{drawing.mac_factor:.3f}x", "bold"),
        f" the MACs, the image {where}",
    )
    return Group(Text(f"{drawing.network}@{drawing.spec}", style="bold cyan"), rule(blocks=blocks), totals)


def _stages(drawing: ScheduleDrawing, *, blocks: bool) -> RenderableType:
    most = max(stage.bytes for stage in drawing.stages)
    table = Table.grid(padding=(0, 2, 0, 0))
    for side in ("right", "left", "left", "right", "left", "right"):
        table.add_column(justify="right" if side == "right" else "left", no_wrap=side == "right")
    table.add_row(*(Text(title, "dim") for title in ("#", "mode", "operators", "live", "", "MACs")))
    for number, stage in enumerate(drawing.stages):
        table.add_row(
            str(number),
            Text(stage.mode, "bold"),
            _operators(stage),
            figures.kib(stage.bytes),
            bar(stage.bytes / most, 12, blocks=blocks, style="red" if stage.bytes == most else "magenta"),
            f"{stage.mac_factor:.3f}x",
        )
    return table


def _operators(stage: DrawnStage) -> Text:
    first, last = stage.operators[0], stage.operators[-1]
    ends = f"{first[0]}-{last[0]}" if len(stage.operators) > 1 else str(first[0])
    if stage.mode == "op":
        return Text.assemble(ends, (f"  {len(stage.operators)} one by one", "dim"))
    return Text.assemble(ends, ("  " + " > ".join(short_op(op) for _, op in stage.operators), "dim"))


def _map(drawing: ScheduleDrawing, letters: Sequence[str], width: int) -> RenderableType:
    """Addresses downwards, time to the right; where two tensors share bytes, the one made last is shown."""
    columns = min(drawing.moments, width)
    wide = max(1, width // drawing.moments)
    shown = [column * drawing.moments // columns for column in range(columns)]
    height = -(-drawing.sram_bytes // MAP_ROWS)
    lines = []
    for row in range(MAP_ROWS):
        line = Text(f"{figures.kib(row * height):>{MAP_MARGIN - 2}}  ", "dim")
        for moment in shown:
            line.append(*_cell(drawing, letters, moment, (row * height, (row + 1) * height), wide))
        lines.append(line)
    return Group(*lines, _ruler(drawing, shown, wide))


def _cell(
    drawing: ScheduleDrawing, letters: Sequence[str], moment: int, span: tuple[int, int], wide: int
) -> tuple[str, str]:
    found = [n for n, region in enumerate(drawing.regions) if region.covers(moment, *span)]
    if not found:
        return FREE * wide, "bright_black"
    number = max(found, key=lambda n: (drawing.regions[n].kind != "scratch", drawing.regions[n].first, n))
    return letters[number] * wide, _STYLES[number % len(_STYLES)]


def _ruler(drawing: ScheduleDrawing, shown: Sequence[int], wide: int) -> Text:
    """Below the map, where each stage begins: its number."""
    line = [" "] * (len(shown) * wide)
    for number, stage in enumerate(drawing.stages):
        place = next((i for i, moment in enumerate(shown) if moment >= stage.moments[0]), None)
        for i, digit in enumerate(str(number) if place is not None else ""):
            if (place or 0) * wide + i < len(line):
                line[(place or 0) * wide + i] = digit
    return Text(f"{'stage':>{MAP_MARGIN - 2}}  {''.join(line)}", "dim")


def _legend(drawing: ScheduleDrawing, letters: Sequence[str]) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    for side in ("left", "left", "right", "right", "left"):
        table.add_column(justify="right" if side == "right" else "left", no_wrap=True)
    table.add_row(*(Text(title, "dim") for title in ("", "made by", "from", "bytes", "")))
    for letter, region in zip(letters, drawing.regions, strict=True):
        if region.kind == "scratch":
            continue
        table.add_row(
            Text(letter, "bold"),
            _maker(region),
            figures.count(region.offset),
            figures.count(region.bytes),
            Text(_remark(region), "dim"),
        )
    scratch = max((region.bytes for region in drawing.regions if region.kind == "scratch"), default=0)
    table.add_row(Text(SCRATCH, "bold"), "scratch", "", figures.count(scratch), Text("at most", "dim"))
    return table


def _maker(region: Region) -> str:
    if region.maker is None:
        return "camera" if region.kind == "ring" else "input"
    return f"{region.maker} {short_op(region.op)}"


def _remark(region: Region) -> str:
    if region.rows is not None:
        return f"ring of {region.rows[0]} of {region.rows[1]} rows"
    return "one patch at a time" if region.kind == "patch" else ""
