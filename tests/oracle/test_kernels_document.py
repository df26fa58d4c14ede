"""docs/kernels.md says what the kernels cost; ``MCUSIM_UPDATE=1`` writes it again."""

from __future__ import annotations

import os
from pathlib import Path

import kernels
import pytest
from kernels_document import DOCUMENT, distinct, document

from mcusim.compiler.lowering import Options

TOLERANCE = 0.005
"""Of cycles: what other code between the kernels may move."""


@pytest.fixture(scope="module")
def text(models: Path) -> str:
    if os.environ.get("MCUSIM_UPDATE"):
        runs = [kernels.measure(models / f"{name}.tflite", Options()) for name in kernels.MODELS]
        DOCUMENT.write_text(document(runs))
    return DOCUMENT.read_text()


@pytest.mark.parametrize("name", ["kws_ref_model", "pretrainedResnet_quant"])
def test_cycles_are_those_of_the_document(models: Path, text: str, name: str) -> None:
    documented = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == len(kernels.HEAD):
            documented[tuple(cells[:3])] = cells[3]
    run = kernels.measure(models / f"{name}.tflite", Options())
    for row in distinct([run]):
        cycles = int(documented[row.cells()[:3]].replace(",", ""))
        assert row.cycles == pytest.approx(cycles, rel=TOLERANCE), row.cells()


def test_every_kernel_of_the_document_has_its_code(models: Path) -> None:
    run = kernels.measure(models / "kws_ref_model.tflite", Options())
    sizes = {row.name: row.code_bytes for row in run.rows}
    assert all(size > 0 for size in sizes.values())
    assert max(sizes.values()) < run.code_bytes
    for row in run.rows:
        assert row.bound is None or 0 < row.bound.cycles < row.cycles, row.cells()
