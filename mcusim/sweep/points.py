"""The points of a sweep, and the key that says whether two of them would give the same result."""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import mcusim
from mcusim.chips import Chip
from mcusim.compiler import firmware
from mcusim.compiler.schedule import InputIn
from mcusim.errors import InputError

CODE_SUFFIXES = frozenset({".py", ".toml", ".c", ".h", ".in", ".so", ".dylib", ".dll"})


@dataclass(frozen=True)
class Clock:
    """``text`` as it was asked for, "" for the chip's usual clock without wait states."""

    text: str = ""
    hz: int | None = None
    volts: float | None = None
    wait_states: int | None = None


@dataclass(frozen=True)
class Source:
    """A network or a schedule: ``name`` as it was asked for, and the content of the file if it is one."""

    name: str
    content: bytes | None = field(default=None, repr=False)

    def identity(self) -> str:
        """The same for equal files, whatever they are called."""
        return self.name if self.content is None else hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True)
class Point:
    """All that a worker anywhere needs; it sees none of the files here."""

    network: Source
    chip: Chip
    clock: Clock
    schedule: Source
    input_in: InputIn

    def key(self, code: str) -> str:
        """Hash of everything that the result depends on, ``code`` being ``fingerprint()``."""
        parts = (
            code,
            self.network.identity(),
            repr(self.chip),
            repr(self.clock),
            self.schedule.identity(),
            self.input_in,
        )
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def source(name: str, suffix: str) -> Source:
    """``name`` with the file's content if it ends in ``suffix``. Raises InputError if it cannot be read."""
    if not name.endswith(suffix):
        return Source(name)
    try:
        return Source(name, Path(name).read_bytes())
    except OSError as error:
        raise InputError(f"{name}: {error.strerror}") from error


def grid(
    networks: Sequence[Source],
    chips: Sequence[Chip],
    clocks: Sequence[Clock],
    schedules: Sequence[Source],
    input_in: InputIn,
) -> list[Point]:
    """Every combination, clocks innermost, so that neighbours run the same image."""
    return [
        Point(network, chip, clock, schedule, input_in)
        for network, chip, schedule, clock in itertools.product(networks, chips, schedules, clocks)
    ]


@functools.cache
def fingerprint() -> str:
    """Hash of the code that measures: the package, its chips, its native core and the firmware's sources."""
    package = Path(mcusim.__file__).resolve().parent
    digest = hashlib.sha256()
    for root in (package, firmware.directory()):
        for path in sorted(root.rglob("*")):
            if path.suffix in CODE_SUFFIXES and path.is_file():
                digest.update(f"{path.relative_to(root).as_posix()}\0".encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]
