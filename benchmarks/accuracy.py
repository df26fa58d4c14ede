"""Published cycle counts beside simulated ones: signed error of every row, and of two naive baselines.

Run: python benchmarks/accuracy.py --elfs FOLDER [--table TABLE] [--chip NAME]
     python benchmarks/accuracy.py --sources FOLDER [--table TABLE]     (builds images from checkouts first)

TABLE is a TOML file like benchmarks/accuracy/published.toml; FOLDER holds an image ROW.elf for every row
that it names, rows without one are left out. Checkouts are FOLDER/SOURCE/REVISION, by the names in TABLE.
--record keeps the figures in benchmarks/accuracy/measured.json and writes docs/accuracy.md from them.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import accuracy_document
import accuracy_images
import msgspec
from accuracy_flat import flat_cycles
from accuracy_models import MODELS
from accuracy_table import COLUMNS, Figures, Record, Row, Table, errors, load_table, rows_of, summarise

from mcusim import image as images
from mcusim.cli.values import chip_at
from mcusim.compiler import toolchains
from mcusim.errors import InputError, McusimError
from mcusim.image import Function, Image
from mcusim.simulate import DEFAULT_MODEL, SimulationResult, simulate
from mcusim.timing.model import MODEL_VERSION

FOLDER = Path(__file__).resolve().parent / "accuracy"
TABLE = FOLDER / "published.toml"
MEASURED = FOLDER / "measured.json"
DOCUMENT = FOLDER.parents[1] / "docs" / "accuracy.md"
CHIP = "stm32f407"


def measure(elf: Path, row: Row, chip: str = CHIP) -> Figures:
    """Run ``elf`` on ``chip`` for the figures. Raises McusimError for what is wrong with image or run."""
    console: list[str] = []
    result = simulate(elf, chip_at(chip, row.clock or None, None), console=console.append)
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
    return Figures(
        model=int(found[1]),
        instructions=inside.instructions + around,
        flat=inside.flat + around,
        others={name: cycles + around for name, cycles in inside.others.items()},
    )


def _inside(elf: Path, row: Row, result: SimulationResult) -> Figures:
    """Cycles of the row's functions per call of the first."""
    image = images.load(elf)
    starts = [image.start_of(name) for name in row.functions]
    costs = {cost.start: cost for cost in result.profile.functions if cost.start in starts}
    if starts[0] not in costs:
        raise InputError(f"{elf.name}: never called {row.functions[0]}")
    _check_size(elf, image.function_at(starts[0]), row)
    calls = costs[starts[0]].calls
    flat = 0
    others = {} if row.clock else dict.fromkeys(MODELS, 0)
    for run in result.profile.counts.runs:
        function = image.function_at(run.start)
        if function is not None and function.start in starts:
            code, taken = _code(image, run.start, run.end - run.start), run.next != 0
            flat += run.count * sum(flat_cycles(code, run.start, taken).values())
            for name in others:
                cost = MODELS[name].cost(code, run.start, taken, run.outcome)
                others[name] += run.count * cost.cycles
    model = sum(cost.cycles_self for cost in costs.values()) / calls
    by_address = 0.0 if row.clock else model - others[DEFAULT_MODEL] / calls  # data that are not aligned
    return Figures(
        model=model,
        instructions=sum(cost.instructions for cost in costs.values()) / calls,
        flat=flat / calls,
        others={name: cycles / calls + by_address for name, cycles in others.items()},
    )


def _check_size(elf: Path, function: Function | None, row: Row) -> None:
    size = function.end - function.start if function is not None else 0
    if row.code_bytes and size != row.code_bytes:
        raise InputError(
            f"{elf.name}: {row.functions[0]} has {size} bytes, the published one {row.code_bytes}"
        )


def _code(image: Image, address: int, size: int) -> bytes:
    """Code from the file: the measured functions are not changed while they run."""
    for segment in image.segments:
        offset = address - segment.address
        if 0 <= offset <= len(segment.data) - size:
            return segment.data[offset : offset + size]
    raise InputError(f"{image.path}: 0x{address:08x} was executed and is not in the file")


def measure_all(table: Table, folder: Path, chip: str = CHIP) -> dict[str, Figures]:
    """Figures of every row that has an image in ``folder``."""
    found = {row.name: folder / f"{row.name}.elf" for row in table.rows}
    return {row.name: measure(found[row.name], row, chip) for row in table.rows if found[row.name].is_file()}


def report(table: Table, figures: Mapping[str, Figures]) -> str:
    """The table for a terminal: rows without wait states and their summary, then those with them."""
    lines = [f"{'row':<28} {'published':>10} {'mcusim':>10}" + "".join(f"{c:>26}" for c in COLUMNS)]
    for waiting in (False, True):
        lines += _lines(rows_of(table, waiting=waiting), figures)
    return "\n".join(lines) + "\n"


def _lines(table: Table, figures: Mapping[str, Figures]) -> list[str]:
    signed = [errors(table, figures, column) for column in COLUMNS]
    lines = []
    for row in table.rows:
        if row.name in figures:
            values = "".join(f"{error[row.name]:>+26.2%}" for error in signed)
            lines.append(f"{row.name:<28} {row.cycles:>10,.0f} {figures[row.name].model:>10,.0f}{values}")
    if lines:
        summaries = [summarise(list(error.values())) for error in signed]
        for label in ("mean", "rms", "p95", "worst"):
            sign = "+" if label == "mean" else ""  # the others are absolute
            values = "".join(f"{getattr(summary, label):>{sign}26.2%}" for summary in summaries)
            lines.append(f"{label:<50}{values}")
    return lines


def build_all(table: Table, checkouts: Path, folder: Path) -> None:
    """Build the images of all rows whose checkout, SOURCE/REVISION, is in ``checkouts``."""
    for row in table.rows:
        checkout = checkouts / row.source / row.revision
        if row.source and row.files and checkout.is_dir():
            compiler = toolchains.find(table.sources[row.source].toolchain)
            accuracy_images.build(
                compiler, CHIP, checkout, row.files, row.harness, row.defines, folder / f"{row.name}.elf"
            )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--elfs", type=Path, help="folder of images")
    where.add_argument("--sources", type=Path, help="folder of checkouts to build the images from")
    parser.add_argument("--table", type=Path, default=TABLE, help="published cycles, TOML")
    parser.add_argument("--chip", default=CHIP, help="what the images run on")
    parser.add_argument("--record", action="store_true", help="keep the figures and write docs/accuracy.md")
    options = parser.parse_args(arguments)
    if options.record and (options.table, options.chip) != (TABLE, CHIP):
        parser.error("--record keeps the figures of the table of this folder alone")
    try:
        table = load_table(options.table)
        with tempfile.TemporaryDirectory(prefix="mcusim-") as temporary:
            folder = options.elfs or Path(temporary)
            if options.sources:
                build_all(table, options.sources, folder)
            figures = measure_all(table, folder, options.chip)
    except McusimError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    if not figures:
        sys.stderr.write(f"{folder}: holds no image of a row of {options.table}\n")
        return 2
    sys.stdout.write(report(table, figures))
    if options.record:
        taken = Record(model=DEFAULT_MODEL, model_version=MODEL_VERSION, rows=figures)
        MEASURED.write_bytes(msgspec.json.format(msgspec.json.encode(taken)) + b"\n")
        DOCUMENT.write_text(accuracy_document.document(table, taken), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
