"""The memory part of a run's report on a terminal: SRAM and flash against the chip's, and what they hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mcusim.report import figures, waste
from mcusim.report.canvas import section, stacked_bar
from mcusim.report.memory_parts import flash_parts, sram_parts, stack_path, stack_sentence
from mcusim.trace import Trace

BAR = 40
INDENT = 7
"""Columns before what belongs to the bars."""
SRAM_STYLES = {"arena": "cyan", "scratch": "magenta", "stack": "yellow", "static": "blue", "heap": "red"}
FLASH_STYLES = {
    "code": "green",
    "weights": "cyan",
    "constants": "magenta",
    "data": "magenta",
    "first values": "yellow",
    "padding": "bright_black",
}


def memory(trace: Trace, *, blocks: bool) -> RenderableType:
    """SRAM and flash by their parts against the chip's size, and what of the SRAM was alive."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="bold")
    grid.add_column(no_wrap=True)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(style="dim", no_wrap=True)
    sram, flash = sram_parts(trace.memory), flash_parts(trace.firmware)
    for title, parts, styles, size in (
        ("SRAM", sram, SRAM_STYLES, trace.chip.sram_bytes),
        ("Flash", flash, FLASH_STYLES, trace.chip.flash_bytes),
    ):
        if size:
            used = sum(share for _, share in parts)
            drawn = stacked_bar([(share / size, styles[name]) for name, share in parts], BAR, blocks=blocks)
            of = f"of {figures.kib(size)} ({figures.percent(used, size)})"
            grid.add_row(title, drawn, figures.kib(used), of)
    notes = Text()
    notes.append_text(_legend(sram, SRAM_STYLES, {"arena": _arena_details(trace)}, blocks=blocks))
    for line in _sram_notes(trace):
        notes.append(f"\n{line}", style="dim")
    notes.append("\nflash: ", style="dim")
    notes.append_text(_legend(flash, FLASH_STYLES, {}, blocks=blocks))
    return Group(section("Memory"), grid, Padding(notes, (0, 0, 0, INDENT)))


def _legend(
    parts: Sequence[tuple[str, int]],
    styles: Mapping[str, str],
    details: Mapping[str, str],
    *,
    blocks: bool,
) -> Text:
    text = Text()
    for name, size in parts:
        if size:
            text.append("■ " if blocks else "", style=styles[name])
            text.append(f"{name} {figures.kib(size)}")
            text.append(details.get(name, ""), style="dim")
            text.append("   ")
    return text


def _arena_details(trace: Trace) -> str:
    """How much of the arena is the input, and how far it was really written."""
    memory = trace.memory
    name = "camera lines" if trace.schedule.get("input_in") == "camera" else "input"
    details = [(name, memory.input_bytes), ("written", memory.arena_high_water_bytes)]
    shown = ", ".join(f"{name} {figures.kib(size)}" for name, size in details if size)
    return f" ({shown})" if shown else ""


def _sram_notes(trace: Trace) -> list[str]:
    """What was alive at the fullest moment, where the rest lay, what was written in vain, and the stacks."""
    memory = trace.memory
    notes = []
    if memory.live_peak_bytes:
        notes.append(f"live at once: at most {figures.kib(memory.live_peak_bytes)}{_dead(trace)}")
    if memory.unread_bytes:
        notes.append(f"written and never read: {figures.kib(memory.unread_bytes)}, each time counted")
    if memory.stack_chain:
        notes.append(f"deepest stack: {stack_path(memory)}")
    if len(memory.stacks) > 1:
        notes += [stack_sentence(stack) for stack in memory.stacks]
    return notes


def _dead(trace: Trace) -> str:
    """What of the parts holds nothing that is still to be read, when most is alive."""
    dead = [(use.name, use.dead_bytes) for use in waste.at_the_fullest(trace) if use.dead_bytes]
    if not dead:
        return ""
    return "; dead then: " + ", ".join(f"{name} {figures.kib(size)}" for name, size in dead)
