"""How fast firmware is simulated: mcusim beside bare Unicorn and QEMU, on the same ELF images.

Run: python benchmarks/speed.py [--repeats N] [FW.elf ...]

Without images it builds two for the STM32F412: an int8 network and a program of short branches. Every
program is run to its semihosting exit. Printed are the fastest of the repeats: host seconds of emulation
(of QEMU, of the whole process), the ratio to bare Unicorn, and simulated cycles a second. `--no-memory` is
the live counting of cycles alone, `-o` counts reads of flash too, so that the trace can be costed again.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from unicorn import arm_const
from unicorn import unicorn_const as unicorn

from mcusim import chips, image, network
from mcusim.compiler import build, firmware, toolchains
from mcusim.compiler.image_text import linker_script
from mcusim.compiler.schedule import parse_spec
from mcusim.machine import engine
from mcusim.machine.machine import NOWHERE
from mcusim.machine.memory import Memory
from mcusim.simulate import simulate

CHIP = "stm32f412zg"
NETWORK = "zoo:mobilenet_v1?width=0.25&resolution=96"
STACK_BYTES = 4096
EXITS = (0x18, 0x20)
"""Semihosting operations that end a program: SYS_EXIT and SYS_EXIT_EXTENDED."""

QEMU = ("qemu-system-arm", "-M", "netduinoplus2", "-semihosting", "-display", "none", "-monitor", "none")


def _network(folder: Path) -> Path:
    graph = network.load(NETWORK)
    out = folder / "network.elf"
    build.build(graph, parse_spec("layer", graph), chips.load(CHIP), out=out)
    return out


def _branchy(folder: Path) -> Path:
    """benchmarks/speed/branchy.c with the project's boot code."""
    chip, boot = chips.load(CHIP), firmware.directory() / "boot"
    here = Path(__file__).resolve().parent / "speed"
    toolchain = toolchains.find("zig")
    sources = [toolchains.Source(here / "branchy.c", here, "program", (boot,), ("-O2",))]
    sources += firmware.boot_sources()
    script, out = folder / "branchy.ld", folder / "branchy.elf"
    text = linker_script(boot / firmware.LINKER_TEMPLATE, chip, STACK_BYTES)
    script.write_text(text, encoding="utf-8")
    toolchains.link(toolchain, toolchains.compile_all(toolchain, sources), script, out)
    return out


def bare_seconds(elf: Path) -> float:
    """The emulator alone: memory, no hooks but the one that sees semihosting calls."""
    chip, loaded = chips.load(CHIP), image.load(elf)
    boot, cpu = loaded.boot(chip), engine.create()
    memory = Memory(cpu, chip)  # owns the bytes that the emulator maps
    memory.load(loaded)
    cpu.hook_add(unicorn.UC_HOOK_INTR, lambda *_: cpu.emu_stop())
    cpu.reg_write(arm_const.UC_ARM_REG_SP, boot.stack_pointer)
    pc = boot.reset & ~1
    started = time.perf_counter()
    while True:
        engine.emulate(cpu, pc | 1, NOWHERE)
        if cpu.reg_read(arm_const.UC_ARM_REG_R0) in EXITS:
            return time.perf_counter() - started
        pc = (cpu.reg_read(arm_const.UC_ARM_REG_PC) & ~1) + 2


def qemu_seconds(elf: Path) -> float:
    """A whole process of QEMU."""
    started = time.perf_counter()
    subprocess.run([*QEMU, "-serial", "null", "-kernel", str(elf)], capture_output=True, check=True)
    return time.perf_counter() - started


def mcusim_seconds(elf: Path, *, memory: bool, survey: bool = False) -> float:
    """Emulation alone, as the trace says it; ``survey``: as for a trace that is kept."""
    return simulate(elf, CHIP, memory=memory, survey_flashes=survey).trace.host.seconds


def measure(elf: Path, repeats: int) -> Iterator[str]:
    """The lines of one image's table."""
    ways: dict[str, Callable[[], float]] = {
        "bare Unicorn": lambda: bare_seconds(elf),
        "mcusim --no-memory": lambda: mcusim_seconds(elf, memory=False),
        "mcusim": lambda: mcusim_seconds(elf, memory=True),
        "mcusim -o": lambda: mcusim_seconds(elf, memory=True, survey=True),
    }
    if shutil.which(QEMU[0]):
        ways["QEMU, whole process"] = lambda: qemu_seconds(elf)
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(repeats):  # in turns, so that whatever else the host does hits all alike
        best = {name: min(best[name], way()) for name, way in ways.items()}
    cycles = simulate(elf, CHIP, memory=False).trace.totals.cycles
    yield f"{elf.name}: {cycles:,} cycles"
    for name, seconds in best.items():
        ratio = seconds / best["bare Unicorn"]
        yield f"  {name:20} {seconds:8.3f} s  {ratio:5.2f} x  {cycles / seconds / 1e6:8.1f} Mcycles/s"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", nargs="*", type=Path, metavar="FW.elf")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="mcusim-") as folder:
        images = options.images or [_network(Path(folder)), _branchy(Path(folder))]
        for elf in images:
            for line in measure(elf, max(1, options.repeats)):
                print(line, flush=True)  # noqa: T201 - the table is what this program is for
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
