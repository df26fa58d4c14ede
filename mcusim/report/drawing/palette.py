"""The colours of pictures, on light and on dark ground."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

Colour = tuple[int, int, int]
"""Red, green, blue, each 0 to 255."""


@dataclass(frozen=True)
class Ink:
    """#rrggbb on light and on dark ground, and how much covers what is below."""

    light: str
    dark: str
    opacity: float = 1.0


GROUND = Ink("#ffffff", "#1a1f29")
INKS = {
    "text": Ink("#1c2330", "#e6e9ef"),
    "faint": Ink("#667085", "#98a2b3"),
    "grid": Ink("#d5dae3", "#333b49"),
    "peak": Ink("#c2410c", "#fb923c"),
    "wasted": Ink("#c2410c", "#fb923c", 0.1),
    "live": Ink("#0891b2", "#22a7c4"),
    "dead": Ink("#f2b8a0", "#7c4a35"),
    "number": Ink("#1c2330", "#1c2330"),
    "arena": Ink("#0891b2", "#0891b2"),
    "scratch": Ink("#c026d3", "#c026d3"),
    "stack": Ink("#d97706", "#d97706"),
    "static": Ink("#4f46e5", "#6d66ee"),
    "heap": Ink("#dc2626", "#dc2626"),
    "stage0": Ink("#0891b2", "#0891b2"),
    "stage1": Ink("#7c3aed", "#7c3aed"),
    "stage2": Ink("#059669", "#059669"),
    "stage3": Ink("#d97706", "#d97706"),
    "stage4": Ink("#db2777", "#db2777"),
    "stage5": Ink("#4f46e5", "#6d66ee"),
}
STAGES = 6
"""Colours that stages of a schedule take in turn."""

TURN = 137.508
"""Degrees between the hues of one layer and the next: the golden angle, so that neighbours differ."""
OUTSIDE: Colour = (152, 162, 179)
"""Data of code outside all layers."""


def stage(number: int) -> str:
    """The ink of a stage of a schedule."""
    return f"stage{number % STAGES}"


def layer(position: int) -> Colour:
    """The colour of a layer, readable on light and dark ground; -1 is code outside all layers."""
    if position < 0:
        return OUTSIDE
    red, green, blue = colorsys.hls_to_rgb(position * TURN % 360 / 360, 0.62, 0.62)
    return round(255 * red), round(255 * green), round(255 * blue)


def rgb(colour: str) -> Colour:
    """#rrggbb as numbers."""
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue
