"""Pictures as a few kinds of shapes, which ``svg`` and ``png`` write alike.

Coordinates are in units of the picture, x to the right and y down. ``ink`` names a colour of ``palette``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""Rows by columns by red, green, blue, alpha."""


@dataclass(frozen=True)
class Rectangle:
    """``is_edged`` sets it apart from its neighbours by a thin line. ``title`` is shown on pointing at it."""

    x: float
    y: float
    width: float
    height: float
    ink: str
    is_edged: bool = False
    title: str = ""


@dataclass(frozen=True)
class Line:
    """From (x1, y1) to (x2, y2)."""

    x1: float
    y1: float
    x2: float
    y2: float
    ink: str
    is_dashed: bool = False


@dataclass(frozen=True)
class Text:
    """``y`` is that of the base line; ``anchor`` is the end of the text that lies at ``x``."""

    x: float
    y: float
    text: str
    ink: str = "text"
    anchor: Literal["start", "middle", "end"] = "start"
    is_small: bool = False


@dataclass(frozen=True)
class Raster:
    """``pixels``, stretched without smoothing. ``name`` tells it apart where a page shows one of several."""

    x: float
    y: float
    width: float
    height: float
    pixels: Pixels
    name: str = ""


Shape = Rectangle | Line | Text | Raster


@dataclass(frozen=True)
class Drawing:
    """``label`` says in words what is shown."""

    width: int
    height: int
    label: str
    shapes: tuple[Shape, ...]
