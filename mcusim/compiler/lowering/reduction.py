"""Lowering of MEAN and REDUCE_MAX."""

from __future__ import annotations

import math
from dataclasses import replace

from mcusim.compiler.lowering.types import LoweredOp, tensorwise
from mcusim.errors import UnsupportedError
from mcusim.network.graph import Graph, Operator
from mcusim.network.quantise import mean_constants


def lower_mean(graph: Graph, op: Operator) -> LoweredOp:
    """MEAN over one dimension, or over neighbouring ones at once."""
    return tensorwise("mcu_mean", _mean_params(graph, op, _extents(graph, op)))


def mean_of_row(graph: Graph, op: Operator) -> LoweredOp:
    """MEAN over the columns that is handed one row after the other, and makes a pixel of each."""
    _, _, width, channels = graph.input_of(op).shape
    params = _mean_params(graph, op, f".outer = 1, .count = {width}, .inner = {channels}")
    return replace(tensorwise("mcu_mean", params), whole_tensors=False)


def mean_of_rows(graph: Graph, op: Operator) -> LoweredOp:
    """MEAN over all rows and columns that is handed one row after the other, and adds up in its scratch."""
    params = _mean_params(graph, op, _extents(graph, op))
    lowered = tensorwise("mcu_mean_rows", params, params_type="mcu_mean_params")
    return replace(lowered, whole_tensors=False)


def _mean_params(graph: Graph, op: Operator, extents: str) -> str:
    constants = mean_constants(graph, op)
    return (
        f"{{{extents}, .zero_points = {constants.count * constants.in_zp}, "
        f".multiplier = {constants.multiplier}, .shift = {constants.shift}, "
        f".out_zero_point = {constants.out_zp}}}"
    )


def lower_reduce_max(graph: Graph, op: Operator) -> LoweredOp:
    """REDUCE_MAX over one dimension, or over neighbouring ones at once."""
    return tensorwise("mcu_reduce_max", f"{{{_extents(graph, op)}}}", params_type="mcu_reduce_params")


def _extents(graph: Graph, op: Operator) -> str:
    """The tensor as [outer][count][inner], of which the middle one is reduced."""
    shape = graph.input_of(op).shape
    axes = sorted(axis for axis in op.attributes.axes if shape[axis] > 1) or [0]
    first, end = axes[0], axes[-1] + 1
    if any(shape[axis] > 1 and axis not in axes for axis in range(first, end)):
        raise UnsupportedError(
            f"operator {op.index} ({op.kind}) reduces the axes {list(op.attributes.axes)}, "
            "which do not lie beside each other"
        )
    outer, count, inner = (math.prod(part) for part in (shape[:first], shape[first:end], shape[end:]))
    return f".outer = {outer}, .count = {count}, .inner = {inner}"
