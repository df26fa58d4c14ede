"""Heap and stacks of firmware that uses several ways to them, measured apart."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from core_bench import Prefer

from mcusim.cli.application import invoke
from mcusim.errors import MemoryLimitError, UsageError
from mcusim.simulate import SimulationResult, simulate

CHIP = "stm32f407"
Demo = Callable[[str], bytes]


def _run(elf: bytes, core: Prefer = "native") -> SimulationResult:
    return simulate(elf, CHIP, core=core, max_cycles=300_000)


def _check_parts(result: SimulationResult) -> None:
    memory = result.trace.memory
    parts = memory.static_bytes + memory.arena_bytes + memory.scratch_bytes
    assert memory.sram_peak_bytes == parts + memory.stack_bytes + memory.heap_bytes
    assert memory.stack_bytes == sum(stack.bytes for stack in memory.stacks if not stack.reserved_bytes)
    assert memory.dead_bytes == memory.sram_peak_bytes - memory.live_peak_bytes
    assert max(peak for _, peak in memory.live) == memory.live_peak_bytes
    assert all(before < after for (before, _), (after, _) in pairwise(memory.live))


@pytest.mark.parametrize("demo", ["heap", "heap_shrinks"])
def test_the_heap_is_followed_by_its_break(memory_elf: Demo, core: Prefer, demo: str) -> None:
    """1500 bytes are asked for, 1200 given back, and 100 more taken; 200 of what was written are read."""
    result = _run(memory_elf(demo), core)
    assert result.error is None
    assert result.trace.memory.heap_bytes == 1500
    assert result.trace.memory.heap_live_peak_bytes == 200
    _check_parts(result)
    assert simulate(memory_elf(demo), CHIP, memory=False).trace.memory.heap_bytes == 1500


def test_an_array_may_be_the_heap(memory_elf: Demo, core: Prefer) -> None:
    """It no longer counts as static data; the heap is what was written of it, and of that what was read."""
    plain = _run(memory_elf("pool"), core).trace.memory
    named = simulate(memory_elf("pool"), CHIP, core=core, heap="pool").trace.memory
    assert (plain.heap_bytes, named.heap_bytes, named.heap_live_peak_bytes) == (0, 100, 50)
    assert plain.static_bytes - named.static_bytes == 512
    assert simulate(memory_elf("pool"), CHIP, heap="pool", memory=False).trace.memory.heap_bytes == 100
    with pytest.raises(UsageError, match="'demo_main' is no array that could be the heap"):
        simulate(memory_elf("pool"), CHIP, heap="demo_main")


def test_threads_have_stacks_of_their_own(memory_elf: Demo, core: Prefer) -> None:
    result = _run(memory_elf("threads"), core)
    assert result.error is None
    main, first, second = result.trace.memory.stacks
    assert (main.name, main.pointer, main.reserved_bytes) == ("main", "msp", 0)
    assert (first.name, first.pointer, first.reserved_bytes) == ("stack_a", "psp", 512)
    assert (second.name, second.pointer, second.reserved_bytes) == ("stack_b", "psp", 512)
    assert main.chain == ("Reset_Handler", "demo_main", "start_threads")
    assert first.chain[-2:] == ("thread_a", "yield")
    assert second.chain == ("thread_b", *["recurse"] * 4)
    # yield keeps nine words, of which the switch of threads takes none off the stack that it leaves
    assert second.bytes >= 9 * 4
    _check_parts(result)


def test_what_threads_call_is_theirs(memory_elf: Demo, core: Prefer) -> None:
    trace = _run(memory_elf("threads"), core).trace
    names = [trace.functions[node.function].name for node in trace.call_tree]
    calls = {
        (name, names[node.parent] if node.parent >= 0 else ""): node.calls
        for name, node in zip(names, trace.call_tree, strict=True)
    }
    assert calls["recurse", "thread_a"] == 3 * 2
    assert calls["recurse", "thread_b"] == 3 * 4
    assert calls["yield", "thread_a"] == calls["yield", "thread_b"] == 3
    assert calls["thread_b", ""] == 1


def test_a_jump_back_stays_on_its_stack(memory_elf: Demo, core: Prefer) -> None:
    result = _run(memory_elf("longjmp"), core)
    (main,) = result.trace.memory.stacks
    assert main.chain == ("Reset_Handler", "demo_main", "long_jump", "jump_back", *["recurse"] * 5)
    _check_parts(result)


@pytest.mark.parametrize(
    ("demo", "sentence"),
    [
        (
            "stack_into_data",
            r"stack overflow, the stack pointer fell to 0x\w+, \d+ bytes into the static data \(\w+\) up to "
            r"0x\w+, by '.*' at 0x\w+ in recurse \(memory.c:\d+\)",
        ),
        (
            "stack_into_heap",
            r"stack overflow, .* bytes into the heap, which reaches up to 0x\w+, by '.*' .* in recurse .*",
        ),
        (
            "heap_into_stack",
            r"heap overflow, the heap grows up to 0x\w+, \d+ bytes above the stack pointer 0x\w+, on behalf "
            r"of demo_main",
        ),
        (
            "thread_overflow",
            r"stack overflow, the stack pointer fell to 0x\w+, \d+ bytes below stack_b, by '.*' .*",
        ),
    ],
)
def test_collisions(memory_elf: Demo, core: Prefer, demo: str, sentence: str) -> None:
    result = _run(memory_elf(demo), core)
    assert type(result.error) is MemoryLimitError
    assert re.fullmatch(sentence, str(result.error)), str(result.error)
    assert (result.trace.exit.reason, result.trace.exit.code) == ("memory", 67)


@pytest.mark.parametrize("demo", ["heap", "heap_shrinks", "threads", "thread_overflow", "longjmp"])
def test_both_cores_count_the_same(memory_elf: Demo, demo: str) -> None:
    native, twin = (_run(memory_elf(demo), core) for core in ("native", "twin"))
    assert native.profile.counts == twin.profile.counts


def test_options_of_run(memory_elf: Demo, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "firmware.elf"
    path.write_bytes(memory_elf("null_member"))
    assert invoke(["run", str(path), "--chip", CHIP]) == 64
    assert "access through a null pointer" in capsys.readouterr().err
    assert invoke(["run", str(path), "--chip", CHIP, "--allow-null"]) == 0
    path.write_bytes(memory_elf("pool"))
    assert invoke(["run", str(path), "--chip", CHIP, "--heap", "pool"]) == 0
    assert "heap 100 B" in capsys.readouterr().out
