"""Firmware on chips whose flash has wait states."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mcusim import chips
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
        ("mps2-an386", 25, 0),
    ],
)
def test_the_clock_picks_the_wait_states_of_the_manual(name: str, megahertz: int, states: int) -> None:
    chip = chips.adjusted(chips.load(name), clock_hz=megahertz * 1_000_000)
    assert (chip.clock_hz, chip.wait_states) == (megahertz * 1_000_000, states)


def test_a_clock_above_the_highest_is_refused() -> None:
    with pytest.raises(UsageError, match="stm32f407 runs at 168 MHz at most"):
        chips.adjusted(chips.load("stm32f407"), clock_hz=200_000_000)
