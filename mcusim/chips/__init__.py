"""Chips as data: one TOML file per chip, with the source of every number beside it."""

from mcusim.chips.chip import (
    Accelerator,
    Cache,
    Chip,
    Clock,
    Flash,
    Region,
    adjusted,
    load,
    names,
    parse,
)

__all__ = [
    "Accelerator",
    "Cache",
    "Chip",
    "Clock",
    "Flash",
    "Region",
    "adjusted",
    "load",
    "names",
    "parse",
]
