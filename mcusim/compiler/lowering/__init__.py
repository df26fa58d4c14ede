"""Lowering: from an operator of the graph to a row kernel and the constants it reads."""

from __future__ import annotations

from collections.abc import Callable

from mcusim.compiler.lowering.convolution import lower_conv, lower_fully_connected, lower_transpose_conv
from mcusim.compiler.lowering.depthwise import lower_depthwise
from mcusim.compiler.lowering.elementwise import (
    ELEMENT_FUNCTIONS,
    lower_add,
    lower_lookup,
    lower_mul,
    lower_prelu,
)
from mcusim.compiler.lowering.movement import lower_movement, lower_shift
from mcusim.compiler.lowering.pooling import (
    lower_average_pool,
    lower_log_softmax,
    lower_max_pool,
    lower_pad,
    lower_softmax,
)
from mcusim.compiler.lowering.reduction import lower_mean, lower_reduce_max
from mcusim.compiler.lowering.resizing import lower_resize_bilinear, lower_resize_nearest
from mcusim.compiler.lowering.types import (
    EXACT_AND_FAST,
    MAX_ROWS,
    Constant,
    LoweredOp,
    Options,
    no_scratch,
)
from mcusim.errors import UnsupportedError
from mcusim.network.graph import Graph, Operator, OpKind

__all__ = ["EXACT_AND_FAST", "Constant", "LoweredOp", "Options", "lower", "no_scratch"]

_LOWERINGS_WITH_OPTIONS: dict[OpKind, Callable[[Graph, Operator, Options], LoweredOp]] = {
    OpKind.CONV_2D: lower_conv,
    OpKind.DEPTHWISE_CONV_2D: lower_depthwise,
    OpKind.FULLY_CONNECTED: lower_fully_connected,
}
_LOWERINGS: dict[OpKind, Callable[[Graph, Operator], LoweredOp]] = {
    OpKind.TRANSPOSE_CONV: lower_transpose_conv,
    OpKind.ADD: lower_add,
    OpKind.SUB: lower_add,
    OpKind.MUL: lower_mul,
    OpKind.PRELU: lower_prelu,
    **dict.fromkeys(ELEMENT_FUNCTIONS, lower_lookup),
    OpKind.AVERAGE_POOL_2D: lower_average_pool,
    OpKind.MAX_POOL_2D: lower_max_pool,
    OpKind.MEAN: lower_mean,
    OpKind.REDUCE_MAX: lower_reduce_max,
    OpKind.PAD: lower_pad,
    OpKind.TRANSPOSE: lower_movement,
    OpKind.RESIZE_NEAREST_NEIGHBOR: lower_resize_nearest,
    OpKind.RESIZE_BILINEAR: lower_resize_bilinear,
    OpKind.CONCATENATION: lower_movement,
    OpKind.SPLIT: lower_movement,
    OpKind.STRIDED_SLICE: lower_movement,
    OpKind.MOVE: lower_shift,
    OpKind.SOFTMAX: lower_softmax,
    OpKind.LOG_SOFTMAX: lower_log_softmax,
}


def lower(graph: Graph, op: Operator, options: Options = EXACT_AND_FAST) -> LoweredOp:
    """The kernel call that computes ``op``, with a choice of kernels by ``options``.

    Raises UnsupportedError, naming the operator, where there is no kernel for it. Operators that move
    nothing (RESHAPE) are not lowered.
    """
    if op.kind in _LOWERINGS_WITH_OPTIONS:
        lowered = _LOWERINGS_WITH_OPTIONS[op.kind](graph, op, options)
    elif op.kind in _LOWERINGS:
        lowered = _LOWERINGS[op.kind](graph, op)
    else:
        raise UnsupportedError(f"operator {op.index} ({op.kind}) has no kernel")
    rows = (lowered.rows_per_call - 1) * lowered.stride_h + lowered.kernel_h
    if rows > MAX_ROWS and not lowered.whole_tensors:
        raise UnsupportedError(
            f"operator {op.index} ({op.kind}) needs {rows} input rows at once, and a kernel takes {MAX_ROWS}"
        )
    return lowered
