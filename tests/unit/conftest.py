"""Fixtures of the unit tests."""

from __future__ import annotations

import pytest
from core_bench import Prefer


@pytest.fixture(params=["native", "twin"])
def prefer(request: pytest.FixtureRequest) -> Prefer:
    """Which of the two cores counts: the test runs with each."""
    chosen: Prefer = request.param
    return chosen
