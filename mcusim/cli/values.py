"""Values on the command line that are more than a number or a name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mcusim.errors import UsageError

if TYPE_CHECKING:
    from mcusim.chips import Chip

_UNITS = {"": 1, "hz": 1, "k": 1_000, "khz": 1_000, "m": 1_000_000, "mhz": 1_000_000}


def frequency(text: str) -> int:
    """Hertz of "84MHz", "32.768 kHz" or "84000000"; raises UsageError for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip().lower())
    hertz = float(match[1]) * _UNITS.get(match[2], 0) if match else 0
    if hertz < 1:
        raise UsageError(f"{text!r} is not a frequency such as 84MHz")
    return round(hertz)


def chip_at(name: str, clock: str | None, wait_states: int | None) -> Chip:
    """The chip of that name or file at a clock, with its or the given wait states; see ``chips.adjusted``."""
    from mcusim import chips

    return chips.adjusted(chips.load(name), frequency(clock) if clock else None, wait_states)
