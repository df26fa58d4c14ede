"""Published cycle counts, what was measured beside them, and the errors between the two."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from mcusim.errors import InputError


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where code and figures are published. ``method`` says how the cycles were counted there, ``toolchain``
    whose assembler understands the code."""

    title: str
    repository: str
    figures: str
    licence: str
    board: str
    method: str
    toolchain: Literal["zig", "gcc"] = "zig"


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A published figure, by the key ``source`` of who published it ("": nobody).

    ``functions`` are the symbols whose instructions make up the measured code. ``printed`` names the line
    "NAME CYCLES" by which the image itself reports the figure, from the cycle counter around the call, as
    the publication did; without it the figure is the functions' cycles per call of the first of them.
    ``files`` (in a checkout of the source's ``revision``), ``harness`` and ``defines`` are what the image is
    built from. ``passes`` is how often the code's one loop runs, 0 if it has none or several. ``clock``, such
    as "168MHz", is that of a run with the wait states that the chip needs at it, "" without wait states.
    ``code_bytes`` is the published size of the first of the functions, 0 where none is published: an image
    whose function has another size holds other code.
    """

    name: str
    cycles: float
    functions: tuple[str, ...]
    source: str = ""
    printed: str = ""
    passes: int = 0
    clock: str = ""
    code_bytes: int = 0
    revision: str = ""
    files: tuple[str, ...] = ()
    harness: str | None = None
    defines: dict[str, str] = {}


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Published rows and their sources by key."""

    rows: tuple[Row, ...]
    sources: dict[str, Source] = {}


class Figures(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Cycles of one row: the default model's, one for every instruction, and by the manual's flat table.

    ``others`` are those of the models that the default was chosen from and of the ends of its range, none for
    a row with wait states.
    """

    model: float
    instructions: float
    flat: float
    others: dict[str, float] = {}


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was measured, and by which model."""

    model: str
    model_version: int
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


def rows_of(table: Table, *, waiting: bool) -> Table:
    """The rows with wait states, or those without."""
    return msgspec.structs.replace(table, rows=tuple(row for row in table.rows if bool(row.clock) is waiting))


def load_table(path: Path) -> Table:
    """Raises InputError for a file that is not a table or names a source that it does not describe."""
    try:
        table = msgspec.toml.decode(path.read_bytes(), type=Table)
    except (OSError, msgspec.DecodeError) as error:
        raise InputError(f"{path}: not a table of published cycles ({error})") from error
    for row in table.rows:
        if row.source and row.source not in table.sources:
            raise InputError(f"{path}: row {row.name!r} names the unknown source {row.source!r}")
    return table


COLUMNS: Mapping[str, Callable[[Figures], float]] = {
    "mcusim": lambda figures: figures.model,
    "one cycle an instruction": lambda figures: figures.instructions,
    "flat table of the manual": lambda figures: figures.flat,
}


def errors(table: Table, figures: Mapping[str, Figures], column: str) -> dict[str, float]:
    """Signed errors per row in parts of the published cycles."""
    take = COLUMNS[column]
    return {row.name: take(figures[row.name]) / row.cycles - 1 for row in table.rows if row.name in figures}


def errors_of_model(table: Table, figures: Mapping[str, Figures], model: str) -> dict[str, float]:
    """Signed errors per row of one of the models in ``Figures.others``."""
    return {
        row.name: figures[row.name].others[model] / row.cycles - 1
        for row in table.rows
        if row.name in figures
    }
