"""Comparing on several cores: the figures of one core, and one sentence for whatever goes wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from mcusim import chips, parallel
from mcusim.cli import subjects
from mcusim.cli.application import EXIT_INTERRUPTED, invoke
from mcusim.errors import FaultError
from mcusim.trace import Trace

Demo = Callable[[str], bytes]
CHIP = "stm32f412zg"


@pytest.fixture
def elf(demo_elf: Demo, tmp_path: Path) -> Callable[[str], str]:
    def write(demo: str) -> str:
        path = tmp_path / f"{demo}.elf"
        path.write_bytes(demo_elf(demo))
        return str(path)

    return write


def _is_gone(group: int) -> bool:
    """Whether a process group ends; the helper of multiprocessing goes a moment after the rest."""
    for _ in range(50):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


def _without_host(trace: Trace) -> dict[str, object]:
    return {name: value for name, value in msgspec.structs.asdict(trace).items() if name != "host"}


def test_several_processes_find_what_one_finds(
    elf: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed = [subjects.parse(text) for text in (elf("network"), "zoo:tiny", elf("network"))]
    found = {}
    for cores in (1, 3):
        monkeypatch.setattr(parallel, "cores", lambda count=cores: count)
        folder = tmp_path / str(cores)
        folder.mkdir()
        found[cores] = subjects.run_all(parsed, chips.load(CHIP), None, folder)
    for one, several in zip(found[1], found[3], strict=True):
        assert _without_host(several.trace) == _without_host(one.trace) | {"firmware": several.trace.firmware}
        assert several.trace.firmware.sha256 == one.trace.firmware.sha256
        assert (several.outputs is None) == (one.outputs is None)
        for a, b in zip(one.outputs or (), several.outputs or (), strict=True):
            np.testing.assert_array_equal(a, b)


def test_what_a_worker_finds_wrong_is_one_sentence(
    elf: Callable[[str], str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcusim.cli.progress.SILENT_SECONDS", 600.0)
    assert invoke(["compare", elf("network"), elf("undefined"), elf("network")]) == FaultError.exit_code
    error = capsys.readouterr().err
    assert error.startswith("mcusim: ")
    assert error.count("\n") == 1
    assert "undefined" in error


@pytest.mark.skipif(sys.platform == "win32", reason="there are no process groups")
def test_the_interrupt_key_ends_all_processes(elf: Callable[[str], str]) -> None:
    # A test run in the background is started with the signal ignored, and so would be its children.
    script = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from mcusim.cli.application import invoke; print('go', flush=True); sys.exit(invoke(sys.argv[1:]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, "compare", elf("endless"), elf("endless")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline().strip() == b"go"
        time.sleep(2)
        os.killpg(process.pid, signal.SIGINT)
        _, complaint = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == EXIT_INTERRUPTED
    assert complaint == b"mcusim: interrupted\n"
    assert _is_gone(process.pid)
