"""Every micro-benchmark, on the Python model, on the native one, and executed with a core attached."""

from __future__ import annotations

import ctypes
import dataclasses
from typing import Literal

import pytest
from assembled import Snippet
from assembler import ORIGIN
from micro_benchmarks import MICRO_BENCHMARKS, MicroBenchmark
from unicorn import UC_ARCH_ARM, UC_MODE_MCLASS, UC_MODE_THUMB, UC_PROT_ALL, Uc, arm_const

from mcusim import core
from mcusim.core import library
from mcusim.core.interface import CodeRegion, CoreSpec, FunctionRange, Stop, TrackedBank, Watch
from mcusim.timing.model import TimingModel
from mcusim.timing.pipeline import DEFAULT_VARIANT, VARIANTS

ROWS = [pytest.param(i, b, id=b.name) for i, b in enumerate(MICRO_BENCHMARKS)]
SRAM_CODE = 0x20010000
RAM, RAM_SIZE, CODE_SIZE, STACK = 0x20000000, 0x2000, 0x10000, 0x20001000


def _placed(snippet: Snippet, benchmark: MicroBenchmark) -> Snippet:
    """Where the benchmark wants it."""
    moved = _origin(benchmark) - ORIGIN
    places = {name: getattr(snippet, name) + moved for name in ("entry", "start", "end", "target")}
    return dataclasses.replace(snippet, **places)


def _origin(benchmark: MicroBenchmark) -> int:
    return SRAM_CODE if benchmark.in_sram else ORIGIN


@pytest.mark.parametrize(("index", "benchmark"), ROWS)
def test_python_model(index: int, benchmark: MicroBenchmark, assembled: tuple[bytes, list[Snippet]]) -> None:
    snippet = _placed(assembled[1][index], benchmark)
    cost = TimingModel().cost(snippet.code, snippet.start, outcome=benchmark.outcome)
    assert cost.cycles == benchmark.expected
    assert sum(cost.instruction_cycles) == cost.cycles


@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_native_model_equals_python_model(variant: str, assembled: tuple[bytes, list[Snippet]]) -> None:
    model = TimingModel(variant)
    timing = library.timing_table(model)
    for built, benchmark in zip(assembled[1], MICRO_BENCHMARKS, strict=True):
        snippet = _placed(built, benchmark)
        code, outcome = snippet.code, benchmark.outcome
        native = library.load().mcusim_cost(timing, code, snippet.start, len(code), 1, outcome)
        assert native == model.cost(code, snippet.start, outcome=outcome).cycles


def _engine(code: bytes, origin: int, target: int, ram: ctypes.Array[ctypes.c_uint8]) -> Uc:
    """A core in a state in which every snippet runs: registers and memory point to memory."""
    uc = Uc(UC_ARCH_ARM, UC_MODE_THUMB | UC_MODE_MCLASS)
    uc.ctl_set_cpu_model(arm_const.UC_CPU_ARM_CORTEX_M4)
    uc.mem_map(origin, CODE_SIZE, UC_PROT_ALL)
    uc.mem_write(origin, code)
    uc.mem_map_ptr(RAM, RAM_SIZE, UC_PROT_ALL, ctypes.addressof(ram))
    uc.mem_map(2 * RAM, 0x1000, UC_PROT_ALL)
    uc.mem_write(RAM, RAM.to_bytes(4, "little") * 64)
    uc.mem_write(STACK, (target | 1).to_bytes(4, "little") * 8)
    for register in range(arm_const.UC_ARM_REG_R1, arm_const.UC_ARM_REG_R7 + 1):
        uc.reg_write(register, RAM)
    uc.reg_write(arm_const.UC_ARM_REG_R0, 1)
    uc.reg_write(arm_const.UC_ARM_REG_LR, target | 1)
    uc.reg_write(arm_const.UC_ARM_REG_SP, STACK)
    return uc


def _run(uc: Uc, watcher: core.Core, address: int) -> None:
    """Until something else than the core's own preparations stops the engine."""
    while True:
        uc.emu_start(address | 1, 0)
        address = uc.reg_read(arm_const.UC_ARM_REG_PC) & ~1
        watcher.pause(address)
        if watcher.stop_state().stop is not Stop.AGAIN:
            return
        watcher.resume()


@pytest.mark.parametrize("prefer", ["native", "twin"])
@pytest.mark.parametrize(("index", "benchmark"), ROWS)
def test_executed(
    index: int,
    benchmark: MicroBenchmark,
    prefer: Literal["native", "twin"],
    assembled: tuple[bytes, list[Snippet]],
) -> None:
    code, snippets = assembled
    snippet, origin = _placed(snippets[index], benchmark), _origin(benchmark)
    ram = (ctypes.c_uint8 * RAM_SIZE)()
    uc = _engine(code, origin, snippet.target, ram)
    if "[r0]" in benchmark.code or "ldm r0" in benchmark.code:
        uc.reg_write(arm_const.UC_ARM_REG_R0, RAM)
    target = FunctionRange(snippet.target, snippet.target + 2, Watch.STOP)
    bank = TrackedBank((RAM,), memoryview(ram).cast("B"))
    spec = CoreSpec(DEFAULT_VARIANT, [CodeRegion(origin, memoryview(code))], [], [target], tracked=[bank])
    watcher = core.create(uc, spec, prefer)
    watcher.begin(snippet.entry, STACK, snippet.target)
    _run(uc, watcher, snippet.entry)
    if snippet.target == snippet.start:  # stopped on the way in
        watcher.resume()
        _run(uc, watcher, snippet.start)
    state = watcher.stop_state()
    assert state.stop in (Stop.ENTERED, Stop.RETURNED)
    entering = TimingModel().cost(code[snippet.entry - origin :][:2], snippet.entry).cycles
    assert watcher.counts().cycles - entering == benchmark.expected
    watcher.close()


def test_known_misses_are_few_and_small() -> None:
    misses = [b for b in MICRO_BENCHMARKS if b.expected != b.cycles]
    assert [b.name for b in misses] == ["three unaligned wide stores"]
    assert all(abs(b.expected - b.cycles) == 1 for b in misses)
