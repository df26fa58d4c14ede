"""Chips as data: one TOML file per chip, with the source of every number beside it."""

from mcusim.chips.chip import Chip, Clock, Flash, Region, load, names, parse

__all__ = ["Chip", "Clock", "Flash", "Region", "load", "names", "parse"]
