"""Lowering of DEPTHWISE_CONV_2D with square windows to the kernels that share ``depthwise_planes.c``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mcusim.compiler.lowering.channels import FILL_BYTES, Channel, kernel_name, pack_any, parameters
from mcusim.compiler.lowering.gemm import to_words
from mcusim.compiler.lowering.types import HEADER, Constant, LoweredOp
from mcusim.network.graph import Padding, Window
from mcusim.network.quantise import MatrixConstants

PLANES = {(5, 1), (5, 2), (7, 1), (7, 2)}
"""Sizes and strides that have a kernel ``depthwise_NxN_sM.c``."""

BLOCK = 5
"""MCU_BLOCK of ``mcu_planes.h``: outputs side by side that are computed at once."""

LARGEST_PLANES = 1920
"""Bytes of scratch that a call of those kernels may take, about what the matrix kernel takes in networks with
such windows."""

MOST_ROWS = 8
"""Output rows of a call where nothing asks for more."""


@dataclass(frozen=True)
class Tile:
    """What a call of a kernel on planes makes at once: ``rows`` and ``columns`` of the output of a kernel of
    ``size`` rows and columns, over an input of ``height`` rows."""

    size: int
    stride: int
    height: int
    rows: int
    columns: int

    @property
    def pairs(self) -> int:
        """Pairs of rows in the strip: none that is padding."""
        window = (self.rows - 1) * self.stride + self.size
        return min((window + 1) // 2, self.height // 2 + 1)

    @property
    def shifted_words(self) -> int:
        """Of weights for windows that begin in a pair's lower row."""
        return self.size * ((self.size + 1) // 2) if self.rows > 1 and self.stride % 2 else 0

    def strip_columns(self, width: int) -> int:
        """Columns of the strip for so many of the output."""
        return (max(min(width, self.columns), BLOCK) - 1) * self.stride + self.size

    def scratch_bytes(self, _in_width: int, out_width: int) -> int:
        """As ``depthwise_planes.c`` states it."""
        blocks = self.rows * -(-min(out_width, self.columns) // BLOCK)
        strip = 16 * self.strip_columns(out_width) * self.pairs
        return FILL_BYTES * self.pairs + 16 * blocks + 32 + 4 * self.shifted_words + strip

    def overhead(self, height: int, width: int) -> float:
        """Cycles, about, of a channel that do not depend on its outputs, for all of an output's extent."""
        strip = 4 * self.strip_columns(width) * self.pairs
        tiles = -(-height // self.rows) * -(-width // self.columns)
        return tiles * (110 + 5 * self.shifted_words + strip)


def trim(
    weights: NDArray[np.int8], window: Window, source: tuple[int, int], target: tuple[int, int]
) -> tuple[NDArray[np.int8], Window]:
    """Weights [1, kernel_h, kernel_w, channels] and their window without the outermost rows and columns that
    meet nothing but padding, wherever they are on an input of ``source`` rows and columns."""
    padding = window.padding
    top, bottom = _reach(window.kernel_h, window.stride_h, padding.top, source[0], target[0])
    left, right = _reach(window.kernel_w, window.stride_w, padding.left, source[1], target[1])
    fewer = Padding(
        padding.top - top,
        padding.bottom - (window.kernel_h - bottom),
        padding.left - left,
        padding.right - (window.kernel_w - right),
    )
    trimmed = replace(window, kernel_h=bottom - top, kernel_w=right - left, padding=fewer)
    return weights[:, top:bottom, left:right], trimmed


def _reach(kernel: int, stride: int, before: int, source: int, target: int) -> tuple[int, int]:
    """The taps [first, end) of a window that meet one of ``source`` elements somewhere."""
    first = max(0, before - stride * (target - 1))
    return first, min(kernel, source + before)


def fits_planes(window: Window) -> bool:
    """Whether there is a kernel for a window, which must be square and nowhere all padding."""
    padding = window.padding
    return (
        window.kernel_h == window.kernel_w
        and window.stride_h == window.stride_w
        and (window.kernel_h, window.stride_h) in PLANES
        and max(padding.top, padding.bottom) < window.kernel_h
    )


def lower_planes(
    channels: Sequence[Channel],
    constants: MatrixConstants,
    window: Window,
    extent: tuple[int, int],
    in_height: int,
) -> LoweredOp:
    """``extent``: rows and columns of the output."""
    size, stride = window.kernel_h, window.stride_h
    words = [word for channel in channels for word in pack_any(channel, 1)]
    stream = Constant("stream", to_words(np.array(words, np.int64)), 4, "int32_t")

    def lower(tile: Tile) -> LoweredOp:
        return LoweredOp(
            kernel=kernel_name(channels, size, stride),
            header=HEADER,
            params_type="mcu_depthwise_planes_params",
            params=(
                f"{{.base = {parameters(channels, constants)}, .size = {size}, "
                f".stride = {stride}, .columns = {tile.columns}}}"
            ),
            constants=(stream,),
            kernel_h=size,
            stride_h=stride,
            pad_top=window.padding.top,
            stride_w=stride,
            pad_left=window.padding.left,
            rows_per_call=tile.rows,
            scratch_bytes=tile.scratch_bytes,
            few_rows_scratch=replace(tile, rows=min(tile.rows, 2)).scratch_bytes,
            grouped_columns=tile.columns,
        )

    tile = _choose_tile(size, stride, in_height, extent)
    return replace(
        lower(tile), whole_rows=lambda rows: lower(replace(tile, rows=rows, columns=max(extent[1], BLOCK)))
    )


def _choose_tile(size: int, stride: int, in_height: int, extent: tuple[int, int]) -> Tile:
    """The tile whose strips cost least, of those whose scratch is small enough."""
    height, width = extent
    most = min(MOST_ROWS, height)
    tiles = (
        Tile(size, stride, in_height, rows, columns)
        for rows in range(1, most + 1)
        for columns in range(BLOCK, max(width, BLOCK) + BLOCK, BLOCK)
    )
    fitting = [tile for tile in tiles if tile.scratch_bytes(0, width) <= LARGEST_PLANES]
    return min(fitting, key=lambda tile: tile.overhead(height, width))
