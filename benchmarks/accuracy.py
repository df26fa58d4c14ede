"""Published cycle counts beside simulated ones: signed error of every row, and of two naive baselines.

Run: python benchmarks/accuracy.py --elfs FOLDER [--table TABLE]
     python benchmarks/accuracy.py --sources FOLDER     (builds the images from checkouts first)

TABLE is a TOML file like benchmarks/accuracy/published.toml; FOLDER holds an image ROW.elf for every row
that it names, rows without one are left out. --record keeps the figures in benchmarks/accuracy/measured.json
and writes docs/accuracy.md from them.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import math
import re
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import accuracy_images
import msgspec

from mcusim import image as images
from mcusim.compiler import toolchains
from mcusim.errors import InputError, McusimError
from mcusim.image import Image
from mcusim.profile.instructions import by_address
from mcusim.simulate import DEFAULT_MODEL, SimulationResult, simulate
from mcusim.timing.decode import decode_run
from mcusim.timing.isa import Branch, Class
from mcusim.timing.model import TimingModel

FOLDER = Path(__file__).resolve().parent / "accuracy"
TABLE = FOLDER / "published.toml"
MEASURED = FOLDER / "measured.json"
DOCUMENT = FOLDER.parents[1] / "docs" / "accuracy.md"
CHIP = "stm32f407"

TRM_REFILL = 2
"""Cycles of a pipeline refill in the flat table; the manual says 1 to 3."""
TRM_DIVIDE = 7
"""The manual says 2 to 12."""
_TRM: Mapping[Class, int] = {
    Class.LOAD: 2,
    Class.STORE: 2,
    Class.STORE_INDEXED: 2,
    Class.DIVIDE: TRM_DIVIDE,
    Class.TABLE_BRANCH: 2,
    Class.FP_MOVE_PAIR: 2,
    Class.FP_MAC: 3,
    Class.FP_DIVIDE: 14,
    Class.FP_LOAD: 2,
    Class.FP_STORE: 2,
    Class.LOAD_PAIR: 3,
    Class.STORE_PAIR: 3,
    Class.FP_LOAD_DOUBLE: 3,
    Class.FP_STORE_DOUBLE: 3,
}
"""Cycles by class, Arm 100166 (Cortex-M4 TRM), 3.3 and 7.2.3; all other instructions take one."""
_MULTIPLE = (Class.LOAD_MANY, Class.STORE_MANY, Class.FP_LOAD_MANY, Class.FP_STORE_MANY)


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where code and figures are published. ``method`` says how the cycles were counted there."""

    title: str
    repository: str
    figures: str
    licence: str
    board: str
    method: str


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A published figure.

    ``functions`` are the symbols whose instructions make up the measured code. ``printed`` names the line
    "NAME CYCLES" by which the image itself reports the figure, from the cycle counter around the call, as
    the publication did; without it the figure is the functions' cycles per call of the first of them.
    ``files`` (below the source's checkout), ``harness`` and ``defines`` are what the image is built from.
    """

    name: str
    source: str
    cycles: float
    functions: tuple[str, ...]
    printed: str = ""
    files: tuple[str, ...] = ()
    harness: str = ""
    defines: dict[str, str] = {}


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Published rows and their sources by key."""

    sources: dict[str, Source]
    rows: tuple[Row, ...]


class Figures(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Cycles of one row: the model's, one for every instruction, and by the manual's flat table."""

    model: float
    instructions: float
    flat: float


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was measured, by which model and with which assembler."""

    model: str
    model_version: int
    toolchain: str
    rows: dict[str, Figures]


@dataclass(frozen=True)
class Summary:
    """Errors of several rows as fractions of the published cycles; ``p95`` and ``worst`` are absolute."""

    mean: float
    rms: float
    p95: float
    worst: float


def summarise(errors: Sequence[float]) -> Summary:
    """Raises ValueError without errors. The 95th percentile is the smallest that 95 % do not exceed."""
    if not errors:
        raise ValueError("there are no rows to summarise")
    absolute = sorted(abs(error) for error in errors)
    return Summary(
        mean=sum(errors) / len(errors),
        rms=math.sqrt(sum(error * error for error in errors) / len(errors)),
        p95=absolute[math.ceil(0.95 * len(absolute)) - 1],
        worst=absolute[-1],
    )


def load_table(path: Path) -> Table:
    """Raises InputError for a file that is not a table or names a source that it does not describe."""
    try:
        table = msgspec.toml.decode(path.read_bytes(), type=Table)
    except (OSError, msgspec.DecodeError) as error:
        raise InputError(f"{path}: not a table of published cycles ({error})") from error
    for row in table.rows:
        if row.source not in table.sources:
            raise InputError(f"{path}: row {row.name!r} names the unknown source {row.source!r}")
    return table


def flat_cycles(code: bytes, start: int, taken: bool) -> dict[int, int]:
    """Cycles per instruction address of a linear run by the manual's table alone."""
    run = decode_run(code, start)
    cycles = {}
    for instruction in run:
        words = instruction.count if instruction.kind in _MULTIPLE else 0
        cost = 1 + words if words else _TRM.get(instruction.kind, 1)
        leaves = instruction is run[-1] and taken
        jumps = leaves and instruction.branch is not Branch.NONE
        cycles[instruction.address] = cost + (TRM_REFILL if jumps else 0)
    return cycles


def measure(elf: Path, row: Row) -> Figures:
    """Run ``elf`` and take the row's figures. Raises McusimError for what is wrong with image or run."""
    console: list[str] = []
    result = simulate(elf, CHIP, memory=False, console=console.append)
    if result.error is not None:
        raise result.error
    if result.trace.exit.code != 0:
        raise InputError(f"{elf.name}: computed a wrong result (exit code {result.trace.exit.code})")
    inside = _inside(elf, row, result)
    if not row.printed:
        return inside
    found = re.search(rf"^{re.escape(row.printed)} (\d+)$", "".join(console), re.MULTILINE)
    if found is None:
        raise InputError(f"{elf.name}: did not print its figure {row.printed!r}")
    around = int(found[1]) - inside.model
    return Figures(model=int(found[1]), instructions=inside.instructions + around, flat=inside.flat + around)


def _inside(elf: Path, row: Row, result: SimulationResult) -> Figures:
    """Cycles of the row's functions per call of the first."""
    image = images.load(elf)
    starts = [image.start_of(name) for name in row.functions]
    ranges = [image.function_at(start) for start in starts]
    calls = sum(function.calls for function in result.profile.functions if function.start == starts[0])
    if not calls:
        raise InputError(f"{elf.name}: never called {row.functions[0]}")

    def of_row(address: int) -> bool:
        return any(r is not None and r.start <= address < r.end for r in ranges)

    runs = [run for run in result.profile.counts.runs if of_row(run.start)]
    counts = dataclasses.replace(result.profile.counts, runs=runs)
    read = functools.partial(_code, image)
    costs = by_address(counts, read, TimingModel(DEFAULT_MODEL))
    flat = 0
    for run in runs:
        code = read(run.start, run.end - run.start)
        flat += run.count * sum(flat_cycles(code, run.start, run.next != 0).values())
    return Figures(
        model=sum(cost.cycles for cost in costs.values()) / calls,
        instructions=sum(cost.executions for cost in costs.values()) / calls,
        flat=flat / calls,
    )


def _code(image: Image, address: int, size: int) -> bytes:
    """Code from the file: the measured functions are not changed while they run."""
    for segment in image.segments:
        offset = address - segment.address
        if 0 <= offset <= len(segment.data) - size:
            return segment.data[offset : offset + size]
    raise InputError(f"{image.path}: 0x{address:08x} was executed and is not in the file")


def measure_all(table: Table, folder: Path) -> dict[str, Figures]:
    """Figures of every row that has an image in ``folder``."""
    found = {row.name: folder / f"{row.name}.elf" for row in table.rows}
    return {row.name: measure(found[row.name], row) for row in table.rows if found[row.name].is_file()}


COLUMNS: Mapping[str, Callable[[Figures], float]] = {
    "mcusim": lambda figures: figures.model,
    "one cycle an instruction": lambda figures: figures.instructions,
    "flat table of the manual": lambda figures: figures.flat,
}


def errors(table: Table, figures: Mapping[str, Figures], column: str) -> dict[str, float]:
    """Signed errors per row in parts of the published cycles."""
    take = COLUMNS[column]
    return {row.name: take(figures[row.name]) / row.cycles - 1 for row in table.rows if row.name in figures}


def report(table: Table, figures: Mapping[str, Figures]) -> str:
    """The table for a terminal."""
    signed = [errors(table, figures, column) for column in COLUMNS]
    lines = [f"{'row':<28} {'published':>10} {'mcusim':>10}" + "".join(f"{c:>26}" for c in COLUMNS)]
    for row in table.rows:
        if row.name in figures:
            values = "".join(f"{error[row.name]:>+26.2%}" for error in signed)
            lines.append(f"{row.name:<28} {row.cycles:>10,} {figures[row.name].model:>10,}{values}")
    summaries = [summarise(list(error.values())) for error in signed]
    for label in ("mean", "rms", "p95", "worst"):
        values = "".join(f"{getattr(summary, label):>+26.2%}" for summary in summaries)
        lines.append(f"{label:<50}{values}")
    return "\n".join(lines) + "\n"


def build_all(table: Table, checkouts: Path, toolchain: str, folder: Path) -> None:
    """Build the images of all rows whose source's checkout, named by its key, is in ``checkouts``."""
    compiler = toolchains.find(toolchain)
    for row in table.rows:
        checkout = checkouts / row.source
        if row.files and checkout.is_dir():
            accuracy_images.build(
                compiler, CHIP, checkout, row.files, row.harness, row.defines, folder / f"{row.name}.elf"
            )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--elfs", type=Path, help="folder of images")
    where.add_argument("--sources", type=Path, help="folder of checkouts to build the images from")
    parser.add_argument("--table", type=Path, default=TABLE, help="published cycles, TOML")
    parser.add_argument("--toolchain", choices=("zig", "gcc"), default="zig", help="what builds the images")
    options = parser.parse_args(arguments)
    try:
        table = load_table(options.table)
        with tempfile.TemporaryDirectory(prefix="mcusim-") as temporary:
            folder = options.elfs or Path(temporary)
            if options.sources:
                build_all(table, options.sources, options.toolchain, folder)
            figures = measure_all(table, folder)
    except McusimError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    if not figures:
        sys.stderr.write(f"{folder}: holds no image of a row of {options.table}\n")
        return 2
    sys.stdout.write(report(table, figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
