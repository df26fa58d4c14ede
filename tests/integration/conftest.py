"""Images that several integration tests run, and the two cores."""

from __future__ import annotations

from collections.abc import Callable

import demo_firmware
import memory_firmware
import pytest
from core_bench import Prefer


@pytest.fixture(scope="session")
def demo_elf(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], bytes]:
    """A demo's name to its ELF."""
    elf = demo_firmware.build(tmp_path_factory.mktemp("demo"))
    return lambda demo: demo_firmware.select(elf, demo)


@pytest.fixture(scope="session")
def memory_elf(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], bytes]:
    """The name of a demo of memory_firmware to its ELF."""
    elf = memory_firmware.build(tmp_path_factory.mktemp("memory"))
    return lambda demo: memory_firmware.select(elf, demo)


@pytest.fixture(params=["native", "twin"])
def core(request: pytest.FixtureRequest) -> Prefer:
    """Which of the two cores counts: the test runs with each."""
    chosen: Prefer = request.param
    return chosen
