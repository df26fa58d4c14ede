"""Two runs of what should be the same, as text or as Markdown: what changed, largest contribution first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from mcusim.report import changes
from mcusim.report.canvas import section, show
from mcusim.report.changes import Change, Regression
from mcusim.report.metrics import METRICS, Metric
from mcusim.report.terminal import chip_line, title_of
from mcusim.trace import Trace

TOTALS = ("cycles", "time", "instructions", "macs", "sram", "flash")
TOP = 10
"""Rows that a section shows unless asked for more."""


@dataclass(frozen=True)
class Row:
    """Texts of one line; ``worse`` says whether the new run has more of it, None if it has the same."""

    name: str
    old: str
    new: str
    delta: str
    share: str
    worse: bool | None


@dataclass(frozen=True)
class Section:
    """Lines of one kind; ``rest`` is a sentence on those that are left out, if any are."""

    title: str
    share_of: str
    rows: tuple[Row, ...]
    rest: str = ""


def sections(old: Trace, new: Trace, top: int = TOP) -> list[Section]:
    """Totals in their order, then at most ``top`` layers, functions and kinds of memory that changed."""
    cycles = METRICS["cycles"]
    sram, flash = METRICS["sram"], METRICS["flash"]
    found = [Section("Totals", "of old", tuple(_totals(old, new)))]
    for title, metric, first, second in (
        ("Layers", cycles, changes.by_layer(old), changes.by_layer(new)),
        ("Functions", cycles, changes.by_function(old), changes.by_function(new)),
        ("SRAM", sram, changes.by_memory(old), changes.by_memory(new)),
        ("Flash", flash, changes.by_flash(old), changes.by_flash(new)),
    ):
        changed = changes.changes(first, second)
        if changed:
            whole = metric.of(old)
            rows = tuple(_row(change, metric, whole) for change in changed[:top])
            found.append(Section(title, f"of {metric.title}", rows, _rest(changed[top:], metric)))
    return found


def _totals(old: Trace, new: Trace) -> list[Row]:
    rows = []
    for name in TOTALS:
        metric = METRICS[name]
        before, after = metric.of(old), metric.of(new)
        if before or after:
            rows.append(_row(Change(metric.title, before, after), metric, before))
    return rows


def _row(change: Change, metric: Metric, whole: float) -> Row:
    delta = change.delta
    return Row(
        name=change.label,
        old="-" if change.old is None else metric.text(change.old),
        new="-" if change.new is None else metric.text(change.new),
        delta=metric.signed(delta) if delta else "-",
        share=f"{100 * delta / whole:+.2f} %" if whole and delta else "-",
        worse=delta > 0 if delta else None,
    )


def _rest(left: Sequence[Change], metric: Metric) -> str:
    if not left:
        return ""
    together = metric.signed(sum(change.delta for change in left))
    return f"and {len(left)} more, {together} together"


def render(old: Trace, new: Trace, console: Console, *, top: int = TOP) -> None:
    """Print what changed, at most ``top`` lines of a kind."""
    parts: list[RenderableType] = [_key(old, new), Rule(style="bright_black")]
    parts += [Text(note, style="yellow") for note in changes.comparability(old, new)]
    for part in sections(old, new, top):
        parts += [section(part.title), _table(part)]
        if part.rest:
            parts.append(Text(part.rest, style="dim"))
    show(console, Group(*parts))


def _key(old: Trace, new: Trace) -> RenderableType:
    """What is compared; the chip once if it is the same."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    places = [chip_line(old), chip_line(new)]
    for name, trace, place in (("old", old, places[0]), ("new", new, places[1])):
        shown = f"on {place}" if places[0] != places[1] else ""
        grid.add_row(Text(name, style="bold"), title_of(trace), Text(shown, style="dim"))
    if places[0] == places[1]:
        grid.add_row("", Text(f"both on {places[0]}", style="dim"), "")
    return grid


def _table(part: Section) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=44)
    for _ in range(4):
        table.add_column(justify="right", no_wrap=True)
    table.add_row(*(Text(title, style="dim") for title in ("", "old", "new", "change", part.share_of)))
    for row in part.rows:
        style = "dim" if row.worse is None else "red" if row.worse else "green"
        table.add_row(row.name, row.old, row.new, Text(row.delta, style=style), Text(row.share, style=style))
    return table


def markdown(old: Trace, new: Trace, *, top: int = TOP, regressions: Sequence[Regression] = ()) -> str:
    """The same for a pull request: GitHub-flavoured Markdown, totals open and the rest folded away."""
    lines = [f"### {_escaped(title_of(new))} on {_escaped(chip_line(new))}", ""]
    for note in changes.comparability(old, new):
        lines += [f"> {_escaped(note)}", ""]
    for regression in regressions:
        lines += [f"**Regression: {_escaped(regression.sentence())}.**", ""]
    first, *others = sections(old, new, top)
    lines += _markdown_table(first)
    if not others:
        lines += ["", "Nothing else changed."]
    for part in others:
        lines += ["", f"<details><summary>{part.title}</summary>", "", *_markdown_table(part)]
        lines += ["", _escaped(part.rest)] if part.rest else []
        lines += ["", "</details>"]
    return "\n".join(lines) + "\n"


def _markdown_table(part: Section) -> list[str]:
    lines = [f"| | old | new | change | {part.share_of} |", "|---|--:|--:|--:|--:|"]
    for row in part.rows:
        cells = (row.name, row.old, row.new, row.delta, row.share)
        lines.append("| " + " | ".join(_escaped(cell) for cell in cells) + " |")
    return lines


def _escaped(text: str) -> str:
    r"""``text`` with the characters escaped that mean something in a Markdown table."""
    return "".join(f"\\{letter}" if letter in "\\|*_`<#[" else letter for letter in text)
