"""Assembled micro-benchmarks, once per session."""

from __future__ import annotations

import pytest
from assembled import Snippet, assemble_all
from micro_benchmarks import MICRO_BENCHMARKS


@pytest.fixture(scope="session")
def assembled(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[Snippet]]:
    """The code of all micro-benchmarks and where each lies."""
    return assemble_all(MICRO_BENCHMARKS, tmp_path_factory.mktemp("assembled"))
