"""A folder of results, one file a point, named by the point's key."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from mcusim.errors import UsageError
from mcusim.sweep import document
from mcusim.sweep.document import Result


@dataclass(frozen=True)
class Store:
    """Files appear whole or not at all, whenever the process is killed."""

    folder: Path

    def open(self) -> None:
        """Make the folder if it is not there. Raises UsageError if it cannot be."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{self.folder} cannot be the folder of results: {error.strerror}") from error

    def find(self, key: str) -> Result | None:
        """The result kept under ``key``; None if there is none that can be read."""
        try:
            return document.load(self._path(key).read_bytes())
        except OSError:
            return None

    def keep(self, key: str, result: Result) -> None:
        """Raises UsageError if the folder cannot be written."""
        self._write(self._path(key), document.dump(result))

    def keep_trace(self, key: str, trace: bytes) -> None:
        """Raises UsageError if the folder cannot be written."""
        self._write(self.trace_path(key), trace)

    def trace_path(self, key: str) -> Path:
        """Where the trace of a point's run is kept, if it is."""
        return self.folder / f"{key}.trace.json"

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.json"

    def _write(self, path: Path, content: bytes) -> None:
        unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            unfinished.write_bytes(content)
            unfinished.replace(path)
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}") from error
