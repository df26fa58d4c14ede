"""The report of a run, as plain text and on a terminal."""

from __future__ import annotations

import io
import re

import example_trace
import msgspec
import pytest
from rich.console import Console

from mcusim.report import terminal
from mcusim.report.canvas import LEAST_WIDTH, bar, open_console, stacked_bar
from mcusim.trace import Exit, Flash, Inferences, Stack, Trace


def plain(trace: Trace, monkeypatch: pytest.MonkeyPatch, columns: int = 100) -> str:
    monkeypatch.setenv("COLUMNS", str(columns))
    file = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    terminal.render(trace, open_console(file))
    file.flush()
    assert isinstance(file.buffer, io.BytesIO)
    return file.buffer.getvalue().decode("utf-8")


def row(text: str, start: str) -> str:
    return next(line for line in text.splitlines() if line.lstrip().startswith(start))


def test_piped_report_is_plain_and_stable(monkeypatch: pytest.MonkeyPatch) -> None:
    text = plain(example_trace.trace(), monkeypatch)
    assert "\x1b" not in text
    assert all(line == line.rstrip() for line in text.splitlines())
    assert text == plain(example_trace.trace(), monkeypatch)


@pytest.mark.parametrize("columns", [80, 100, 132])
def test_report_keeps_to_its_columns(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    text = plain(example_trace.trace(), monkeypatch, columns)
    assert max(len(line) for line in text.splitlines()) <= columns
    assert "900,000" in text


def test_totals_and_ratios(monkeypatch: pytest.MonkeyPatch) -> None:
    text = plain(example_trace.trace(), monkeypatch)
    figures = re.split(r"\s{2,}", row(text, "1,000,000"))
    assert figures == ["1,000,000", "10.00 ms", "400,000", "250,000", "4.00", "0.25"]
    assert "known to about 1 %" in text


def test_totals_are_never_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = example_trace.trace()
    most = msgspec.structs.replace(trace.totals, cycles=1_234_567_890, instructions=1_123_456_789)
    large = msgspec.structs.replace(trace, totals=most)
    for columns in (80, 100):
        text = plain(large, monkeypatch, columns)
        assert "\N{HORIZONTAL ELLIPSIS}" not in text.partition("Timing model")[0]
        for shown in ("1,234,567,890", "1,123,456,789", "250,000", "MACs per cycle"):
            assert shown in text


def test_a_narrow_terminal_gets_whole_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("COLUMNS", "40")
    assert open_console(Terminal()).width == LEAST_WIDTH


def test_memory_is_shown_against_the_chip(monkeypatch: pytest.MonkeyPatch) -> None:
    text = plain(example_trace.trace(), monkeypatch)
    assert "25.7 KiB  of 256.0 KiB (10.0 %)" in row(text, "SRAM")
    assert "64.0 KiB  of 1,024.0 KiB (6.2 %)" in row(text, "Flash")
    assert "arena 24.0 KiB (input 6.8 KiB)" in text
    assert "heap" not in text
    assert "deepest stack: main > layer_000 > conv" in text


def test_flash_is_shown_by_what_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    firmware = example_trace.trace().firmware
    assert "flash: ■ code 4.0 KiB   ■ data 60.0 KiB" in plain(example_trace.trace(), monkeypatch)
    flash = Flash(
        text_bytes=4096, constant_bytes=1024, weight_bytes=60_000, initial_bytes=0, padding_bytes=416
    )
    told = example_trace.changed(firmware=msgspec.structs.replace(firmware, flash=flash))
    text = plain(told, monkeypatch)
    assert "flash: ■ code 4.0 KiB   ■ weights 58.6 KiB   ■ constants 1.0 KiB   ■ padding 416 B" in text


def test_several_stacks_are_told_apart_and_vain_writes_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    stacks = (
        Stack(name="main", pointer="msp", bytes=64, chain=("main",)),
        Stack(name="thread_a", pointer="psp", bytes=300, reserved_bytes=2048, chain=("thread", "filter")),
    )
    memory = msgspec.structs.replace(example_trace.trace().memory, stacks=stacks[:1])
    assert "MSP" not in plain(example_trace.changed(memory=memory), monkeypatch)
    memory = msgspec.structs.replace(memory, stacks=stacks, unread_bytes=90)
    text = plain(example_trace.changed(memory=memory), monkeypatch)
    assert row(text, "stack main") == "       stack main (MSP): 64 B, deepest in main"
    assert row(text, "stack thread_a").endswith("(PSP): 300 B of 2.0 KiB, deepest in thread > filter")
    assert "written and never read: 90 B, each time counted" in text


def test_layer_rows_and_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    text = plain(example_trace.trace(), monkeypatch)
    assert re.search(r"^ *3 +DENSE +8x8x16 +90,000 +9\.0 % .* 0\.56 ", text, re.MULTILINE)
    assert re.search(r"\(the rest\) +10,000 +1\.0 %", text)
    bars = [line.count("█") for line in text.splitlines() if re.match(r" *[03] +(CONV|DENSE)", line)]
    assert bars[0] > 5 * bars[1] > 0


def test_calls_are_shown_when_a_layer_ran_more_than_once(monkeypatch: pytest.MonkeyPatch) -> None:
    once = plain(example_trace.trace(), monkeypatch)
    layers = (example_trace.layer(0, "CONV_2D", 500, 100, calls=9),)
    often = plain(example_trace.changed(layers=layers), monkeypatch)
    assert "calls   cycles" not in once
    assert re.search(r"output +calls +cycles", often)


def test_ending_tells_exit_warnings_and_further_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    inferences = Inferences(count=3, cycles_min=10, cycles_max=1200, cycles_mean=600.0)
    changed = example_trace.changed(
        exit=Exit(reason="timeout", code=66), warnings=("a register is not modelled",), inferences=inferences
    )
    text = plain(changed, monkeypatch)
    assert "warning: a register is not modelled" in text
    assert "The run was stopped: timeout (exit code 66)." in text
    assert "3 inputs: 10 to 1,200 cycles, 600 on average" in text


def test_firmware_without_a_network_has_no_layer_table(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = example_trace.trace()
    totals = msgspec.structs.replace(trace.totals, macs=0)
    text = plain(example_trace.changed(layers=(), totals=totals, schedule={}), monkeypatch)
    assert "Layers" not in text
    assert "MAC" not in text
    assert text.startswith("small.elf ")


def test_terminal_has_colours_and_no_color_takes_them_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn() -> str:
        file = io.StringIO()
        console = Console(file=file, force_terminal=True, color_system="truecolor", width=100)
        terminal.render(example_trace.trace(), console)
        return file.getvalue()

    monkeypatch.delenv("NO_COLOR", raising=False)
    assert re.search(r"\x1b\[[0-9;]*36m", drawn())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", drawn())


def test_bars_without_block_characters() -> None:
    assert bar(0.5, 8, blocks=False).plain == "####    "
    assert bar(0.5, 8, blocks=True).plain == "████    "
    assert bar(1e-9, 8, blocks=True).plain == "▏       "
    assert stacked_bar([(0.25, "a"), (0.5, "b")], 8, blocks=False).plain == "##====.."


def test_a_bar_never_leaves_its_columns() -> None:
    assert bar(7.0, 8, blocks=True).plain == "█" * 8
    assert len(stacked_bar([(0.9, "a"), (0.9, "b"), (0.01, "c")], 10, blocks=True).plain) == 10


def test_small_parts_of_a_stacked_bar_are_still_seen() -> None:
    assert stacked_bar([(0.5, "a"), (0.001, "b")], 8, blocks=False).plain == "####=..."


def test_the_arenas_written_part_is_shown_when_it_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = msgspec.structs.replace(example_trace.trace().memory, arena_high_water_bytes=20_480)
    text = plain(example_trace.changed(memory=memory), monkeypatch)
    assert "arena 24.0 KiB (input 6.8 KiB, written 20.0 KiB)" in text


def test_functions_taken_as_layers_keep_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = msgspec.structs.replace(
        example_trace.layer(0, "function", 500, 0), name="a_function_with_quite_a_long_name", shape_out=()
    )
    text = plain(example_trace.changed(layers=(taken,)), monkeypatch)
    assert re.search(r"^0 +a_function_with_quite_a~ +500 ", text, re.MULTILINE)
    assert "output" not in text


def test_live_bytes_have_a_bar_and_take_the_place_of_touched_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = (24_576, 6_144)
    layers = tuple(
        msgspec.structs.replace(layer, live_peak_bytes=size)
        for layer, size in zip(example_trace.trace().layers, sizes, strict=True)
    )
    text = plain(example_trace.changed(layers=layers), monkeypatch)
    assert "touched" not in text
    assert row(text, "0  CONV_2D").endswith("24.0 KiB  ██████")
    assert row(text, "3  DENSE").endswith("6.0 KiB  █▌")
    assert max(len(line) for line in text.splitlines()) <= 100


def test_the_most_bytes_live_at_once_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = msgspec.structs.replace(example_trace.trace().memory, live_peak_bytes=20 << 10)
    assert "live at once: at most 20.0 KiB" in plain(example_trace.changed(memory=memory), monkeypatch)
    assert "live at once" not in plain(example_trace.trace(), monkeypatch)
