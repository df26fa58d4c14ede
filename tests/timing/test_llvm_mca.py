"""The comparison with llvm-mca: every cycle between the two has a cause that the document names."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import llvm_mca
import pytest
from llvm_mca_document import DOCUMENT, EXPLANATIONS, document
from llvm_mca_run import RESULT, Comparison, compare_all, version

pytestmark = pytest.mark.skipif(shutil.which("llvm-mca") is None, reason="llvm-mca is not installed")


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> list[Comparison]:
    return compare_all(llvm_mca.straight_snippets(tmp_path_factory.mktemp("straight")))


def _check(found: Comparison) -> None:
    assert set(found.parts) <= set(EXPLANATIONS), found.name
    assert found.difference == pytest.approx(sum(found.parts.values())), found.name
    awaited = -found.parts.get(RESULT, 0)
    assert awaited == 0 or (awaited > 0 and max(found.latencies) > 1), found.name


def test_straight_code(straight: list[Comparison]) -> None:
    assert len(straight) > 30
    for found in straight:
        _check(found)
    by_name = {found.name: found for found in straight}
    plain = by_name["eight wide behind a narrow"]
    assert (plain.model, plain.llvm, plain.difference) == (9, 9, 0)
    assert by_name["IT folds into 16 bit"].difference == -1
    assert by_name["load multiple, then use"].parts == {"7": 4, RESULT: -1}


def test_kernels(tmp_path: Path) -> None:
    loops = compare_all(llvm_mca.kernel_snippets("zoo:tiny", tmp_path))
    assert {"mcu_conv", "mcu_transpose_by_3"} <= {found.name for found in loops}
    for found in loops:
        _check(found)


def test_document_is_current(straight: list[Comparison]) -> None:
    text = DOCUMENT.read_text()
    if version() not in text and not os.environ.get("MCUSIM_UPDATE"):
        pytest.skip("docs/llvm-mca.md was written with another version of llvm-mca")
    if os.environ.get("MCUSIM_UPDATE"):
        DOCUMENT.write_text(document(version(), straight))
    assert DOCUMENT.read_text() == document(version(), straight), "MCUSIM_UPDATE=1 writes it again"
