"""Firmware on chips whose flash has wait states."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mcusim import chips
from mcusim.cli.values import chip_at
from mcusim.errors import UsageError
from mcusim.simulate import simulate
from mcusim.trace import Trace

Demo = Callable[[str], bytes]
CHIPS = ("stm32f412zg", "stm32f407", "stm32l4r5")


def _trace(elf: bytes, name: str, states: int, core: str = "native") -> Trace:
    chip = chips.adjusted(chips.load(name), wait_states=states)
    return simulate(elf, chip, core="twin" if core == "twin" else "native").trace


@pytest.mark.parametrize("name", CHIPS)
def test_more_wait_states_never_cost_less(demo_elf: Demo, name: str) -> None:
    cycles = [_trace(demo_elf("network"), name, states).totals.cycles for states in range(6)]
    assert cycles == sorted(cycles)
    assert cycles[0] < cycles[-1]


@pytest.mark.parametrize("name", CHIPS)
def test_the_cores_agree(demo_elf: Demo, name: str) -> None:
    native, twin = (_trace(demo_elf("network"), name, 4, core) for core in ("native", "twin"))
    assert native.totals == twin.totals
    assert native.layers == twin.layers
    assert native.call_tree == twin.call_tree


def test_layers_and_functions_carry_their_waiting(demo_elf: Demo) -> None:
    trace = _trace(demo_elf("network"), "stm32l4r5", 5)
    assert sum(function.cycles_self for function in trace.functions) == trace.totals.cycles
    assert sum(node.cycles for node in trace.call_tree) == trace.totals.cycles


@pytest.mark.parametrize(
    ("name", "megahertz", "states"),
    [
        ("stm32f407", 168, 5),
        ("stm32f407", 30, 0),
        ("stm32f407", 31, 1),
        ("stm32f412zg", 64, 1),
        ("stm32f412zg", 100, 3),
        ("stm32l4r5", 120, 5),
        ("stm32l4r5", 80, 3),
        ("nrf52840", 64, 2),
        ("mps2-an386", 25, 0),
    ],
)
def test_the_clock_picks_the_wait_states_of_the_manual(name: str, megahertz: int, states: int) -> None:
    chip = chips.adjusted(chips.load(name), clock_hz=megahertz * 1_000_000)
    assert (chip.clock_hz, chip.wait_states) == (megahertz * 1_000_000, states)


@pytest.mark.parametrize(
    ("volts", "megahertz", "states", "prefetch"),
    [
        (3.3, 168, 5, True),
        (2.4, 144, 5, True),
        (2.2, 144, 6, True),
        (2.2, 168, 7, True),
        (1.8, 160, 7, False),
    ],
)
def test_a_lower_supply_needs_more_wait_states(
    volts: float, megahertz: int, states: int, prefetch: bool
) -> None:
    chip = chip_at("stm32f407", f"{megahertz}MHz@{volts}V", None)
    assert chip.wait_states == states
    assert chip.flash_timing.accelerator is not None
    assert chip.flash_timing.accelerator.prefetch is prefetch


@pytest.mark.parametrize(
    ("name", "clock", "complaint"),
    [
        ("stm32f407", "168MHz@1.9V", "stm32f407 runs at 160 MHz at most with a supply of 1.9 V"),
        (
            "stm32f407",
            "20MHz@1.7V",
            "stm32f407: it is not known how many wait states a supply of 1.7 V needs",
        ),
        ("stm32l4r5", "20MHz@3V", "stm32l4r5: it is not known how many"),
        ("stm32f407", "20MHz@high", "'high' is not a voltage such as 2.4V"),
    ],
)
def test_supplies_that_are_refused(name: str, clock: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        chip_at(name, clock, None)


@pytest.mark.parametrize("name", CHIPS)
def test_waiting_carries_its_uncertainty(demo_elf: Demo, name: str) -> None:
    none, some = (_trace(demo_elf("network"), name, states) for states in (0, 5))
    below, above = (
        (t.totals.cycles - t.totals.cycles_low, t.totals.cycles_high - t.totals.cycles) for t in (none, some)
    )
    assert above[1] > below[1]
    assert (above[0] > below[0]) == (name == "stm32l4r5")
    assert all(layer.cycles_low <= layer.cycles <= layer.cycles_high for layer in some.layers)


def test_a_clock_above_the_highest_is_refused() -> None:
    with pytest.raises(UsageError, match="stm32f407 runs at 168 MHz at most"):
        chips.adjusted(chips.load("stm32f407"), clock_hz=200_000_000)
