"""The result of one point of a sweep, as it is kept."""

from __future__ import annotations

from typing import Literal

import msgspec

FORMAT = "mcusim.sweep-result"
VERSION = 1


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What a run measured, as in its trace. ``flash_bytes``: all that is loaded."""

    clock_hz: int
    wait_states: int
    cycles: int
    cycles_low: int
    cycles_high: int
    seconds: float
    macs: int
    sram_peak_bytes: int
    arena_bytes: int
    scratch_bytes: int
    stack_bytes: int
    flash_bytes: int


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """``network``, ``chip``, ``clock`` ("" for the chip's usual one) and ``schedule`` as they were asked for.
    ``figures`` of the run, or None and in ``refusal`` why the point cannot be. ``code``: fingerprint of the
    mcusim that measured it, see ``mcusim.sweep.points.fingerprint``."""

    format: Literal["mcusim.sweep-result"] = "mcusim.sweep-result"
    version: Literal[1] = 1
    network: str
    chip: str
    clock: str
    schedule: str
    input_in: str
    code: str
    figures: Figures | None
    refusal: str = ""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A point that could not be measured, whatever was tried; it says nothing about the point."""

    network: str
    chip: str
    clock: str
    schedule: str
    reason: str


def dump(result: Result) -> bytes:
    """Indented JSON, one trailing newline."""
    return msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n"


def load(content: bytes) -> Result | None:
    """None for what is not a result of this version."""
    try:
        return msgspec.json.decode(content, type=Result)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
