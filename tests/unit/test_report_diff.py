"""Two runs against each other: what changed, what is a regression, and how it is written."""

from __future__ import annotations

import io
import re
from pathlib import Path

import example_trace
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from mcusim import trace
from mcusim.cli.application import invoke
from mcusim.cli.diff import parse_limit
from mcusim.errors import BudgetError, UsageError
from mcusim.report import changes, diff
from mcusim.report.changes import Part
from mcusim.report.metrics import METRICS, tolerance


def slower() -> trace.Trace:
    """Layer 0 takes 20,000 cycles more, layer 3 takes 1,000 less; 64 bytes more stack."""
    first = example_trace.trace()
    return example_trace.changed(
        totals=msgspec.structs.replace(first.totals, cycles=1_019_000, seconds=0.01019),
        memory=msgspec.structs.replace(first.memory, sram_peak_bytes=26_336, stack_bytes=608),
        layers=(
            example_trace.layer(0, "CONV_2D", 920_000, 200_000),
            example_trace.layer(3, "FULLY_CONNECTED", 89_000, 50_000),
        ),
        functions=(example_trace.function("conv", 820_000), example_trace.function("fresh", 79_000)),
    )


def rendered(old: trace.Trace, new: trace.Trace, top: int = 10) -> str:
    file = io.StringIO()
    diff.render(old, new, Console(file=file, width=100, no_color=True, highlight=False), top=top)
    return file.getvalue()


def test_layers_and_the_rest_add_up_to_the_change_of_the_total() -> None:
    old, new = example_trace.trace(), slower()
    found = changes.changes(changes.by_layer(old), changes.by_layer(new))
    assert [(change.label, change.delta) for change in found] == [
        ("#0 CONV_2D", 20_000),
        ("#3 FULLY_CONNECTED", -1_000),
    ]
    assert sum(change.delta for change in found) == new.totals.cycles - old.totals.cycles


def test_text_has_the_largest_contribution_first_and_sums_the_rest() -> None:
    text = rendered(example_trace.trace(), slower(), top=1)
    assert re.search(r"cycles +1,000,000 +1,019,000 +\+19,000 +\+1\.90 %", text)
    assert re.search(r"#0 CONV_2D +900,000 +920,000 +\+20,000 +\+2\.00 %\nand 1 more, -1,000 together", text)
    assert re.search(r"dense +80,000 +- +-80,000 +-8\.00 %\nand 2 more, \+99,000 together", text)
    assert re.search(r"stack +544 B +608 B +\+64 B +\+0\.24 %", text)
    assert "MACs" in text
    assert "Flash" not in text


def test_equal_runs_have_totals_only() -> None:
    text = rendered(example_trace.trace(), example_trace.trace())
    assert "Layers" not in text
    assert "Not the same" not in text
    assert re.search(r"cycles +1,000,000 +1,000,000 +- +-", text)


def test_runs_that_cannot_be_compared_say_why() -> None:
    first = example_trace.trace()
    other = example_trace.changed(
        chip=msgspec.structs.replace(first.chip, wait_states=3), schedule={"name": "patch:2x2@0"}
    )
    text = rendered(first, other)
    assert "Not the same wait states: 0 before, 3 now." in text
    assert "Not the same schedule: layer before, patch:2x2@0 now." in text


def test_functions_of_one_name_are_told_apart_by_their_files() -> None:
    functions = tuple(
        msgspec.structs.replace(example_trace.function("row", cycles), file=f"kernels/{file}")
        for file, cycles in (("a.c", 10), ("b.c", 20), ("b.c", 5))
    )
    parts = changes.by_function(example_trace.changed(functions=functions))
    assert [(part.label, part.value) for part in parts] == [("row (a.c)", 10), ("row (b.c)", 25)]


PARTS = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 1000)).map(
    lambda values: [Part(key, key.upper(), value) for key, value in values.items()]
)


@given(PARTS, PARTS)
def test_changes_are_sorted_and_complete(old: list[Part], new: list[Part]) -> None:
    found = changes.changes(old, new)
    sizes = [abs(change.delta) for change in found]
    assert sizes == sorted(sizes, reverse=True)
    assert all(sizes)
    total = sum(part.value for part in new) - sum(part.value for part in old)
    assert sum(change.delta for change in found) == total


@pytest.mark.parametrize(
    ("name", "limit", "fails"),
    [
        ("cycles", "2%", False),
        ("cycles", "1.9 %", False),
        ("cycles", "1.89%", True),
        ("cycles", "18_999", True),
        ("cycles", "19k", False),
        ("sram", "0", True),
        ("sram", "64 B", False),
        ("stack", "10%", True),
        ("flash", "0%", False),
        ("time", "0.2 ms", False),
        ("time", "100 us", True),
    ],
)
def test_regressions_follow_their_tolerance(name: str, limit: str, fails: bool) -> None:
    old, new = example_trace.trace(), slower()
    if not fails:
        changes.check(old, new, [tolerance(name, limit)])
        return
    with pytest.raises(BudgetError, match=METRICS[name].title):
        changes.check(old, new, [tolerance(name, limit)])


def test_the_sentence_says_how_much_and_what_was_tolerated() -> None:
    (found,) = changes.regressions(example_trace.trace(), slower(), [tolerance("cycles", "1%")])
    assert found.sentence() == (
        "cycles went from 1,000,000 to 1,019,000, 19,000 cycles more (+1.90 %) where 1 % is tolerated"
    )


@pytest.mark.parametrize("text", ["", "2", "sram", "sram=", "sram=2 KB%", "sram=1M", "speed=2%", "time=3"])
def test_limits_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_limit(text)


def test_amounts_are_read_with_their_units() -> None:
    assert METRICS["cycles"].parse("1.2M") == 1_200_000
    assert METRICS["sram"].parse("32 KiB") == 32_768
    assert METRICS["flash"].parse("1,024") == 1024
    assert METRICS["time"].parse("12 ms") == pytest.approx(0.012)


def test_markdown_is_a_table_whose_cells_are_escaped() -> None:
    text = diff.markdown(
        example_trace.trace(),
        slower(),
        regressions=changes.regressions(example_trace.trace(), slower(), [tolerance("sram", 0)]),
    )
    assert "| cycles | 1,000,000 | 1,019,000 | +19,000 | +1.90 % |" in text
    assert r"| \#0 CONV\_2D | 900,000 | 920,000 | +20,000 | +2.00 % |" in text
    assert "**Regression: SRAM peak went from 25.7 KiB to 25.7 KiB, 64 bytes more" in text
    assert text.count("<details>") == text.count("</details>") == 3
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()} == {6}


def test_the_exit_code_tells_a_regression(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.write_bytes(trace.dump(example_trace.trace()))
    new.write_bytes(trace.dump(slower()))
    assert invoke(["diff", str(old), str(new)]) == 0
    assert invoke(["diff", str(old), str(new), "--fail-above", "2%"]) == 0
    capsys.readouterr()
    code = invoke(["diff", str(old), str(new), "--fail-above", "2%", "--fail-above", "stack=16"])
    captured = capsys.readouterr()
    assert code == BudgetError.exit_code
    assert captured.err.count("\n") == 1
    assert "stack went from 544 B to 608 B, 64 bytes more" in captured.err
    assert "#0 CONV_2D" in captured.out
