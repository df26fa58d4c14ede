"""What a network needs before anything is built: its layers, and what each schedule would need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from mcusim.report import figures
from mcusim.report.canvas import bar, has_blocks, rule, section, show
from mcusim.report.layer_table import WIDE, short_op

PUBLISHED_NOTE = (
    "Published: MCUNetV2, arXiv 2110.15352, which runs depthwise convolutions in place, and nothing else. "
    "Planned so, for these rows alone: the schedules above also let other operators write over what they "
    "have consumed. The published count leaves out projecting convolutions and residual additions, which "
    "hold their input and output at once; the plan holds them. The image lies in flash in these rows."
)


@dataclass(frozen=True)
class PlannedLayer:
    """One operator. ``live_bytes``: activations that exist while it runs as a whole; ``ends_stage``: a
    patch stage that starts with the network may end with it; ``free``: it moves nothing, since its tensors
    are names of one another's bytes."""

    index: int
    op: str
    shape_out: tuple[int, ...]
    macs: int
    weight_bytes: int
    live_bytes: int
    ends_stage: bool
    free: bool = False


@dataclass(frozen=True)
class PlannedSchedule:
    """A schedule's planned arena and scratch, what the fullest step needs of them, constants in flash, and
    MACs; ``fits`` says whether the chip's memories hold them. ``cycles``: as far as they were estimated."""

    spec: str
    planned_bytes: int
    bound_bytes: int
    flash_bytes: int
    macs: int
    fits: bool
    cycles: float | None = None


@dataclass(frozen=True)
class PublishedFigure:
    """A published peak beside our plan and beside ``accounting_bytes``, our count by the published
    rules; MACs as factors over the schedule ``layer``."""

    spec: str
    planned_bytes: int
    accounting_bytes: int
    published_kib: float
    mac_factor: float
    published_factor: float


@dataclass(frozen=True)
class PlanSheet:
    """Everything that the plan of a network on a chip shows; ``removed`` says what was taken out of it."""

    network: str
    chip: str
    sram_bytes: int
    flash_bytes: int
    layers: tuple[PlannedLayer, ...]
    schedules: tuple[PlannedSchedule, ...]
    published: tuple[PublishedFigure, ...] = ()
    removed: str = ""

    @property
    def macs(self) -> int:
        """MACs layer by layer."""
        return sum(layer.macs for layer in self.layers)

    @property
    def weight_bytes(self) -> int:
        return sum(layer.weight_bytes for layer in self.layers)


def render(sheet: PlanSheet, console: Console) -> None:
    """Print the sheet: layers, schedules, published figures."""
    blocks = has_blocks(console)
    parts: list[RenderableType] = [_heading(sheet, blocks=blocks), section("Layers")]
    parts.append(_layers(sheet, console.width, blocks=blocks))
    parts += [section("Schedules"), _schedules(sheet, blocks=blocks)]
    if sheet.published:
        parts += [section("Published figures"), _published(sheet.published)]
    show(console, Group(*parts))


def _heading(sheet: PlanSheet, *, blocks: bool) -> RenderableType:
    line = Table.grid(expand=True)
    line.add_column(ratio=1, overflow="ellipsis", no_wrap=True)
    line.add_column(justify="right", no_wrap=True)
    line.add_row(
        Text(sheet.network, style="bold cyan"),
        Text(
            f"{sheet.chip}, SRAM {figures.kib(sheet.sram_bytes)}, flash {figures.kib(sheet.flash_bytes)}",
            "dim",
        ),
    )
    totals = Text.assemble(
        (figures.count(len(sheet.layers)), "bold"),
        " layers, ",
        (figures.count(sheet.macs), "bold"),
        " MACs, ",
        (figures.kib(sheet.weight_bytes), "bold"),
        " of weights and biases",
        ((", more than the chip's flash", "red") if sheet.weight_bytes > sheet.flash_bytes else ""),
    )
    lines: list[RenderableType] = [line, rule(blocks=blocks), totals]
    if sheet.removed:
        lines.append(Text(f"{sheet.removed}.", "dim"))
    return Group(*lines)


