"""The pytest plugin: the fixture ``mcusim``, the marker ``mcusim_limit``, and baselines.

It is active wherever the package is installed, and imports what it needs when a test uses it.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from mcusim.testing import Bench

MARKER = "mcusim_limit"
FIXTURE = "mcusim"
_NOTES = pytest.StashKey[list[str]]()
_BENCH = pytest.StashKey["Bench"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The update flag and the two settings."""
    group = parser.getgroup("mcusim", "firmware on a simulated microcontroller")
    group.addoption("--mcusim-update", action="store_true", help="write baselines instead of comparing")
    parser.addini("mcusim_traces", "folder of the baselines (default: traces)", default="traces")
    parser.addini("mcusim_chip", "chip of runs that name none", default="stm32f412zg")


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.stash[_NOTES] = []
    config.addinivalue_line(
        "markers",
        f"{MARKER}(cycles=..., sram=..., stack=..., flash=...): what every run of the test may cost at "
        'most, such as cycles="1.2M", sram="32 KiB", time="20 ms".',
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Raises UsageError for limits that cannot be read or would never be looked at."""
    for item in items:
        for marker in item.iter_markers(MARKER):
            if marker.args:
                raise pytest.UsageError(
                    f'{item.nodeid}: {MARKER} takes figures by name, such as cycles="1.2M"'
                )
            if FIXTURE not in getattr(item, "fixturenames", ()):
                raise pytest.UsageError(
                    f"{item.nodeid} has a {MARKER} and does not use the fixture {FIXTURE}"
                )


@pytest.fixture(scope="session")
def _mcusim_images() -> dict[tuple[object, ...], Path]:
    """Images built in this session, by what they were built from."""
    return {}


@pytest.fixture
def mcusim(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    _mcusim_images: dict[tuple[object, ...], Path],
) -> Bench:
    """Builds networks, runs firmware and compares runs with baselines: see ``mcusim.testing.Bench``."""
    from mcusim.testing import Bench, Settings

    config = request.config
    bench = Bench(
        settings=Settings(
            traces=config.rootpath / config.getini("mcusim_traces"),
            update=config.getoption("--mcusim-update"),
            chip=config.getini("mcusim_chip"),
        ),
        name=baseline_name(request.node),
        limits=limits_of(request.node),
        folder=tmp_path_factory.mktemp("mcusim"),
        tell=config.stash[_NOTES].append,
        built=_mcusim_images,
    )
    request.node.stash[_BENCH] = bench
    return bench


def baseline_name(item: pytest.Item) -> str:
    """Module and test, as a file name."""
    return re.sub(r"[^\w.-]+", "-", f"{item.path.stem}.{item.name}").strip("-")


def limits_of(item: pytest.Item) -> dict[str, Any]:
    """The limits of all markers on ``item``, those closest to it last."""
    limits: dict[str, Any] = {}
    for marker in reversed(list(item.iter_markers(MARKER))):
        limits |= marker.kwargs
    return limits


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Turn errors of the simulator into failures of one message, and refuse limits on nothing."""
    if FIXTURE not in getattr(item, "fixturenames", ()):
        return (yield)
    from mcusim.errors import McusimError

    try:
        result = yield
    except McusimError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None
    bench = item.stash.get(_BENCH, None)
    if bench is not None and bench.limits and not bench.runs:
        pytest.fail(f"the test has a {MARKER} and ran no firmware", pytrace=False)
    return result


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of pytest-xdist tells its notes to the process that prints."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["mcusim"] = session.config.stash[_NOTES]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:  # noqa: ARG001 - the names make the hook
    """A hook of pytest-xdist: take over what a worker noted."""
    node.config.stash[_NOTES] += getattr(node, "workeroutput", {}).get("mcusim", [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Which baselines were written, and which could be better."""
    notes = config.stash[_NOTES]
    if notes:
        terminalreporter.section("mcusim")
        for note in notes:
            terminalreporter.line(note)
