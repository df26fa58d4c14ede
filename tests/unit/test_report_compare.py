"""Runs side by side."""

from __future__ import annotations

import io
import re

import example_trace
import msgspec
from rich.console import Console

from mcusim.report import compare
from mcusim.report.compare import Candidate


def rendered(*candidates: Candidate, notes: tuple[str, ...] = ()) -> str:
    file = io.StringIO()
    console = Console(file=file, width=100, highlight=False, no_color=True)
    compare.render(candidates, console, notes=notes)
    return file.getvalue()


def pair() -> tuple[Candidate, Candidate]:
    first = example_trace.trace()
    memory = msgspec.structs.replace(first.memory, sram_peak_bytes=13_136, arena_bytes=11_440)
    totals = msgspec.structs.replace(first.totals, cycles=1_100_000, seconds=0.011)
    layers = (example_trace.layer(0, "CONV_2D", 990_000, 220_000, calls=9), first.layers[1])
    second = example_trace.changed(memory=memory, totals=totals, layers=layers)
    return Candidate("net@layer", first), Candidate("net@patch:3x3@0", second)


def test_factors_are_over_the_first() -> None:
    text = rendered(*pair())
    assert re.search(r"cycles +1,000,000 +1,100,000 +1\.100x", text)
    assert re.search(r"SRAM peak +25\.7 KiB +12\.8 KiB +0\.500x", text)
    assert re.search(r"0 +CONV_2D +900,000 .* 990,000 .* 1\.100x", text)
    assert re.search(r"3 +DENSE +90,000 .* 90,000 .* 1\.000x", text)


def test_code_is_shown_as_part_of_the_flash() -> None:
    first, second = pair()
    firmware = msgspec.structs.replace(second.trace.firmware, text_bytes=2 * first.trace.firmware.text_bytes)
    text = rendered(first, Candidate("small", msgspec.structs.replace(second.trace, firmware=firmware)))
    lines = text.splitlines()
    flash = next(number for number, line in enumerate(lines) if line.startswith("flash"))
    assert re.match(r"  code +\S+ .* 2\.000x", lines[flash + 1])


def test_labels_and_notes_are_shown_and_empty_metrics_are_not() -> None:
    text = rendered(*pair(), notes=("The outputs agree byte for byte.",))
    assert "A  net@layer" in text
    assert "B  net@patch:3x3@0" in text
    assert text.rstrip().endswith("The outputs agree byte for byte.")
    assert "heap" not in text


def test_a_layer_that_one_run_lacks_has_a_dash() -> None:
    first, second = pair()
    second = Candidate(second.label, msgspec.structs.replace(second.trace, layers=second.trace.layers[1:]))
    line = next(line for line in rendered(first, second).splitlines() if re.match(r" *0 +CONV_2D", line))
    assert line.split()[-2:] == ["-", "-"]


def test_paired_bars_show_both_lengths_without_colour() -> None:
    line = next(line for line in rendered(*pair()).splitlines() if line.startswith("SRAM peak"))
    assert line.rstrip().endswith("█" * 10 + "▀" * 10)


def test_more_than_two_runs_fit_the_columns() -> None:
    first, second = pair()
    text = rendered(first, second, first, second)
    assert re.search(r"cycles +1,000,000 +1,100,000 +1\.100x +1,000,000 +1\.000x +1,100,000 +1\.100x", text)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 100


def test_figures_of_many_runs_are_whole_and_factors_give_way() -> None:
    first, second = pair()
    text = rendered(first, second, first, second, first, second)
    assert re.search(r"cycles( +1,000,000 +1,100,000){3}$", text, re.MULTILINE)
    assert "x" not in text.split("Cycles by layer")[1]
    assert "…" not in text


def test_neighbours_that_cost_the_same_are_one_row_unless_all_are_wanted() -> None:
    rows = tuple(example_trace.layer(index, "CONV_2D", 1000 * index, 10) for index in range(1, 6))
    changed_first = (example_trace.layer(1, "CONV_2D", 2000, 20), *rows[1:])
    first = Candidate("a", example_trace.changed(layers=rows))
    second = Candidate("b", example_trace.changed(layers=changed_first))
    text = rendered(first, second)
    assert re.search(r"2-5 +4 layers alike +14,000 .* 14,000 .* 1\.000x", text)
    assert re.search(r"1 +CONV_2D +1,000 .* 2,000 .* 2\.000x", text)
    file = io.StringIO()
    compare.render([first, second], Console(file=file, width=100, no_color=True), fold=False)
    assert "alike" not in file.getvalue()
    assert re.search(r"5 +CONV_2D +5,000", file.getvalue())
