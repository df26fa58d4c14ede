"""Chips as data: one TOML file per chip, with the source of every number beside it."""

from mcusim.chips.chip import (
    Accelerator,
    Cache,
    Caches,
    Chip,
    Clock,
    Flash,
    Region,
    Supply,
    adjusted,
    load,
    names,
    parse,
)

__all__ = [
    "Accelerator",
    "Cache",
    "Caches",
    "Chip",
    "Clock",
    "Flash",
    "Region",
    "Supply",
    "adjusted",
    "load",
    "names",
    "parse",
]
