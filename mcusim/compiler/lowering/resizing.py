"""Lowering of RESIZE_NEAREST_NEIGHBOR and RESIZE_BILINEAR: which input pixels make up every output pixel."""

from __future__ import annotations

import numpy as np

from mcusim.compiler.lowering.types import Constant, LoweredOp, tensorwise
from mcusim.network.graph import Graph, Operator
from mcusim.network.quantise import Int64Array
from mcusim.network.resampling import Interpolation, bilinear, nearest


def lower_resize_nearest(graph: Graph, op: Operator) -> LoweredOp:
    """RESIZE_NEAREST_NEIGHBOR from any size to any size."""
    _, in_height, in_width, _ = graph.input_of(op).shape
    _, height, width, _ = graph.output_of(op).shape
    return tensorwise(
        "mcu_resize_nearest",
        _params(graph, op),
        constants=(
            _halfwords("rows", nearest(in_height, height, op.attributes)),
            _halfwords("columns", nearest(in_width, width, op.attributes)),
        ),
    )


def lower_resize_bilinear(graph: Graph, op: Operator) -> LoweredOp:
    """RESIZE_BILINEAR from any size to any size."""
    _, in_height, in_width, _ = graph.input_of(op).shape
    _, height, width, _ = graph.output_of(op).shape
    return tensorwise(
        "mcu_resize_bilinear",
        _params(graph, op),
        constants=(
            _neighbours("rows", bilinear(in_height, height, op.attributes)),
            _neighbours("columns", bilinear(in_width, width, op.attributes)),
        ),
    )


def _params(graph: Graph, op: Operator) -> str:
    _, height, width, channels = graph.output_of(op).shape
    return (
        f"{{.rows = $rows, .columns = $columns, .in_width = {graph.input_of(op).shape[2]}, "
        f".out_height = {height}, .out_width = {width}, .channels = {channels}}}"
    )


def _halfwords(name: str, values: Int64Array) -> Constant:
    return Constant(name, values.astype("<i2").tobytes(), 4, "int16_t")


def _neighbours(name: str, grid: Interpolation) -> Constant:
    """Weights count only between two different pixels; beyond the border there is one."""
    weights = np.where(grid.lower == grid.upper, 0, grid.weights)
    words = np.stack([grid.lower, grid.upper, weights], axis=1).astype("<i4")
    return Constant(name, words.tobytes(), 4, "int32_t")
