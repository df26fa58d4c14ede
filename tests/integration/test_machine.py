"""Firmware on the simulated chip: what it prints, how it ends, and what is said when it cannot go on."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import demo_firmware
import numpy as np
import pytest

from mcusim import chips, image
from mcusim.errors import CycleLimitError, FaultError, InputError, MemoryLimitError, UsageError
from mcusim.simulate import SimulationResult, simulate

Demo = Callable[[str], bytes]
CHIP = "stm32f412zg"
LIMIT = 300_000


def _run(elf: bytes, **options: object) -> tuple[SimulationResult, str]:
    texts: list[str] = []
    arguments = {"max_cycles": LIMIT, **options}
    result = simulate(elf, CHIP, console=texts.append, **arguments)  # type: ignore[arg-type]
    return result, "".join(texts)


@pytest.mark.parametrize(
    ("demo", "code", "text"),
    [
        ("hello", 7, "hello, memory is set up, ok\n"),
        ("exit_200", 200, ""),
        ("cycle_counter", 0, ""),
        ("tick_timer", 0, ""),
        ("wait_for_event", 0, ""),
        ("console_handle", 0, "to a handle\n"),
        ("network", 0, ""),
    ],
)
def test_console_and_exit_code(demo_elf: Demo, demo: str, code: int, text: str) -> None:
    result, console = _run(demo_elf(demo))
    assert result.error is None
    assert (result.trace.exit.reason, result.trace.exit.code) == ("exit", code)
    assert console == text
    assert result.trace.warnings == ()


@pytest.mark.parametrize(
    ("demo", "error", "words"),
    [
        ("undefined", FaultError, ("undefined instruction", "'udf #3'", "in demo_main (demo.c:")),
        (
            "unmapped_read",
            FaultError,
            ("read of 4 bytes at 0x30000000", "has no memory", "'ldr ", "demo_main"),
        ),
        ("unmapped_write", MemoryLimitError, ("write of 4 bytes to 0x30000000", "'str ", "demo_main")),
        ("flash_write", MemoryLimitError, ("write of 4 bytes to 0x0800", "in flash (rx)", "'str ")),
        ("jump_nowhere", FaultError, ("jump to 0x30000000", "has no memory", "from demo_main")),
        ("jump_arm", FaultError, ("jump to 0x08000100 in ARM state", "from demo_main")),
        ("endless", CycleLimitError, ("did not end within 300000 cycles", "in spin")),
        ("deep_recursion", MemoryLimitError, ("stack overflow", "the stack's limit 0x2000", "in recurse")),
        ("push_below_sram", MemoryLimitError, ("stack overflow", "'push {r0, r1, r2", "demo_main")),
        ("breakpoint", FaultError, ("breakpoint without a debugger", "'bkpt #1'", "demo_main")),
        ("supervisor_call", FaultError, ("supervisor call without a handler", "'svc #5'", "demo_main")),
        ("sleep", FaultError, ("the core sleeps and nothing can wake it", "'wfi'", "demo_main")),
        ("reset_request", FaultError, ("asked for a system reset", "demo_main")),
        ("exception_return", FaultError, ("exception return outside an exception", "demo_main")),
        ("crash_in_layer", FaultError, ("'udf #7'", "in layer_add (demo.c:", "layer 1 (ADD)")),
    ],
)
def test_verdicts(demo_elf: Demo, demo: str, error: type[Exception], words: tuple[str, ...]) -> None:
    result, _ = _run(demo_elf(demo))
    assert type(result.error) is error
    sentence = str(result.error)
    assert [word for word in words if word not in sentence] == [], sentence
    assert "\n" not in sentence
    assert result.trace.exit.reason == result.error.reason
    assert result.trace.exit.code == result.error.exit_code
    assert result.trace.totals.cycles > 0


def test_nothing_runs_past_the_cycle_limit(demo_elf: Demo) -> None:
    result, _ = _run(demo_elf("endless"), max_cycles=5000)
    assert 5000 <= result.trace.totals.cycles < 5100


def test_unmodelled_register_warns_once(demo_elf: Demo) -> None:
    result, _ = _run(demo_elf("unmodelled_register"))
    assert result.trace.exit.code == 0
    assert len(result.trace.warnings) == 1
    assert "0x40023800 is not modelled" in result.trace.warnings[0]


def test_wait_states_are_charged_and_the_trace_says_how_well(demo_elf: Demo) -> None:
    chip = chips.load(CHIP)
    fast = simulate(demo_elf("hello"), chip).trace
    slow = simulate(demo_elf("hello"), chips.adjusted(chip, wait_states=3)).trace
    assert slow.chip.wait_states == 3
    assert slow.totals.instructions == fast.totals.instructions
    assert slow.totals.cycles > fast.totals.cycles
    assert "waiting for flash follows the manuals" in slow.timing.error
    assert "flash" not in fast.timing.error


@pytest.mark.parametrize("core", ["native", "twin"])
def test_reads_of_unwritten_sram_are_warned_of(demo_elf: Demo, core: Literal["native", "twin"]) -> None:
    elf = demo_elf("stale_read")
    result = simulate(elf, CHIP, core=core)
    address = image.load(elf).symbol("heap_area").address + 8
    (warning,) = result.trace.warnings
    assert re.fullmatch(r"demo_main \(demo.c:\d+\) reads SRAM that was never written 2 times, .*", warning)
    assert warning.endswith(f"first at 0x{address:08x}")
    assert not simulate(elf, CHIP, core=core, memory=False).trace.warnings


def test_every_part_of_the_network_is_alive_when_it_is_read(demo_elf: Demo) -> None:
    result, _ = _run(demo_elf("network"), inputs=[_input(1)])
    first, second = result.trace.layers
    memory = result.trace.memory
    assert 8 + 8 <= second.live_peak_bytes <= second.touched_bytes + memory.stack_bytes
    assert (
        max(first.live_peak_bytes, second.live_peak_bytes) <= memory.live_peak_bytes <= memory.touched_bytes
    )


def test_heap_high_water(demo_elf: Demo) -> None:
    result, _ = _run(demo_elf("heap"))
    memory = result.trace.memory
    assert memory.heap_bytes == 100
    parts = memory.static_bytes + memory.arena_bytes + memory.scratch_bytes + memory.stack_bytes
    assert memory.sram_peak_bytes == parts + memory.heap_bytes


def _input(first: int) -> np.ndarray:
    return np.arange(first, first + 8, dtype=np.int8).reshape(1, 8)


def test_inferences_from_one_boot(demo_elf: Demo) -> None:
    inputs = [_input(first) for first in (0, 10, -20, 0)]
    result, _ = _run(demo_elf("network"), inputs=inputs)
    assert result.error is None
    assert [outputs[0].tolist() for outputs in result.outputs] == [(2 * x + 3).tolist() for x in inputs]
    alone, _ = _run(demo_elf("network"), inputs=inputs[:1])
    assert alone.trace.totals == result.trace.totals
    assert alone.trace.layers == result.trace.layers
    figures = result.trace.inferences
    assert figures is not None
    assert (figures.count, figures.cycles_min) == (4, figures.cycles_max)


def test_stacked_inputs_equal_single_ones(demo_elf: Demo) -> None:
    inputs = [_input(first) for first in (0, 10, -20)]
    stacked, _ = _run(demo_elf("network"), inputs=[np.concatenate(inputs)])
    single, _ = _run(demo_elf("network"), inputs=inputs)
    assert [out[0].tolist() for out in stacked.outputs] == [out[0].tolist() for out in single.outputs]


def test_layers_of_the_network(demo_elf: Demo) -> None:
    result, _ = _run(demo_elf("network"), inputs=[_input(1)], capture=True)
    first, second = result.trace.layers
    assert (first.name, first.calls, second.calls) == ("layer_double", 1, 1)
    assert result.trace.totals.macs == 16
    rest = result.profile.rest_cycles
    assert rest > 0
    assert first.cycles + second.cycles + rest == result.trace.totals.cycles
    assert first.stack_bytes > second.stack_bytes
    assert 8 + 8 <= second.touched_bytes <= 8 + 8 + second.stack_bytes
    doubled = 2 * _input(1)
    assert result.captured == {0: doubled.tobytes(), 1: (doubled + 3).astype(np.int8).tobytes()}
    assert result.trace.memory.arena_high_water_bytes == 24
    plain, _ = _run(demo_elf("network"), inputs=[_input(1)])
    assert plain.trace.totals == result.trace.totals


def test_macs_are_those_of_calls_made(demo_elf: Demo) -> None:
    result, _ = _run(demo_elf("hello"))
    assert [(layer.calls, layer.macs) for layer in result.trace.layers] == [(0, 0), (0, 0)]
    assert result.trace.totals.macs == 0


@pytest.mark.parametrize("chip", ["nrf52840", "mps2-an386", "stm32f412zg"])
def test_images_linked_for_zero(tmp_path: Path, chip: str) -> None:
    elf = demo_firmware.select(demo_firmware.build(tmp_path, flash_start=0), "hello")
    texts: list[str] = []
    result = simulate(elf, chip, console=texts.append)
    assert result.error is None
    assert "".join(texts) == "hello, memory is set up, ok\n"


def test_sums(demo_elf: Demo) -> None:
    result, _ = _run(demo_elf("network"), inputs=[_input(1)])
    total = result.trace.totals.cycles
    costs = result.instruction_costs()
    assert sum(cost.cycles for cost in costs.values()) == total
    assert sum(function.cycles_self for function in result.trace.functions) == total
    by_layer = {layer.function: layer.cycles for layer in result.profile.counts.layers}
    assert all(by_layer[cost.mark.start] == cost.cycles for cost in result.profile.layers if cost.mark.start)
    recursion = next(function for function in result.trace.functions if function.name == "recurse")
    assert recursion.calls == 3
    assert recursion.cycles_total == recursion.cycles_self


def test_two_runs_are_the_same(demo_elf: Demo) -> None:
    one, _ = _run(demo_elf("network"), inputs=[_input(1)])
    two, _ = _run(demo_elf("network"), inputs=[_input(1)])
    assert one.trace.host.mcusim_version == two.trace.host.mcusim_version
    for name in one.trace.__struct_fields__:
        if name != "host":
            assert getattr(one.trace, name) == getattr(two.trace, name)


@pytest.mark.parametrize(
    "demo", ["hello", "network", "deep_recursion", "crash_in_layer", "endless", "cycle_counter"]
)
def test_twin_agrees(demo_elf: Demo, demo: str) -> None:
    native, _ = _run(demo_elf(demo), max_cycles=30_000)
    twin, _ = _run(demo_elf(demo), max_cycles=30_000, core="twin")
    assert twin.profile.counts == native.profile.counts
    assert str(twin.error) == str(native.error)


def test_functions_as_layers(demo_elf: Demo) -> None:
    result, _ = _run(demo_elf("network"), layers_regex="layer_a.*|recurse")
    assert {layer.name for layer in result.trace.layers} == {"layer_add", "recurse"}
    assert all(layer.cycles > 0 for layer in result.trace.layers)


@pytest.mark.parametrize(
    ("array", "complaint"),
    [
        (np.zeros((1, 8), np.float32), "must be int8 of shape 1x8, and float32 of shape 1x8 was given"),
        (np.zeros((1, 9), np.int8), "must be int8 of shape 1x8, and int8 of shape 1x9 was given"),
        (np.zeros(8, np.int8), "and int8 of shape 8 was given"),
        (np.zeros((0, 8), np.int8), "and int8 of shape 0x8 was given"),
    ],
)
def test_wrong_inputs(demo_elf: Demo, array: np.ndarray, complaint: str) -> None:
    with pytest.raises(InputError) as caught:
        _run(demo_elf("network"), inputs=[array])
    assert complaint in str(caught.value)


def test_bad_layer_patterns(demo_elf: Demo) -> None:
    with pytest.raises(UsageError, match="not a regular expression"):
        _run(demo_elf("network"), layers_regex="(")
    with pytest.raises(UsageError, match="matches no function"):
        _run(demo_elf("network"), layers_regex="nothing_like_it")


@pytest.mark.parametrize("count", [1, 2])
def test_inputs_need_the_network_call(demo_elf: Demo, count: int) -> None:
    result, _ = _run(demo_elf("hello"), inputs=[_input(0)] * count)
    assert isinstance(result.error, InputError)
    assert "never reached network_invoke" in str(result.error)


def test_without_memory_measurement(demo_elf: Demo) -> None:
    result, _ = _run(demo_elf("network"), memory=False)
    measured, _ = _run(demo_elf("network"))
    assert result.trace.totals == measured.trace.totals
    assert result.trace.memory.arena_high_water_bytes == 0


def test_interrupt_key_ends_an_endless_firmware(demo_elf: Demo, tmp_path: Path) -> None:
    path = tmp_path / "endless.elf"
    path.write_bytes(demo_elf("endless"))
    # A test run in the background is started with the signal ignored, and so would be its children.
    script = "import sys, pathlib, signal, mcusim.simulate as s; "
    script += "signal.signal(signal.SIGINT, signal.default_int_handler); print('go', flush=True); "
    script += "s.simulate(pathlib.Path(sys.argv[1]), 'stm32f412zg', max_cycles=10**15)"
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline().strip() == b"go"
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=20)
    finally:
        process.kill()
    assert b"KeyboardInterrupt" in complaint
    assert process.returncode != 0
