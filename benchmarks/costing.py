"""How long it takes to cost code that was never seen before.

Run: python benchmarks/costing.py [--runs N] [--seed N]

Writes a firmware of N straight runs of random instructions that jump to one another in random order, runs it
once, and prints what it takes to cost its runs: in the native core, in its readable Python twin (which must
find the same cycles), and when the kept trace is costed again as a whole.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from mcusim import chips, image
from mcusim.compiler import firmware, toolchains
from mcusim.compiler.image_text import linker_script
from mcusim.core.costing import CodeRun, instruction_cycles, run_cycles, twin_instruction_cycles
from mcusim.profile.document import chip_info
from mcusim.recost import recost
from mcusim.simulate import SimulationResult, simulate
from mcusim.timing.chip_flash import flash_range
from mcusim.timing.model import TimingModel

CHIP, CLOCK_HZ = "stm32f412zg", 84_000_000
RUNS, SEED = 5000, 1
STACK_BYTES = 4096
ALLOWED_SECONDS = 0.5
LONGEST = 24
"""Instructions of a run; lengths below are equally likely."""

HEAD = (
    ".syntax unified\n.thumb\n.cpu cortex-m4\n.fpu fpv4-sp-d16\n.text\n.global main\n.type main, %function\n"
)
INSTRUCTIONS = (
    "adds r0, #1",
    "add.w r1, r0, r2, lsl #3",
    "eors r2, r0",
    "ubfx r3, r1, #4, #7",
    "mul r1, r0, r3",
    "smlad r2, r0, r1, r2",
    "umull r0, r3, r1, r2",
    "ldr r1, [sp]",
    "ldr.w r2, [sp, #4]",
    "ldrb r3, [sp, #9]",
    "str r1, [sp, #8]",
    "strh r2, [r7, #2]",
    "ldrd r0, r3, [sp]",
    "ldm r7, {r0, r1, r2}",
    "udiv r1, r0, r6",
    "vadd.f32 s0, s0, s1",
    "vmla.f32 s2, s0, s1",
    "vldr s1, [sp, #4]",
    "cmp r0, #7\nitte lt\naddlt r0, #2\nldrlt r1, [sp]\nsubge r0, #1",
)
"""SP and R7 are the start of some words on the stack, R6 is not zero."""

Value = TypeVar("Value")


def assembly(runs: int, seed: int) -> str:
    """A function main with ``runs`` runs beside those of its start and end, each executed once."""
    choose = random.Random(seed)
    order = choose.sample(range(runs), runs)
    following = dict(zip(order, [*order[1:], -1], strict=True))
    lines = [HEAD, "main: push {r4-r7, lr}", "sub sp, #20", "mov r7, sp", "movs r6, #3", f"b.w run{order[0]}"]
    for number in range(runs):
        body = choose.choices(INSTRUCTIONS, k=choose.randint(1, LONGEST))
        target = f"run{following[number]}" if following[number] >= 0 else "finish"
        lines += [f"run{number}:", *body, f"b.w {target}"]
    lines += ["finish: movs r0, #0", "add sp, #20", "pop {r4-r7, pc}"]
    return "\n".join(lines) + "\n"


def build(folder: Path, runs: int, seed: int) -> Path:
    """The firmware, with the project's boot code."""
    chip, boot = chips.load(CHIP), firmware.directory() / "boot"
    program = folder / "runs.s"
    program.write_text(assembly(runs, seed), encoding="utf-8")
    toolchain = toolchains.find("zig")
    sources = [toolchains.Source(program, folder, "program", (), generated=True)]
    sources += firmware.boot_sources()
    script, out = folder / "runs.ld", folder / "runs.elf"
    text = linker_script(boot / firmware.LINKER_TEMPLATE, chip, STACK_BYTES)
    script.write_text(text, encoding="utf-8")
    toolchains.link(toolchain, toolchains.compile_all(toolchain, sources), script, out)
    return out


def code_runs(elf: Path, result: SimulationResult) -> list[CodeRun]:
    """Every distinct run that was executed."""
    segments = image.load(elf).segments

    def read(address: int, size: int) -> bytes:
        segment = next(s for s in segments if s.address <= address < s.address + len(s.data))
        return segment.data[address - segment.address :][:size]

    counts = result.profile.counts.runs
    return [CodeRun(read(run.start, run.end - run.start), run.start, run.next != 0) for run in counts]


def timed(work: Callable[[], Value]) -> tuple[float, Value]:
    """Seconds that ``work`` takes, and what it gives."""
    started = time.perf_counter()
    value = work()
    return time.perf_counter() - started, value


def measure(elf: Path) -> list[tuple[str, float]]:
    """What was timed, and seconds. Raises SystemExit if the native core and its twin differ."""
    result = simulate(elf, CHIP, survey_flashes=True)
    if result.error is not None:
        raise SystemExit(str(result.error))
    runs, model = code_runs(elf, result), TimingModel()
    native, cycles = timed(lambda: run_cycles(model, runs))
    each, by_instruction = timed(lambda: instruction_cycles(model, runs))
    twin, expected = timed(lambda: [twin_instruction_cycles(model, run) for run in runs])
    if by_instruction != expected or cycles != [sum(spent for _, spent in costs) for costs in expected]:
        raise SystemExit("the native core and its twin differ")
    chip = chips.adjusted(chips.load(CHIP), CLOCK_HZ)
    again, _ = timed(lambda: recost(result.trace, model="m1", chip=chip_info(chip), flash=flash_range(chip)))
    return [
        (f"{len(runs):,} runs of {sum(map(len, expected)):,} instructions, native core", native),
        ("the same by instruction", each),
        ("the same in the readable Python twin", twin),
        ("the trace costed again, three bounds and hot instructions", again),
    ]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="mcusim-") as folder:
        rows = measure(build(Path(folder), options.runs, options.seed))
    for what, seconds in rows:
        sys.stdout.write(f"{seconds:7.3f} s  {what}\n")
    native = rows[0][1]
    sys.stdout.write(f"The native core stays below {ALLOWED_SECONDS} s: {native < ALLOWED_SECONDS}\n")
    return 0 if native < ALLOWED_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
