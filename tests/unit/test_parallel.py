"""The pool gives what a loop gives, ends with its first error, and leaves nothing behind."""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Iterator

import parallel_work
import pytest

from mcusim.cli.progress import Progress
from mcusim.errors import InputError, WorkerError
from mcusim.parallel import cores, run_all


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    yield
    assert multiprocessing.active_children() == []


def test_results_come_in_order_from_several_processes() -> None:
    told: list[int] = []
    results = run_all(parallel_work.late_if_early, range(6), processes=2, watch=told.append)
    assert [number for number, _ in results] == list(range(6))
    assert len({process for _, process in results}) == 2
    assert told == sorted(told)
    assert told[-1] == 6


def test_one_process_is_this_one() -> None:
    told: list[int] = []
    results = run_all(parallel_work.late_if_early, range(2, 5), processes=1, watch=told.append)
    assert len({process for _, process in results}) == 1
    assert told == [1, 2, 3]
    assert run_all(parallel_work.late_if_early, []) == []


@pytest.mark.parametrize("processes", [1, 3])
def test_the_error_is_that_of_the_first_task_that_fails(processes: int) -> None:
    with pytest.raises(InputError) as caught:
        run_all(parallel_work.fail_on_odd, range(20), processes=processes)
    assert str(caught.value) == "1 is odd"


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
def test_a_worker_that_is_killed_is_reported() -> None:
    with pytest.raises(WorkerError, match=r"that worked on 3 of 6 was killed by signal 9"):
        run_all(parallel_work.vanish_on_two, range(6), processes=2)


def test_a_result_that_cannot_be_sent_is_an_error() -> None:
    with pytest.raises(Exception, match="pickle"):
        run_all(parallel_work.unpicklable, range(2), processes=2)


def test_an_interrupt_ends_the_workers() -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_all(parallel_work.sleep_long, range(2), processes=2, watch=interrupt)
    assert time.monotonic() - started < 30


def test_there_is_a_core() -> None:
    assert cores() >= 1


class _Terminal:
    """Standard error as a terminal."""

    def __init__(self) -> None:
        self.text = ""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass


def test_short_work_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("runs", 2) as progress:
        progress(1)
        progress(2)
    assert capsys.readouterr().err == ""


def test_long_work_shows_lines_in_a_pipe(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcusim.cli.progress.SILENT_SECONDS", 0.0)
    with Progress("runs", 3) as progress:
        for done in (0, 1, 1, 3):
            progress(done)
    assert capsys.readouterr().err == "mcusim: 1 of 3 runs done\nmcusim: 3 of 3 runs done\n"


def test_long_work_shows_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcusim.cli.progress.SILENT_SECONDS", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with Progress("runs", 3) as progress:
        progress(2)
    assert "runs" in terminal.text
    assert "2/3" in terminal.text
