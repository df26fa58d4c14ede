"""What waiting for flash adds, beside what vendors and others say it does.

Run: python benchmarks/waiting.py [--models FOLDER] [--coremark FOLDER] [--update]

``--models`` holds MLPerf Tiny's networks, ``--coremark`` CoreMark's sources (github.com/eembc/coremark);
neither is part of this project. A firmware that interprets programs is built in any case. ``--update`` writes
the table into docs/timing.md.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from mcusim import chips, network, trace
from mcusim.chips import Cache, Caches, Chip
from mcusim.compiler import build, firmware, toolchains
from mcusim.compiler.image_text import linker_script
from mcusim.compiler.schedule import parse_spec
from mcusim.compiler.toolchains import Source
from mcusim.simulate import simulate
from mcusim.timing.document import table

HERE = Path(__file__).resolve().parent / "waiting"
COUNTED = HERE.parent / "accuracy" / "harness"
DOCUMENT = HERE.parents[1] / "docs" / "timing.md"
FIRST, LAST = "<!-- waiting -->\n", "<!-- end of waiting -->"

STACK_BYTES = 4096
LINK_CHIP = "stm32f407"
"""Its images run on an STM32L4R5, too: flash and SRAM begin where they do there, and are larger."""

NETWORKS = ("kws_ref_model", "pretrainedResnet_quant", "ad01_int8")
COREMARK = ("core_list_join.c", "core_matrix.c", "core_state.c", "core_util.c")
F4, L4 = "stm32f407", "stm32l4r5"


@dataclass(frozen=True)
class Point:
    """The cycles of a program at ``states`` wait states over those at ``over``, and what is said of it."""

    program: str
    chip: str
    states: int
    over: int
    said: str
    cached: bool = True


@dataclass(frozen=True)
class Ratio:
    """At its lowest, best and highest."""

    low: float
    best: float
    high: float

    def __str__(self) -> str:
        return f"{self.best:.2f} ({self.low:.2f} to {self.high:.2f})"


_NETWORK = "about 1.2 to 1.3: networks of others, over zero wait states of similar kernels"
_SAME = "1: the vendor's claim for CoreMark"
POINTS = (
    *(Point(name, L4, 5, 0, _NETWORK) for name in NETWORKS),
    Point("CoreMark", F4, 5, 0, f"{_SAME} at up to 180 MHz (RM0090)"),
    Point("CoreMark", L4, 8, 0, f"{_SAME} on an STM32G4 at up to 170 MHz (RM0440), the same accelerator"),
    Point("CoreMark", F4, 5, 0, "no figure found", cached=False),
    Point("interpreter", F4, 2, 5, "0.79 to 0.88: interpreters on an STM32F401"),
    Point("interpreter", F4, 2, 5, "the same", cached=False),
    Point("interpreter", L4, 4, 8, "0.65 to 0.78: interpreters on an STM32G474"),
    Point("interpreter", L4, 4, 8, "the same", cached=False),
)


def link(files: Sequence[Path], includes: Sequence[Path], out: Path, toolchain: str, optimise: str) -> None:
    """Link C files with the boot code. Raises ToolchainError."""
    boot = firmware.directory() / "boot"
    places = (boot, HERE, COUNTED, *includes)
    sources = [Source(file, file.parent, "program", places, (optimise, "-w")) for file in files]
    sources += firmware.boot_sources()
    found = toolchains.find(toolchain)
    with tempfile.TemporaryDirectory(prefix="mcusim-") as folder:
        script = Path(folder) / "link.ld"
        text = linker_script(boot / firmware.LINKER_TEMPLATE, chips.load(LINK_CHIP), STACK_BYTES)
        script.write_text(text, encoding="utf-8")
        toolchains.link(found, toolchains.compile_all(found, sources), script, out)


def without_caches(chip: Chip) -> Chip:
    """The chip with its accelerator's caches off; prefetch stays as it is."""
    flash = chip.flash_timing
    if flash.accelerator is None:
        return chip
    nothing = Cache(lines=0, ways=1, line_bytes=flash.accelerator.code.line_bytes)
    caches = Caches(code=nothing, data=nothing)
    accelerator = msgspec.structs.replace(
        flash.accelerator, code=nothing, data=nothing, low=caches, high=caches
    )
    flash = msgspec.structs.replace(flash, accelerator=accelerator)
    return msgspec.structs.replace(chip, flash_timing=flash)


def ratio(elf: bytes, point: Point) -> Ratio:
    """How a program's cycles change with the wait states; what is uncertain is so at both."""
    many, few = (_totals(elf, point, states) for states in (point.states, point.over))
    ends = (many.cycles_low / few.cycles_low, many.cycles_high / few.cycles_high)
    best = many.cycles / few.cycles
    return Ratio(min(best, *ends), best, max(best, *ends))


def _totals(elf: bytes, point: Point, states: int) -> trace.Totals:
    chip = chips.adjusted(chips.load(point.chip), wait_states=states)
    result = simulate(elf, chip if point.cached else without_caches(chip))
    if result.trace.exit.code:
        raise SystemExit(f"{point.program} ended with code {result.trace.exit.code}")
    return result.trace.totals


def images(folder: Path, models: Path | None, coremark: Path | None) -> Iterator[tuple[str, Path]]:
    """Names and images of the programs that can be built."""
    out = folder / "interpreter.elf"
    link([HERE / "interpreter.c"], (), out, "zig", "-O2")
    yield "interpreter", out
    if coremark is not None:
        out = folder / "coremark.elf"
        files = [*(coremark / name for name in COREMARK), HERE / "coremark.c"]
        link(files, (coremark,), out, "gcc", "-O3")
        yield "CoreMark", out
    for name in NETWORKS if models is not None else ():
        graph = network.load(str(models / f"{name}.tflite")) if models else None
        out = folder / f"{name}.elf"
        if graph is not None:
            build.build(graph, parse_spec("layer", graph), chips.load(L4), out=out)
            yield name, out


def measured(programs: dict[str, Path]) -> str:
    """The table, for the programs that are there."""
    rows = []
    for point in POINTS:
        if point.program in programs:
            found = ratio(programs[point.program].read_bytes(), point)
            caches = "" if point.cached else ", caches off"
            program = f"{point.program}, {point.chip}{caches}"
            rows.append((program, f"{point.states} over {point.over}", str(found), point.said))
    return table(("program", "wait states", "cycles, here", "said elsewhere"), rows)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="What waiting for flash adds.")
    parser.add_argument("--models", type=Path)
    parser.add_argument("--coremark", type=Path)
    parser.add_argument("--update", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mcusim-") as folder:
        text = measured(dict(images(Path(folder), arguments.models, arguments.coremark)))
    print(text, end="")  # noqa: T201 - the table is what this program is for
    if arguments.update:
        before, rest = DOCUMENT.read_text().split(FIRST)
        DOCUMENT.write_text(before + FIRST + text + LAST + rest.split(LAST)[1])


if __name__ == "__main__":
    main()
