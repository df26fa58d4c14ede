"""docs/papers.md says what was recorded, and what was recorded is still what is planned.

``MCUSIM_UPDATE=1`` writes the document from the recorded figures; ``make papers`` measures them.
"""

from __future__ import annotations

import os
import re

import msgspec
import papers
import papers_document
import pytest
from papers_table import Record, Row, Series, Table, block_bytes, load_graph, load_table, plan

from mcusim import chips


@pytest.fixture(scope="module")
def table() -> Table:
    return load_table(papers.TABLE)


@pytest.fixture(scope="module")
def record() -> Record:
    return msgspec.json.decode(papers.MEASURED.read_bytes(), type=Record)


def test_document_is_current(table: Table, record: Record) -> None:
    text = papers_document.document(table, record)
    if os.environ.get("MCUSIM_UPDATE"):
        papers.DOCUMENT.write_text(text)
    assert papers.DOCUMENT.read_text() == text, "MCUSIM_UPDATE=1 writes it again"


def test_blocks_are_the_published_ones(table: Table, record: Record) -> None:
    assert [size / 1024 for size in record.blocks] == list(table.blocks.kib)
    small = load_graph("zoo:mobilenet_v2?width=1&resolution=32&classes=2")
    # A forty-ninth of the pixels of 224 x 224.
    assert [49 * size for size in block_bytes(small)[:6]] == list(record.blocks)


def _rows(table: Table, record: Record) -> list[tuple[Series, Row]]:
    pairs = zip(table.measured, record.rows, strict=True)
    return [(series, row) for series, rows in pairs for row in rows]


def test_recorded_plans_are_those_of_today(table: Table, record: Record) -> None:
    series, rows = table.measured[0], record.rows[0]
    graph = load_graph(series.network)
    for row in rows:
        if row.planned is None or not re.match("layer|patch", row.schedule):
            continue
        assert plan(graph, row.schedule) == row.planned


def test_runs_took_what_was_planned(table: Table, record: Record) -> None:
    for series, row in _rows(table, record):
        assert (row.figures is None) == bool(row.refusal)
        if row.figures is None or row.planned is None:
            continue
        figures = row.figures
        assert figures.arena_bytes < figures.sram_peak_bytes <= chips.load(series.chip).sram.size
        assert figures.seconds == pytest.approx(figures.cycles / figures.clock_hz)


def test_patches_cost_macs_and_streams_do_not(table: Table, record: Record) -> None:
    for series, rows in zip(table.measured, record.rows, strict=True):
        assert [row.schedule for row in rows] == [wanted.schedule for wanted in series.points]
        figures = {row.schedule: row.figures for row in rows if row.figures}
        whole = figures["layer"]
        assert figures["stream"].macs == whole.macs
        for row in rows:
            if row.figures and row.planned:
                assert row.figures.macs == pytest.approx(row.planned.mac_factor * whole.macs, rel=1e-6)


def test_less_memory_than_was_published_as_measured(table: Table, record: Record) -> None:
    for series, rows in zip(table.measured, record.rows, strict=True):
        for wanted, row in zip(series.points, rows, strict=True):
            if series.on_chip and wanted.published_kib and row.figures:
                assert row.figures.sram_peak_bytes / 1024 < wanted.published_kib
