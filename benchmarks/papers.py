"""Published memory and time of schedules beside our own: plans, builds and runs them, writes docs/papers.md.

Run: python benchmarks/papers.py [--results FOLDER] [--workers N]

Runs are kept in FOLDER by what they depend on, so that a second call measures what has changed. The figures
go to benchmarks/papers/measured.json, the document is written from them and from papers/published.toml.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import papers_document
from papers_table import (
    Record,
    Row,
    Series,
    Table,
    block_bytes,
    load_graph,
    load_table,
    plan,
    points,
    ratio,
)

from mcusim import chips
from mcusim.errors import McusimError, WorkerError
from mcusim.sweep import sweep

FOLDER = Path(__file__).resolve().parent / "papers"
TABLE = FOLDER / "published.toml"
MEASURED = FOLDER / "measured.json"
DOCUMENT = FOLDER.parents[1] / "docs" / "papers.md"


def results_folder() -> Path:
    """Where runs are kept unless another folder is named: the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "mcusim" / "papers"


def measure(series: Series, folder: Path, workers: int | None) -> tuple[Row, ...]:
    """Every schedule of ``series``, planned and run. Raises WorkerError if one could not be measured for a
    reason that is not its own."""
    outcome = sweep.run(points(series), folder, workers=workers)
    if outcome.failures:
        raise WorkerError(f"{series.title}: {outcome.failures[0].reason}")
    graph, sram_bytes = load_graph(series.network), chips.load(series.chip).sram.size
    return tuple(
        Row(
            schedule=result.schedule,
            planned=plan(graph, result.schedule, sram_bytes) if result.figures else None,
            figures=result.figures,
            refusal=result.refusal,
        )
        for result in outcome.results
    )


def take(table: Table, folder: Path, workers: int | None) -> Record:
    """All figures of this project that the document shows."""
    graph = load_graph(table.blocks.network)
    return Record(
        blocks=block_bytes(graph)[: len(table.blocks.kib)],
        patched=plan(graph, table.blocks.schedule),
        reduction=tuple(ratio(wanted) for wanted in table.reduction),
        rows=tuple(measure(series, folder, workers) for series in table.measured),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--results", type=Path, default=results_folder(), help="folder of runs")
    parser.add_argument("--workers", type=int, help="processes (default: one per core)")
    options = parser.parse_args(arguments)
    table = load_table(TABLE)
    try:
        record = take(table, options.results, options.workers)
    except McusimError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    MEASURED.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")
    DOCUMENT.write_text(papers_document.document(table, record), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
