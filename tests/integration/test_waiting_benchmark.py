"""The comparison of waiting for flash with what is said of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import waiting


@pytest.fixture(scope="module")
def interpreter(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    name, path = next(waiting.images(tmp_path_factory.mktemp("waiting"), None, None))
    assert name == "interpreter"
    return path.read_bytes()


@pytest.mark.parametrize(
    ("chip", "states", "over", "measured"),
    [
        (waiting.F4, 2, 5, (0.79, 0.88)),
        (waiting.L4, 4, 8, (0.65, 0.78)),
    ],
)
def test_measured_interpreters_lie_between_caches_that_work_and_none(
    interpreter: bytes, chip: str, states: int, over: int, measured: tuple[float, float]
) -> None:
    point = waiting.Point("interpreter", chip, states, over, "")
    cached = waiting.ratio(interpreter, point)
    uncached = waiting.ratio(interpreter, dataclasses.replace(point, cached=False))
    assert uncached.low < measured[0] < measured[1] < cached.best
    assert cached.low <= cached.best <= cached.high < 1


def test_the_document_names_every_program() -> None:
    text = Path(waiting.DOCUMENT).read_text().split(waiting.FIRST)[1].split(waiting.LAST)[0]
    assert all(point.program in text and point.said in text for point in waiting.POINTS)
