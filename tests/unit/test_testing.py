"""Limits and baselines: what is held, what is said when something is exceeded."""

from __future__ import annotations

import re
from pathlib import Path

import example_trace
import msgspec
import pytest

from mcusim import trace
from mcusim.errors import BudgetError, InputError, UsageError
from mcusim.testing import TOP, Bench, Settings, as_baseline, check_limits


def bench(folder: Path, *, update: bool = False, said: list[str] | None = None) -> Bench:
    notes = [] if said is None else said
    settings = Settings(folder / "traces", update, "stm32f412zg")
    return Bench(settings, "test_it", {}, folder, notes.append)


def with_cycles(cycles: int) -> trace.Trace:
    """The example with ``cycles`` more or fewer, all of the difference in layer 0 and its function."""
    first = example_trace.trace()
    more = cycles - first.totals.cycles
    return example_trace.changed(
        totals=msgspec.structs.replace(first.totals, cycles=cycles),
        layers=(example_trace.layer(0, "CONV_2D", 900_000 + more, 200_000), first.layers[1]),
        functions=(example_trace.function("conv", 800_000 + more), first.functions[1]),
    )


def test_a_limit_that_is_kept_says_nothing() -> None:
    check_limits(example_trace.trace(), {"cycles": "1M", "sram": "26,272", "time": "10 ms", "stack": 544})


def test_an_exceeded_limit_is_one_sentence_and_the_largest_contributors() -> None:
    many = tuple(example_trace.layer(index, "ADD", 1000 + index, 1) for index in range(40))
    with pytest.raises(BudgetError) as failure:
        check_limits(example_trace.changed(layers=many), {"cycles": "900k"})
    first, *rest = str(failure.value).splitlines()
    assert first == "cycles: 1,000,000, over the limit of 900,000 by 100,000 cycles."
    assert len(rest) == TOP
    assert re.fullmatch(r"  outside all layers +959,220 +95\.9 %", rest[0])
    assert re.fullmatch(r"  #39 ADD +1,039 +0\.1 %", rest[1])


def test_too_deep_a_stack_is_shown_with_its_calls() -> None:
    with pytest.raises(BudgetError) as failure:
        check_limits(example_trace.trace(), {"stack": 512})
    assert str(failure.value).splitlines() == [
        "stack: 544 B, over the limit of 512 B by 32 bytes.",
        "  #0 CONV_2D          96 B  17.6 %",
        "  #3 FULLY_CONNECTED  96 B  17.6 %",
        "  deepest in main > layer_000 > conv",
    ]


def test_every_exceeded_limit_is_named() -> None:
    with pytest.raises(BudgetError) as failure:
        check_limits(example_trace.trace(), {"sram": "16 KiB", "cycles": "2M", "flash": 1})
    text = str(failure.value)
    assert "SRAM peak: 25.7 KiB, over the limit of 16.0 KiB by 9,888 bytes." in text
    assert re.search(r"arena +24\.0 KiB +93\.5 %", text)
    assert "flash: 64.0 KiB" in text
    assert "cycles:" not in text