def _layers(sheet: PlanSheet, width: int, *, blocks: bool) -> RenderableType:
    wide = width >= WIDE
    length = 16 if wide else 8
    most_macs = max(1, max(layer.macs for layer in sheet.layers))
    most_live = max(1, max(layer.live_bytes for layer in sheet.layers))
    table = Table.grid(padding=(0, 2, 0, 0))
    rights = ("right", "left", "right", "right", "left", "right", "right", "left", "left")
    for side in rights:
        table.add_column(justify="right" if side == "right" else "left", no_wrap=True)
    titles = ("#", "layer", "output", "MACs", "", "weights", "live", "", "")
    table.add_row(*(Text(title, style="dim") for title in titles))
    for layer in sheet.layers:
        over = layer.live_bytes > sheet.sram_bytes
        live = Text(figures.kib(layer.live_bytes), "red" if over else "")
        share = bar(layer.live_bytes / most_live, length, blocks=blocks, style="red" if over else "magenta")
        table.add_row(
            str(layer.index),
            short_op(layer.op),
            figures.shape(layer.shape_out),
            figures.count(layer.macs),
            bar(layer.macs / most_macs, length, blocks=blocks),
            figures.kib(layer.weight_bytes),
            Text("free", "green") if layer.free else live,
            "" if layer.free else share,
            Text("@" if layer.ends_stage else "", style="green"),
        )
    return Group(table, Text(_layers_note(sheet.layers), style="dim"))


def _layers_note(layers: Sequence[PlannedLayer]) -> str:
    ends = any(layer.ends_stage for layer in layers)
    note = "@ a patch stage may end here: patch:RxC@#" if ends else "No layer may end a patch stage."
    if any(layer.free for layer in layers):
        note += " Free: nothing is moved, one tensor is another name for bytes of the other."
    return note


def _schedules(sheet: PlanSheet, *, blocks: bool) -> RenderableType:
    most = max(1, max(schedule.planned_bytes for schedule in sheet.schedules))
    table = Table.grid(padding=(0, 2, 0, 0))
    titles = ("schedule", "planned", "", "bound", "lost", "flash", "MACs", "~Mcycles", "")
    for title in titles:
        table.add_column(justify="left" if title in ("", "schedule") else "right", no_wrap=True)
    table.add_row(*(Text(title, style="dim") for title in titles))
    for schedule in sheet.schedules:
        style = "green" if schedule.fits else "red"
        table.add_row(
            Text(schedule.spec, style="bold"),
            figures.kib(schedule.planned_bytes),
            bar(schedule.planned_bytes / most, 6, blocks=blocks, style=style),
            figures.kib(schedule.bound_bytes),
            figures.count(max(0, schedule.planned_bytes - schedule.bound_bytes)),
            figures.kib(schedule.flash_bytes),
            figures.ratio(schedule.macs, sheet.macs),
            "" if schedule.cycles is None else f"{schedule.cycles / 1e6:.2f}",
            Text("fits" if schedule.fits else "too big", style=style),
        )
    note = (
        "Planned: arena and kernel scratch, the input included; the stack comes on top. Bound: what the "
        "fullest step needs, so that no plan takes less; lost: bytes beyond it. Flash: weights and tables as "
        "the kernels read them, and the image if it lies there; code comes on top. MACs: over those layer by "
        "layer. auto:sram: the fastest schedules for less and less SRAM, by estimated cycles, as far as the "
        "smallest."
    )
    return Group(table, Text(note, style="dim"))


def _published(beside: Sequence[PublishedFigure]) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    for _ in range(5):
        table.add_column(justify="right", no_wrap=True)
    titles = ("schedule", "planned B", "counted as published B", "published", "MACs", "published")
    table.add_row(*(Text(title, style="dim") for title in titles))
    for figure in beside:
        table.add_row(
            Text(figure.spec, style="bold"),
            figures.count(figure.planned_bytes),
            figures.count(figure.accounting_bytes),
            f"{figure.published_kib:,g} KiB",
            f"{figure.mac_factor:.3f}x",
            f"{figure.published_factor:.2f}x",
        )
    return Group(table, Text(PUBLISHED_NOTE, style="dim"))
