"""Fixtures that every test may use: where the reference networks and the data sets are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

MODELS = "MCUSIM_MODELS"
DATA = "MCUSIM_DATA"


def _folder(variable: str) -> Path | None:
    """The folder that an environment variable names, None when it is unset or there is no such folder."""
    value = os.environ.get(variable)
    if not value or not Path(value).is_dir():
        return None
    return Path(value).resolve()


def _require(variable: str, what: str) -> Path:
    folder = _folder(variable)
    if folder is None:
        pytest.skip(f"{variable} does not name a folder with {what}")
    return folder


@pytest.fixture(scope="session")
def models() -> Path:
    """The folder of reference .tflite networks with golden vectors."""
    return _require(MODELS, "the reference networks")


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of labelled inputs (kws01.npz, cifar10_test500.npz)."""
    return _require(DATA, "the labelled inputs")


def pytest_report_header() -> list[str]:
    """Say at the top of a test run which of the two folders are there."""
    states = [f"{name}={_folder(name) or 'unset, its tests are skipped'}" for name in (MODELS, DATA)]
    return ["mcusim: " + ", ".join(states)]


def pytest_configure() -> None:
    """Reports are as wide as in any pipe, whoever exported the width of a terminal.

    pytest imports readline, and GNU readline puts COLUMNS and LINES into C's environment, which every child
    inherits: programs that a test starts, and the workers of pytest-xdist with all their tests. os.environ of
    this process does not have them, hence unsetenv.
    """
    for name in ("COLUMNS", "LINES"):
        os.environ.pop(name, None)
        os.unsetenv(name)
