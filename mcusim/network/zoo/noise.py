"""Deterministic numbers: the same on every machine and with every version of numpy."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)

_OCTAVE_WEIGHTS = ((4, 2, 1, 1), (1, 4, 1, 0), (0, 0, 0, 1))
"""Strength of value noise with cells of 32, 8, 2 and 1 pixels, one tuple per calibration image: smooth
with detail, blotchy, and white noise."""


def random_bytes(seed: str, count: int) -> NDArray[np.uint8]:
    """``count`` uniform bytes of the SplitMix64 sequence that ``seed`` starts (Steele et al., 2014)."""
    start = np.array([zlib.crc32(seed.encode())], np.uint64) * _MIX_2
    state = start + np.arange(1, (count + 7) // 8 + 1, dtype=np.uint64) * _GOLDEN
    state = (state ^ (state >> np.uint64(30))) * _MIX_1
    state = (state ^ (state >> np.uint64(27))) * _MIX_2
    state ^= state >> np.uint64(31)
    octets: NDArray[np.uint8] = state.astype("<u8").view(np.uint8)
    return octets[:count]


def weights(seed: str, shape: tuple[int, ...]) -> NDArray[np.int8]:
    """int8 weights from -127 to 127 with a triangular distribution around 0."""
    count = int(np.prod(shape))
    pair = random_bytes(seed, 2 * count).astype(np.int16).reshape(2, count)
    difference: NDArray[np.int8] = ((pair[0] - pair[1]) // 2).clip(-127, 127).astype(np.int8)
    return difference.reshape(shape)


def images(seed: str, shape: tuple[int, ...]) -> NDArray[np.int8]:
    """Synthetic int8 images [3, height, width, channels] that fill the range without saturating."""
    height, width, channels = shape
    return np.stack(
        [_image(f"{seed}/{i}", height, width, channels, octaves) for i, octaves in enumerate(_OCTAVE_WEIGHTS)]
    )


def vectors(seed: str, count: int, length: int) -> NDArray[np.int8]:
    """Uniform int8 vectors [count, length]."""
    return random_bytes(seed, count * length).view(np.int8).reshape(count, length)


def _image(seed: str, height: int, width: int, channels: int, octaves: tuple[int, ...]) -> NDArray[np.int8]:
    total = np.zeros((height, width, channels), np.int64)
    for cell, strength in zip((32, 8, 2, 1), octaves, strict=True):
        rows, columns = -(-height // cell), -(-width // cell)
        grid = random_bytes(f"{seed}/{cell}", rows * columns * channels).reshape(rows, columns, channels)
        total += strength * grid.repeat(cell, axis=0).repeat(cell, axis=1)[:height, :width].astype(np.int64)
    low, high = int(total.min()), int(total.max())
    return ((total - low) * 255 // max(1, high - low) - 128).astype(np.int8)
