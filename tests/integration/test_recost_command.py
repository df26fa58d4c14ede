"""``mcusim recost`` from the command line."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from mcusim import trace
from mcusim.cli.application import invoke

Demo = Callable[[str], bytes]
THERE = ("--chip", "stm32f407", "--clock", "168MHz")


@pytest.fixture
def kept(demo_elf: Demo, tmp_path: Path) -> Path:
    elf, path = tmp_path / "network.elf", tmp_path / "kept.json"
    elf.write_bytes(demo_elf("network"))
    assert invoke(["run", str(elf), "-q", "-o", str(path)]) == 0
    return path


def test_it_gives_the_figures_of_a_run_at_that_clock(kept: Path, tmp_path: Path) -> None:
    again, fresh = tmp_path / "again.json", tmp_path / "fresh.json"
    started = time.process_time()
    assert invoke(["recost", str(kept), *THERE, "-q", "-o", str(again)]) == 0
    assert time.process_time() - started < 1
    assert invoke(["run", str(tmp_path / "network.elf"), *THERE, "-q", "-o", str(fresh)]) == 0
    recosted, run = trace.load(again), trace.load(fresh)
    assert run.chip.wait_states == 5
    assert (recosted.chip, recosted.totals, recosted.layers) == (run.chip, run.totals, run.layers)
    assert invoke(["diff", str(again), str(fresh), "--fail-above", "cycles=0"]) == 0


def test_wait_states_alone_keep_the_clock(kept: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.json"
    assert invoke(["recost", str(kept), "--wait-states", "2", "-q", "-o", str(again)]) == 0
    before, after = trace.load(kept), trace.load(again)
    assert after.chip == msgspec.structs.replace(before.chip, wait_states=2)
    assert after.totals.cycles > before.totals.cycles


def test_a_chip_that_nobody_knows_is_to_be_named(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = trace.load(kept)
    chip = msgspec.structs.replace(document.chip, name="mine")
    kept.write_bytes(trace.dump(msgspec.structs.replace(document, chip=chip)))
    assert invoke(["recost", str(kept), "--clock", "8MHz"]) == 2
    assert "mine, the trace's chip, is not one that mcusim knows" in capsys.readouterr().err
