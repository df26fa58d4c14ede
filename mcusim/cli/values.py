"""Values on the command line that are more than a number or a name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mcusim.errors import UsageError

if TYPE_CHECKING:
    from mcusim.chips import Chip

_UNITS = {"": 1, "hz": 1, "k": 1_000, "khz": 1_000, "m": 1_000_000, "mhz": 1_000_000}

SLOWEST = 10_000
"""Hertz; clock crystals have 32,768."""


def frequency(text: str) -> int:
    """Hertz of "84MHz", "32.768 kHz" or "84000000"; raises UsageError for anything else, and for less than
    ``SLOWEST``, which would be a forgotten unit."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip().lower())
    hertz = float(match[1]) * _UNITS.get(match[2], 0) if match else 0
    if match and match[2] in _UNITS and hertz < SLOWEST:
        raise UsageError(f"{text!r} is {hertz:g} Hz, which is no clock; {match[1]}MHz is one")
    if hertz < 1:
        raise UsageError(f"{text!r} is not a frequency such as 84MHz")
    return round(hertz)


def voltage(text: str) -> float:
    """Volts of "2.4V" or "2.4"; raises UsageError for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*v?", text.strip().lower())
    if match is None:
        raise UsageError(f"{text!r} is not a voltage such as 2.4V")
    return float(match[1])


def clock_and_supply(text: str) -> tuple[int, float | None]:
    """Hertz and volts of "84MHz@2.4V", None volts for "84MHz"; raises UsageError for anything else."""
    hertz, _, supply = text.partition("@")
    return frequency(hertz), voltage(supply) if supply else None


def chip_at(name: str, clock: str | None, wait_states: int | None) -> Chip:
    """The chip of that name or file at a clock ("84MHz", with the supply "84MHz@2.4V"), with its or the given
    wait states; see ``chips.adjusted``."""
    from mcusim import chips

    chip = chips.load(name)
    if clock is None:
        return chips.adjusted(chip, wait_states=wait_states)
    hertz, volts = clock_and_supply(clock)
    return chips.adjusted(chip, hertz, wait_states, volts)
