"""How far work has come, on standard error: a bar on a terminal, lines in a pipe, nothing if it is short."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

SILENT_SECONDS = 2.0
"""Shorter work shows nothing, and lines in a pipe come no faster."""


class Progress:
    """Call it with the number of steps that are done, as often as you like."""

    def __init__(self, what: str, total: int) -> None:
        self._what = what
        self._total = total
        self._started = time.monotonic()
        self._said = 0
        self._spoken = 0.0
        self._bar: Bar | None = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, done: int) -> None:
        now = time.monotonic()
        if now - self._started < SILENT_SECONDS:
            return
        if sys.stderr.isatty():
            self._draw(done)
        elif done > self._said and now - self._spoken >= SILENT_SECONDS:
            self._said, self._spoken = done, now
            sys.stderr.write(f"mcusim: {done} of {self._total} {self._what} done\n")
            sys.stderr.flush()

    def _draw(self, done: int) -> None:
        if self._bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
            )
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._bar.add_task(self._what, total=self._total)
            self._bar.start()
        self._bar.update(self._bar.task_ids[0], completed=done)
