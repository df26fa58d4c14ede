"""``timing explain`` on a terminal: lines of code as the pipeline sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from mcusim.report.canvas import show
from mcusim.timing.explain import Line

_TITLES = ("address", "instruction", "issue", "cycles", "rule", "wait", "why", "words")


def render(
    lines: Sequence[Line], texts: Mapping[int, str], place: Mapping[int, str], console: Console, *, model: str
) -> None:
    """``texts``: address to the instruction in words; ``place``: start of a line to its name."""
    parts: list[RenderableType] = []
    for line in lines:
        parts += [Text(f"\n{place[line.start]}: {_summary(line, place)}", style="bold"), _table(line, texts)]
    parts.append(Text(f"\n{_LEGEND} Fetch machine {model}.", style="dim"))
    show(console, Group(*parts))


_LEGEND = (
    "issue: first execute cycle, the taken branch before the line being 0. rule: behind the cycles; "
    "why: the rules behind the wait, or the fetch of code (docs/timing.md). "
    "words: of code, fetched or on their way, at decode. Branches forward fall through."
)


def _summary(line: Line, place: Mapping[int, str]) -> str:
    if line.is_loop:
        return f"loop, {line.cycles} cycles a pass"
    text = f"{line.cycles} cycles" + ("" if line.start == line.entry else " behind the loop's last pass")
    if line.shown < line.end:
        text += f", with what goes on at {place.get(line.shown, hex(line.shown))}"
    return text


def _table(line: Line, texts: Mapping[int, str]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    for title in _TITLES:
        table.add_column(justify="left" if title in ("address", "instruction", "why") else "right")
    table.add_row(*(Text(title, style="dim") for title in _TITLES))
    for row in line.rows:
        address = row.instruction.address
        table.add_row(
            f"0x{address:08x}",
            texts.get(address, row.instruction.name),
            str(row.execute) if row.cost else "folded",
            str(row.cost) if row.cost else "",
            str(row.rule),
            Text(str(row.wait), style="red") if row.wait else "",
            ", ".join(row.reasons),
            str(row.words),
        )
    return table
