"""RESIZE_BILINEAR on int8 in integer arithmetic."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcusim.network.graph import Graph, Operator
from mcusim.network.ops import Activation
from mcusim.network.resampling import FRACTION_BITS, ONE, bilinear


def resize_bilinear(graph: Graph, op: Operator, operands: Sequence[Activation]) -> Activation:
    """Mean of the four nearest pixels by their distance, half away from zero."""
    x = operands[0].astype(np.int64)
    _, height, width, _ = graph.output_of(op).shape
    rows = bilinear(x.shape[1], height, op.attributes)
    columns = bilinear(x.shape[2], width, op.attributes)
    down = rows.weights[:, None, None]
    right = columns.weights[:, None]
    mixed = x[:, rows.lower] * (ONE - down) + x[:, rows.upper] * down
    total = mixed[:, :, columns.lower] * (ONE - right) + mixed[:, :, columns.upper] * right
    bits = 2 * FRACTION_BITS
    rounded: Activation = np.sign(total) * ((np.abs(total) + (1 << (bits - 1))) >> bits)
    return rounded.astype(np.int8)
