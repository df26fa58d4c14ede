"""Finds the source files that debug information names."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath


@dataclass(frozen=True)
class SourceFinder:
    """Looks in ``folders`` for a path and for what is left of it without its first parts, since builds
    shorten or replace the folders that they were made in."""

    folders: tuple[Path, ...]

    def __call__(self, name: str) -> Sequence[str] | None:
        """Lines of the file, None where it is not found or is no text."""
        return _lines(self.folders, name)


@functools.lru_cache(maxsize=256)
def _lines(folders: tuple[Path, ...], name: str) -> tuple[str, ...] | None:
    parts = PurePosixPath(name).parts
    tails = [Path(*parts[first:]) for first in range(len(parts))]
    for path in (folder / tail for tail in tails for folder in folders):
        if path.is_file():
            try:
                return tuple(path.read_text(encoding="utf-8").splitlines())
            except (OSError, UnicodeDecodeError):
                return None
    return None