@pytest.mark.parametrize("limits", [{"speed": 1}, {"cycles": "fast"}, {"sram": "1 K"}])
def test_limits_that_make_no_sense_are_refused(limits: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        check_limits(example_trace.trace(), limits)


def test_a_missing_baseline_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no baseline traces/test_it\.json; pytest --mcusim-update"):
        bench(tmp_path).compare(example_trace.trace())


def test_a_baseline_has_nothing_of_the_host(tmp_path: Path) -> None:
    said: list[str] = []
    bench(tmp_path, update=True, said=said).compare(example_trace.trace(), "kept")
    kept = trace.load(tmp_path / "traces" / "kept.json")
    assert (kept.host.seconds, kept.firmware.path) == (0.0, "small.elf")
    assert kept == as_baseline(example_trace.changed(host=trace.Host(seconds=7.0, mcusim_version="0.1.0")))
    bench(tmp_path, update=True, said=said).compare(example_trace.trace(), "kept")
    assert said == ["traces/kept.json: written"]


def test_a_baseline_has_nothing_that_every_edit_moves() -> None:
    symbols = tuple(
        trace.FlashSymbol(name=name, part="text", address=address, bytes=4)
        for name, address in (("b", 0x0800_0000), ("a", 0x0800_0004))
    )
    flash = trace.Flash(
        text_bytes=8, constant_bytes=0, weight_bytes=0, initial_bytes=0, padding_bytes=0, symbols=symbols
    )
    first = example_trace.trace()
    firmware = msgspec.structs.replace(first.firmware, flash=flash)
    memory = msgspec.structs.replace(first.memory, live=((0, 10), (64, 20)))
    kept = as_baseline(example_trace.changed(firmware=firmware, memory=memory))
    assert kept.memory == first.memory
    assert kept.firmware.flash is not None
    assert [(symbol.name, symbol.address) for symbol in kept.firmware.flash.symbols] == [("a", 0), ("b", 0)]


def test_a_regression_says_where_it_is(tmp_path: Path) -> None:
    bench(tmp_path, update=True).compare(example_trace.trace())
    bench(tmp_path).compare(with_cycles(1_005_000))
    with pytest.raises(BudgetError) as failure:
        bench(tmp_path).compare(with_cycles(1_010_000))
    lines = str(failure.value).splitlines()
    assert lines[0] == (
        "cycles went from 1,000,000 to 1,010,000, 10,000 cycles more (+1.00 %) where 0.5 % is tolerated."
    )
    assert lines[1:] == [
        "  #0 CONV_2D  +10,000",
        "  cycles by function: conv +10,000",
        "(baseline: traces/test_it.json)",
    ]


def test_one_byte_of_sram_is_a_regression(tmp_path: Path) -> None:
    first = example_trace.trace()
    memory = msgspec.structs.replace(first.memory, sram_peak_bytes=26_273, arena_bytes=24_577)
    bench(tmp_path, update=True).compare(first)
    with pytest.raises(BudgetError, match=r"1 byte more .*\n  arena  \+1 B"):
        bench(tmp_path).compare(example_trace.changed(memory=memory))


def test_more_sram_is_told_with_the_layers_that_hold_more(tmp_path: Path) -> None:
    first = example_trace.trace()
    memory = msgspec.structs.replace(first.memory, sram_peak_bytes=26_372, arena_bytes=24_676)
    layers = (first.layers[0], msgspec.structs.replace(first.layers[1], live_peak_bytes=100))
    bench(tmp_path, update=True).compare(first)
    with pytest.raises(
        BudgetError, match=r"\n  arena  \+100 B\n  live bytes by layer: #3 FULLY_CON\w+ \+100 B\n"
    ):
        bench(tmp_path).compare(example_trace.changed(memory=memory, layers=layers))


def test_more_flash_is_told_by_symbol(tmp_path: Path) -> None:
    def with_code(size: int) -> trace.Trace:
        symbols = (
            trace.FlashSymbol(name="conv", part="text", address=0x0800_0000, bytes=size),
            trace.FlashSymbol(name="mcu_000_w", part="weights", address=0x0800_8000, bytes=300),
        )
        flash = trace.Flash(
            text_bytes=size,
            constant_bytes=0,
            weight_bytes=300,
            initial_bytes=0,
            padding_bytes=8,
            symbols=symbols,
        )
        firmware = example_trace.trace().firmware
        return example_trace.changed(
            firmware=msgspec.structs.replace(firmware, flash_bytes=size + 308, flash=flash)
        )

    bench(tmp_path, update=True).compare(with_code(1000))
    with pytest.raises(BudgetError, match=r"100 bytes more .*\n  conv \(code\)  \+100 B\n"):
        bench(tmp_path).compare(with_code(1100))
    with pytest.raises(BudgetError) as failure:
        check_limits(with_code(1000), {"flash": "1 KiB"})
    assert [line.split("  ")[1] for line in str(failure.value).splitlines()[1:]] == [
        "conv (code)",
        "mcu_000_w (weights)",
        "padding",
    ]


def test_an_improvement_is_told_and_passes(tmp_path: Path) -> None:
    said: list[str] = []
    bench(tmp_path, update=True).compare(example_trace.trace())
    bench(tmp_path, said=said).compare(with_cycles(900_000))
    assert said == [
        "traces/test_it.json: cycles fell from 1,000,000 to 900,000 (-100,000); --mcusim-update keeps it"
    ]


def test_a_baseline_of_another_timing_model_is_not_compared(tmp_path: Path) -> None:
    bench(tmp_path, update=True).compare(example_trace.trace())
    timing = trace.TimingInfo(model="m5", version=2, error="known to about 1 %")
    with pytest.raises(InputError, match="timing model: m5, version 1 before, m5, version 2 now"):
        bench(tmp_path).compare(example_trace.changed(timing=timing))
