"""A pool of worker processes that gives what a loop would: the same results, in order, and the same error.

Workers are started afresh (spawn), the one way that every system has. Each has a pipe of its own, so that one
which is killed is noticed at once.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from typing import Any, Generic, TypeVar

from mcusim.errors import WorkerError

TICK_SECONDS = 0.2
"""How often the caller hears of the state of the work, at least."""
PATIENCE_SECONDS = 2.0
"""How long a worker that was asked to end may take."""

Task = TypeVar("Task")
Result = TypeVar("Result")


def cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_all(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    *,
    processes: int | None = None,
    watch: Callable[[int], None] = lambda _: None,
) -> list[Result]:
    """``function`` of every task, in order, computed by ``processes`` processes, by default one per core.

    ``function``, tasks and results must be picklable. ``watch`` is told several times a second how many tasks
    are done. Raises what ``function`` raised for the first task that failed, and WorkerError if a worker was
    killed; then, as on any other exception here, the other workers are ended first.
    """
    count = min(len(tasks), processes or cores())
    if count < 2:
        return _one_by_one(function, tasks, watch)
    pool = _Pool(function, tasks)
    try:
        pool.start(count)
        return pool.finish(watch)
    finally:
        pool.close()


def _one_by_one(
    function: Callable[[Task], Result], tasks: Sequence[Task], watch: Callable[[int], None]
) -> list[Result]:
    results = []
    for task in tasks:
        results.append(function(task))
        watch(len(results))
    return results


@dataclass
class _Worker:
    """``task``: index of what it works on, None if it waits."""

    process: BaseProcess
    pipe: Connection
    task: int | None = None


class _Pool(Generic[Task, Result]):
    def __init__(self, function: Callable[[Task], Result], tasks: Sequence[Task]) -> None:
        self._function = function
        self._tasks = tasks
        self._workers: list[_Worker] = []
        self._handed_out = 0
        self._results: dict[int, Result] = {}
        self._failures: dict[int, BaseException] = {}

    def start(self, count: int) -> None:
        """Start ``count`` workers, each with a first task."""
        context = multiprocessing.get_context("spawn")
        for _ in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, self._function), daemon=True)
            process.start()
            theirs.close()
            self._workers.append(_Worker(process, ours))
        for worker in self._workers:
            self._hand_out(worker)

    def finish(self, watch: Callable[[int], None]) -> list[Result]:
        """Every result; once a task has failed, only those before it are waited for."""
        while busy := [worker for worker in self._workers if self._is_wanted(worker.task)]:
            ready = wait([worker.pipe for worker in busy], TICK_SECONDS)
            for worker in busy:
                if worker.pipe in ready:
                    self._receive(worker)
            watch(len(self._results))
        if self._failures:
            raise self._failures[min(self._failures)]
        return [self._results[index] for index in range(len(self._tasks))]

    def close(self) -> None:
        """End all workers, whatever they do."""
        for worker in self._workers:
            worker.pipe.close()
            if worker.task is not None:
                worker.process.terminate()
        for worker in self._workers:
            worker.process.join(PATIENCE_SECONDS)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()

    def _is_wanted(self, task: int | None) -> bool:
        return task is not None and task < min(self._failures, default=len(self._tasks))

    def _hand_out(self, worker: _Worker) -> None:
        worker.task = None
        if not self._failures and self._handed_out < len(self._tasks):
            worker.task = self._handed_out
            self._handed_out += 1
            try:
                worker.pipe.send(self._tasks[worker.task])
            except ConnectionError:
                raise WorkerError(self._epitaph(worker)) from None

    def _receive(self, worker: _Worker) -> None:
        assert worker.task is not None
        try:
            result, error = worker.pipe.recv()
        except (EOFError, ConnectionError):
            raise WorkerError(self._epitaph(worker)) from None
        if error is not None:
            self._failures[worker.task] = error
        else:
            self._results[worker.task] = result
        self._hand_out(worker)

    def _epitaph(self, worker: _Worker) -> str:
        worker.process.join(PATIENCE_SECONDS)
        code = worker.process.exitcode
        how = f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with code {code}"
        number = 0 if worker.task is None else worker.task + 1
        return f"the process that worked on {number} of {len(self._tasks)} {how}"


def _serve(pipe: Connection, function: Callable[[Any], Any]) -> None:
    """A worker's life: tasks come and results go by ``pipe`` until that is closed.

    The keyboard's interrupt reaches all processes; the one that started this one sees to the end, by a signal
    that lets what is open here be closed.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    while True:
        try:
            task = pipe.recv()
            pipe.send_bytes(_outcome(function, task))
        except (EOFError, ConnectionError):
            return


def _outcome(function: Callable[[Any], Any], task: object) -> bytes:
    """The pickled pair of result and error, one of them None."""
    try:
        return bytes(ForkingPickler.dumps((function(task), None)))
    except Exception as error:
        error.add_note(f"in a worker process:\n{traceback.format_exc()}")
        try:
            return bytes(ForkingPickler.dumps((None, error)))
        except Exception:
            return bytes(ForkingPickler.dumps((None, RuntimeError(f"{type(error).__name__}: {error}"))))
