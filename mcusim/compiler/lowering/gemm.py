"""Packing of weight matrices for ``kernels/gemm.c``: two output channels in each halfword."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mcusim.compiler.lowering.once import (
    COARSE,
    FINE,
    NOTHING,
    Kind,
    Line,
    find_lines,
)
from mcusim.compiler.lowering.scaling import (
    Scale,
    accumulator_interval,
    folded_bias,
    prove_scales,
)
from mcusim.compiler.lowering.types import EXACT_AND_FAST, Constant, Options
from mcusim.network.quantise import INT8_MAX, INT8_MIN, MatrixConstants

Int64Array = NDArray[np.int64]
Stored = TypeVar("Stored", np.int8, np.int64)

CHANNEL_BLOCK = 4
SHARED_WEIGHT_LIMIT = 1 << 15
"""256 * b + a of two weights must be an int16."""
SHARED_SUM_LIMIT = 1 << 23
"""The sum of the channel in the upper byte must be below this, to come back from (raw - A) >> 8."""


@dataclass(frozen=True, eq=False)
class Matrix:
    """Weights [channels, products] with their biases and scales, proved fit for ``gemm.c``.

    ``lines`` are there, of a ``kind``, where one rounding gives the same outputs for every channel.
    ``one_pixel``: never applied to two pixels at once, so that no code is needed for that.
    """

    weights: NDArray[np.int8]
    bias: Int64Array
    scales: tuple[Scale, ...]
    constants: MatrixConstants
    lines: tuple[Line, ...] = ()
    kind: Kind | None = None
    one_pixel: bool = False

    @property
    def channels(self) -> int:
        return int(self.weights.shape[0])


def prove_matrix(
    weights: NDArray[np.int8], constants: MatrixConstants, options: Options = EXACT_AND_FAST
) -> Matrix | None:
    """The matrix as ``gemm.c`` may compute it, or None where its bounds do not hold.

    Channels whose output is constant lose their weights and biases, which may be of any size.
    """
    bias = folded_bias(weights, constants)
    scales = prove_scales(accumulator_interval(weights, bias), constants)
    if scales is None:
        return None
    dead = np.array([scale.constant for scale in scales])
    kept = np.where(dead[:, None], np.int8(0), weights)
    bias = np.where(dead, 0, bias)
    matrix = Matrix(_padded(kept), _padded(bias), tuple(scales), constants)
    if not _shares_halfwords(matrix):
        return None
    return _with_lines(replace(matrix, weights=kept, bias=bias), options)


def _with_lines(matrix: Matrix, options: Options) -> Matrix:
    """The matrix with one rounding, where it has one; of few kinds where each costs code."""
    interval = accumulator_interval(matrix.weights, matrix.bias)
    for kind in (FINE, COARSE) if options.optimise == "speed" else (FINE,):
        lines = find_lines(matrix.constants, interval, matrix.scales, kind, options.rounding)
        if lines is not None:
            return replace(matrix, lines=lines, kind=kind)
    return matrix


def _padded(rows: NDArray[Stored]) -> NDArray[Stored]:
    missing = -rows.shape[0] % CHANNEL_BLOCK
    return np.concatenate([rows, np.zeros((missing, *rows.shape[1:]), rows.dtype)])


def _shares_halfwords(padded: Matrix) -> bool:
    wide = padded.weights.astype(np.int64)
    shared = 256 * wide[1::2] + wide[0::2]
    sums = accumulator_interval(padded.weights[1::2], padded.bias[1::2])
    return bool(
        (shared >= -SHARED_WEIGHT_LIMIT).all()
        and (shared < SHARED_WEIGHT_LIMIT).all()
        and (np.maximum(-sums.low, sums.high) < SHARED_SUM_LIMIT).all()
    )


def quad_pairs(products: Sequence[int]) -> list[tuple[int, int]]:
    """Products of whole words in the order in which SXTB16 widens them: (0, 2), (1, 3), ..."""
    return [
        pair
        for start in range(0, len(products), 4)
        for pair in (
            (products[start], products[start + 2]),
            (products[start + 1], products[start + 3]),
        )
    ]


def pack_stream(matrix: Matrix, pairs: Sequence[tuple[int, int]]) -> Constant:
    """The stream that ``gemm.c`` reads. ``pairs`` are indices of products, -1 standing for none; their
    number is even."""
    parts = zip(first_sums(matrix), weight_words(matrix, pairs), last_words(matrix), strict=True)
    words = np.concatenate([words for block in parts for words in block])
    return Constant("stream", to_words(words), 4, "int32_t")


def first_sums(matrix: Matrix) -> list[Int64Array]:
    """What the sums of each block of channels begin with: four words."""
    bias = _padded(matrix.bias).astype(np.int64)
    raw_bias = 256 * bias[1::2] + bias[0::2]
    if matrix.lines:
        own = _padded(np.array([line.bias for line in matrix.lines], np.int64))
        bias = bias + np.where(np.arange(len(own)) % 2 == 0, own, 0)
        raw_bias = raw_bias + own[0::2] + own[1::2]
    words = np.stack([raw_bias, bias[0::2]], axis=1)
    return list(words.reshape(-1, CHANNEL_BLOCK))


def weight_words(matrix: Matrix, pairs: Sequence[tuple[int, int]]) -> list[Int64Array]:
    """The weights of each block of channels, for products in the order of ``pairs`` (see ``pack_stream``)."""
    rows = _padded(matrix.weights).astype(np.int64)
    rows = np.concatenate([rows, np.zeros((rows.shape[0], 1), np.int64)], axis=1)
    shared = 256 * rows[1::2] + rows[0::2]
    low = shared[:, [pair[0] for pair in pairs]] & 0xFFFF
    high = shared[:, [pair[1] for pair in pairs]] & 0xFFFF
    words = low | (high << 16)
    blocks = words.reshape(-1, 2, len(pairs)).transpose(0, 2, 1)
    return list(blocks.reshape(len(blocks), -1))


def last_words(matrix: Matrix) -> list[Int64Array]:
    """What requantises each block of channels: eight words with one rounding, ten with two."""
    starts = range(0, matrix.channels, CHANNEL_BLOCK)
    if matrix.lines:
        return [_line_words(matrix.lines[start : start + CHANNEL_BLOCK]) for start in starts]
    return [_scale_words(matrix.scales[start : start + CHANNEL_BLOCK]) for start in starts]


def _scale_words(scales: Sequence[Scale]) -> Int64Array:
    """Five words for each two channels, whose exponents share one."""
    filling = [Scale(multiplier=0, offset=0, exponent=1)] * (CHANNEL_BLOCK - len(scales))
    full = [*scales, *filling]
    words = [
        word
        for a, b in zip(full[0::2], full[1::2], strict=True)
        for word in (a.multiplier, a.offset, a.exponent | b.exponent << 8, b.multiplier, b.offset)
    ]
    return np.array(words, np.int64)


def _line_words(lines: Sequence[Line]) -> Int64Array:
    """Two words for each channel."""
    full = [*lines, *[NOTHING] * (CHANNEL_BLOCK - len(lines))]
    return np.array([word for line in full for word in (line.multiplier, line.offset)], np.int64)


def to_words(values: Int64Array) -> bytes:
    """The low 32 bits of each value, little-endian."""
    return (values & 0xFFFFFFFF).astype("<u4").tobytes()


def bytes_of(value: int) -> int:
    """An int8 in each of the four bytes of an int32."""
    word = (value & 0xFF) * 0x01010101
    return word - (1 << 32) if word >= 1 << 31 else word


def gemm_initialiser(matrix: Matrix, quads: int) -> str:
    """The C initialiser of ``mcu_gemm``."""
    kind = matrix.kind.name if matrix.kind else "twice"
    pair = "NULL" if matrix.one_pixel else f"mcu_pair_{kind}"
    clamping = clamping_fields(matrix.constants.act_min, matrix.constants.act_max)
    return (
        f"{{.stream = $stream, .quads = {quads}, .channels = {matrix.channels}, "
        f".pair = {pair}, .one = mcu_one_{kind}, {clamping}}}"
    )


def clamping_fields(act_min: int, act_max: int) -> str:
    """The fields that say to what range outputs are brought, for kernels that saturate to int8 by
    themselves."""
    clamped = int(act_min > INT8_MIN or act_max < INT8_MAX)
    return f".clamped = {clamped}, .act_min = {bytes_of(act_min)}, .act_max = {bytes_of(act_max)}"
