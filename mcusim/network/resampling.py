"""Which input pixels the two resizing operators read, and how much of each.

All three grids of TensorFlow are there: plain, aligned corners, half-pixel centres.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcusim.network.graph import Attributes
from mcusim.network.quantise import Int64Array

FRACTION_BITS = 10
"""Fractional bits of RESIZE_BILINEAR's positions (ResizeBilinearInteger)."""

ONE = 1 << FRACTION_BITS


@dataclass(frozen=True, eq=False)
class Interpolation:
    """Along one dimension: output pixel i is (ONE - weights[i]) of input pixel ``lower[i]`` and
    weights[i] of ``upper[i]``; weights beyond 0..ONE occur only where both are the same pixel."""

    lower: Int64Array
    upper: Int64Array
    weights: Int64Array


def nearest(size: int, outputs: int, attributes: Attributes) -> Int64Array:
    """Input pixel of each of ``outputs`` output pixels; float32, as in GetNearestNeighbor."""
    spread = attributes.align_corners and outputs > 1
    scale = (
        np.float32(size - 1) / np.float32(outputs - 1) if spread else np.float32(size) / np.float32(outputs)
    )
    offset = np.float32(0.5 if attributes.half_pixel_centers else 0.0)
    positions = (np.arange(outputs, dtype=np.float32) + offset) * scale
    if attributes.align_corners:
        positions = np.floor(positions.astype(np.float64) + 0.5)
    pixels: Int64Array = np.floor(positions).astype(np.int64).clip(0, size - 1)
    return pixels


def bilinear(size: int, outputs: int, attributes: Attributes) -> Interpolation:
    """Neighbours and weights of each of ``outputs`` output pixels, in ten fractional bits."""
    if attributes.align_corners and outputs > 1:
        scale = (ONE * (size - 1) + (outputs - 1) // 2) // (outputs - 1)
    else:
        scale = (ONE * size + outputs // 2) // outputs
    positions = np.arange(outputs, dtype=np.int64) * scale
    if attributes.half_pixel_centers:
        positions += scale // 2 - ONE // 2
    lower = (positions >> FRACTION_BITS).clip(0, size - 1)
    upper = (-(-positions >> FRACTION_BITS)).clip(0, size - 1)
    return Interpolation(lower, upper, positions - ONE * lower)
