"""``timing explain`` on a terminal: lines of code as the pipeline sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from mcusim.report.canvas import show
from mcusim.timing.explain import Line

_TITLES = ("address", "instruction", "issue", "cycles", "rule", "wait", "why", "words", "flash")


def render(
    lines: Sequence[Line],
    texts: Mapping[int, str],
    place: Mapping[int, str],
    console: Console,
    *,
    model: str,
    flash: str = "",
) -> None:
    """``texts``: address to the instruction in words; ``place``: start of a line to its name; ``flash``: in
    words, whose waiting is shown, empty if none is."""
    parts: list[RenderableType] = []
    for line in lines:
        parts += [
            Text(f"\n{place[line.start]}: {_summary(line, place)}", style="bold"),
            _table(line, texts, bool(flash)),
        ]
    legend = f"{_LEGEND} {_FLASH.format(flash)}" if flash else _LEGEND
    parts.append(Text(f"\n{legend} Fetch machine {model}.", style="dim"))
    show(console, Group(*parts))


_LEGEND = (
    "issue: first execute cycle, the taken branch before the line being 0. rule: behind the cycles; "
    "why: the rules behind the wait, or the fetch of code (docs/timing.md). "
    "words: of code, fetched or on their way, at decode. Branches forward fall through, other "
    "instructions of IT blocks are executed, and divisions take a constant."
)
_FLASH = "flash: waiting for code at {}, if none of it is cached; prefetch and held words hide the rest."


def _summary(line: Line, place: Mapping[int, str]) -> str:
    if line.is_loop:
        return f"loop, {line.cycles} cycles a pass"
    text = f"{line.cycles} cycles" + ("" if line.start == line.entry else " behind the loop's last pass")
    if line.shown < line.end:
        text += f", with what goes on at {place.get(line.shown, hex(line.shown))}"
    return text


def _table(line: Line, texts: Mapping[int, str], with_flash: bool) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    titles = _TITLES if with_flash else _TITLES[:-1]
    for title in titles:
        table.add_column(justify="left" if title in ("address", "instruction", "why") else "right")
    table.add_row(*(Text(title, style="dim") for title in titles))
    for row in line.rows:
        address = row.instruction.address
        cells: list[RenderableType] = [
            f"0x{address:08x}",
            texts.get(address, row.instruction.name),
            str(row.execute) if row.cost else "folded",
            str(row.cost) if row.cost else "",
            str(row.rule),
            Text(str(row.wait), style="red") if row.wait else "",
            ", ".join(row.reasons),
            str(row.words),
            Text(str(row.flash), style="red") if row.flash else "",
        ]
        table.add_row(*cells[: len(titles)])
    return table
