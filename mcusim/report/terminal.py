"""The report of one run on a terminal: totals, memory, layers, functions, and how the run ended."""

from __future__ import annotations

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from mcusim.report import figures
from mcusim.report.canvas import bar, has_blocks, rule, section, show
from mcusim.report.layer_table import layer_table
from mcusim.report.memory_table import memory
from mcusim.trace import Trace

TOTALS_GAP = 3
TOP_FUNCTIONS = 8


def render(trace: Trace, console: Console, *, hint: str = "") -> None:
    """Print the whole report of ``trace``; ``hint`` is a last line that says what to do next."""
    blocks = has_blocks(console)
    parts: list[RenderableType] = [
        heading(trace, blocks=blocks),
        totals(trace, console.width, blocks=blocks),
        memory(trace, blocks=blocks),
    ]
    if trace.layers:
        parts += [section("Layers"), layer_table(trace, console.width, blocks=blocks)]
    if trace.functions:
        parts += [section("Functions"), functions(trace, console.width, blocks=blocks)]
    parts.append(ending(trace, hint))
    show(console, Group(*parts))


def title_of(trace: Trace) -> str:
    """The network and its schedule if the firmware has them, else the firmware's file name."""
    name = trace.firmware.path.rsplit("/", 1)[-1]
    network = trace.firmware.network
    spec = trace.schedule.get("name")
    return f"{network or name} @ {spec}" if spec else str(network or name)


def chip_line(trace: Trace) -> str:
    """Chip, clock and wait states."""
    chip = trace.chip
    states = "1 wait state" if chip.wait_states == 1 else f"{chip.wait_states} wait states"
    return f"{chip.name}, {figures.frequency(chip.clock_hz)}, {states}"


def heading(trace: Trace, *, blocks: bool) -> RenderableType:
    """What ran on what, over a rule."""
    line = Table.grid(expand=True)
    line.add_column(ratio=1, overflow="ellipsis", no_wrap=True)
    line.add_column(justify="right", no_wrap=True)
    line.add_row(
        Text(title_of(trace), style="bold cyan"),
        Text(chip_line(trace), style="dim"),
    )
    return Group(line, rule(blocks=blocks))


def totals(trace: Trace, width: int, *, blocks: bool) -> RenderableType:
    """Cycles, time, instructions and MACs, with what is known of the timing model's error; in two rows where
    they would not fit ``width`` columns in one."""
    total = trace.totals
    cells = [
        (figures.count(total.cycles), f"cycles{uncertainty(trace, blocks=blocks)}"),
        (figures.time(total.seconds), f"at {figures.frequency(trace.chip.clock_hz)}"),
        (figures.count(total.instructions), "instructions"),
    ]
    if total.macs:
        cells += [
            (figures.count(total.macs), "MACs"),
            (figures.per(total.cycles, total.macs), "cycles per MAC"),
            (figures.per(total.macs, total.cycles), "MACs per cycle"),
        ]
    needed = sum(max(len(value), len(name)) + TOTALS_GAP for value, name in cells)
    in_row = len(cells) if needed <= width else len(cells) // 2
    grid = Table.grid(padding=(0, TOTALS_GAP, 0, 0))
    for start in range(0, len(cells), in_row):
        row = cells[start : start + in_row]
        grid.add_row(*(Text(value, style="bold", no_wrap=True) for value, _ in row))
        grid.add_row(*(Text(name, style="dim", no_wrap=True) for _, name in row))
    timing = trace.timing
    return Group(grid, Text(f"Timing model {timing.model}: {timing.error}", style="dim"))


def uncertainty(trace: Trace, *, blocks: bool) -> str:
    """How far uncertain rules of the timing model move the cycles, as " ± n %", or as " +- n %" where an
    encoding may not have that; empty if not known."""
    total = trace.totals
    if not total.cycles_high or not total.cycles:
        return ""
    distance = max(total.cycles_high - total.cycles, total.cycles - total.cycles_low)
    sign = "\N{PLUS-MINUS SIGN}" if blocks else "+-"
    return f" {sign} {100 * distance / total.cycles:.1f} %"


def functions(trace: Trace, width: int, *, blocks: bool) -> RenderableType:
    """The functions in which most cycles were spent, callees apart."""
    top = sorted(trace.functions, key=lambda function: (-function.cycles_self, function.name))
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=max(24, width - 74))
    for _ in range(4):
        table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_row(*(Text(name, style="dim") for name in ("name", "calls", "self", "share", "total", "")))
    most = max(1, top[0].cycles_self)
    for function in top[:TOP_FUNCTIONS]:
        table.add_row(
            function.name,
            figures.count(function.calls),
            figures.count(function.cycles_self),
            figures.percent(function.cycles_self, trace.totals.cycles),
            figures.count(function.cycles_total),
            bar(function.cycles_self / most, 12, blocks=blocks, style="green"),
        )
    left = len(top) - TOP_FUNCTIONS
    if left <= 0:
        return table
    rest = sum(function.cycles_self for function in top[TOP_FUNCTIONS:])
    share = figures.percent(rest, trace.totals.cycles)
    return Group(table, Text(f"and {left} more functions with {share} of the cycles", style="dim"))


def ending(trace: Trace, hint: str) -> RenderableType:
    """Warnings, further inputs, why the run ended, and the hint."""
    text = Text("\n")
    for warning in trace.warnings:
        text.append(f"warning: {warning}\n", style="yellow")
    if trace.inferences and trace.inferences.count > 1:
        runs = trace.inferences
        text.append(
            f"{runs.count} inputs: {figures.count(runs.cycles_min)} to {figures.count(runs.cycles_max)} "
            f"cycles, {runs.cycles_mean:,.0f} on average; the figures above are of the first.\n"
        )
    good = trace.exit.reason in {"exit", "returned"} and trace.exit.code == 0
    text.append(_exit_sentence(trace), style="green" if good else "bold red")
    if hint:
        text.append(f"\n{hint}", style="dim")
    return text


def _exit_sentence(trace: Trace) -> str:
    end = trace.exit
    if end.reason == "exit":
        return f"The firmware ended by itself with code {end.code}."
    if end.reason == "returned":
        return "The network returned."
    return f"The run was stopped: {end.reason} (exit code {end.code})."
