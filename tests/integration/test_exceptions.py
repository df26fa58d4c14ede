"""Exceptions: order, what they preserve, what they cost, and where that is counted."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Literal

import exception_firmware
import pytest

from mcusim.machine import exceptions
from mcusim.simulate import SimulationResult, simulate
from mcusim.timing.rules import Parameter

QEMU = shutil.which("qemu-system-arm")
PERIOD = 1000
TIMED = ("ticks", "sleep", "floating_point")
"""Their number of ticks depends on time, which in QEMU is the host's."""
ORDERS = {
    "call": "",
    "ticks": "",
    "sleep": "",
    "preemption": "abA",
    "tail_chain": "aAbc",
    "masked": "mbe",
    "threads": "ababab",
    "floating_point": "y",
}


@pytest.fixture(scope="module")
def elf(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return exception_firmware.build(tmp_path_factory.mktemp("exceptions"))


def _run(
    elf: bytes, demo: str, core: Literal["native", "twin"] = "native"
) -> tuple[SimulationResult, str, tuple[int, int, int]]:
    """The result, the letters printed, and the numbers: ticks or the call's result, and two cycle counts."""
    texts: list[str] = []
    result = simulate(
        exception_firmware.select(elf, demo), "stm32f407", console=texts.append, core=core, max_cycles=10**6
    )
    assert result.error is None
    letters, first, second, third = "".join(texts).split(" ")
    return result, letters, (int(first), int(second), int(third))


def test_every_demo_has_an_order() -> None:
    assert set(ORDERS) == set(exception_firmware.DEMOS)


@pytest.mark.parametrize("core", ["native", "twin"])
@pytest.mark.parametrize("demo", ORDERS)
def test_order(elf: bytes, demo: str, core: Literal["native", "twin"]) -> None:
    result, letters, _ = _run(elf, demo, core)
    assert letters == ORDERS[demo]
    assert sum(function.cycles_self for function in result.trace.functions) == result.trace.totals.cycles


@pytest.mark.skipif(QEMU is None, reason="QEMU is not installed")
@pytest.mark.parametrize("demo", ORDERS)
def test_order_in_qemu(elf: bytes, demo: str, tmp_path: Path) -> None:
    path = tmp_path / "demo.elf"
    path.write_bytes(exception_firmware.select(elf, demo))
    options = ["-display", "none", "-serial", "null", "-monitor", "none"]
    options += ["-chardev", f"file,id=console,path={tmp_path / 'console.txt'}"]
    options += ["-semihosting-config", "enable=on,target=native,chardev=console"]
    command = [str(QEMU), "-M", "netduinoplus2", *options, "-kernel", str(path)]
    ended = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert ended.returncode == 0
    _, letters, numbers = _run(elf, demo)
    words = (tmp_path / "console.txt").read_text().split(" ")
    assert words[0] == letters
    assert demo in TIMED or int(words[1]) == numbers[0]


def test_a_call_passes_its_argument_and_its_result(elf: bytes) -> None:
    assert _run(elf, "call")[2][0] == 37 + 5


@pytest.mark.parametrize("demo", ["ticks", "sleep"])
def test_the_timer_keeps_its_period(elf: bytes, demo: str) -> None:
    result, _, (ticks, first, fourth) = _run(elf, demo)
    assert ticks == 4
    assert abs(fourth - first - 3 * PERIOD) < 30
    handler = next(f for f in result.trace.functions if f.name == "Tick_Handler")
    assert handler.calls == 4
    assert (result.trace.totals.instructions < 2 * PERIOD) == (demo == "sleep")


@pytest.mark.parametrize(
    ("demo", "parameter", "between"),
    [
        ("call", Parameter.EXCEPTION_ENTRY, (100, 100)),
        ("call", Parameter.EXCEPTION_RETURN, (0, 100)),
        ("call", Parameter.TAIL_CHAIN, (0, 0)),
        ("tail_chain", Parameter.EXCEPTION_ENTRY, (100, 100)),
        ("tail_chain", Parameter.TAIL_CHAIN, (100, 200)),
        ("tail_chain", Parameter.EXCEPTION_RETURN, (0, 0)),
    ],
)
def test_costs(
    elf: bytes,
    demo: str,
    parameter: Parameter,
    between: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = _run(elf, demo)[2]
    dearer = list(exceptions.COSTS)
    dearer[parameter] += 100
    monkeypatch.setattr(exceptions, "COSTS", dearer)
    after = _run(elf, demo)[2]
    assert (after[1] - before[1], after[2] - before[2]) == between


def test_costs_are_those_of_the_manual(elf: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, (_, entered, left) = _run(elf, "call")
    monkeypatch.setattr(exceptions, "COSTS", [0] * len(exceptions.COSTS))
    _, _, (_, entered_free, left_free) = _run(elf, "call")
    assert (entered - entered_free, left - left_free) == (12, 12 + 10)
