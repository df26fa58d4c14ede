"""Lowering of operators that move elements: TRANSPOSE, CONCATENATION, SPLIT, STRIDED_SLICE; and MOVE."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from mcusim.compiler.lowering.types import Constant, LoweredOp, tensorwise
from mcusim.errors import UnsupportedError
from mcusim.network.graph import Graph, Operator, OpKind

BOX_DIMENSIONS = 3
"""Dimensions of an ``mcu_box``."""


class Dimension(NamedTuple):
    """``size`` elements, ``in_step`` bytes apart in the source and ``out_step`` in the target."""

    size: int
    in_step: int
    out_step: int


@dataclass(frozen=True)
class Box:
    """Elements of one input that go to one output; offsets are bytes."""

    dimensions: tuple[Dimension, ...]
    source: int = 0
    target: int = 0
    first_in: int = 0
    first_out: int = 0

    @property
    def in_one_piece(self) -> bool:
        """Whether neighbours in the source are neighbours in the target, all along."""
        found = joined(self.dimensions)
        return not found or (len(found) == 1 and found[0].in_step == found[0].out_step == 1)


def steps_of(shape: Sequence[int]) -> tuple[int, ...]:
    """Elements between neighbours along every dimension of a contiguous tensor."""
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))


def joined(dimensions: Sequence[Dimension]) -> tuple[Dimension, ...]:
    """The same elements in as few dimensions as possible."""
    result: list[Dimension] = []
    for inner in dimensions:
        if inner.size == 1:
            continue
        outer = result[-1] if result else None
        span = (inner.size * inner.in_step, inner.size * inner.out_step)
        if outer is not None and (outer.in_step, outer.out_step) == span:
            result[-1] = Dimension(outer.size * inner.size, inner.in_step, inner.out_step)
        else:
            result.append(inner)
    return tuple(result)


def boxes_of(graph: Graph, op: Operator) -> list[Box]:
    """What a TRANSPOSE, CONCATENATION, SPLIT or STRIDED_SLICE moves from where to where."""
    return _BOXES[op.kind](graph, op)


def _transposed(graph: Graph, op: Operator) -> list[Box]:
    in_steps = steps_of(graph.input_of(op).shape)
    shape = graph.output_of(op).shape
    steps = zip(shape, (in_steps[axis] for axis in op.attributes.permutation), steps_of(shape), strict=True)
    return [Box(tuple(Dimension(*each) for each in steps))]


def _concatenated(graph: Graph, op: Operator) -> list[Box]:
    axis, out_steps = op.attributes.axis, steps_of(graph.output_of(op).shape)
    boxes: list[Box] = []
    first = 0
    for source, part in enumerate(graph.tensors[index] for index in op.inputs):
        dimensions = tuple(map(Dimension, part.shape, steps_of(part.shape), out_steps))
        boxes.append(Box(dimensions, source=source, first_out=first * out_steps[axis]))
        first += part.shape[axis]
    return boxes


def _split(graph: Graph, op: Operator) -> list[Box]:
    axis, in_steps = op.attributes.axis, steps_of(graph.input_of(op).shape)
    boxes: list[Box] = []
    first = 0
    for target, index in enumerate(op.outputs):
        shape = graph.tensors[index].shape
        dimensions = tuple(map(Dimension, shape, in_steps, steps_of(shape)))
        boxes.append(Box(dimensions, target=target, first_in=first * in_steps[axis]))
        first += shape[axis]
    return boxes


def _sliced(graph: Graph, op: Operator) -> list[Box]:
    slices, in_steps = op.attributes.slices, steps_of(graph.input_of(op).shape)
    counts = [part.count for part in slices]
    dimensions = tuple(
        Dimension(part.count, part.stride * in_step, out_step)
        for part, in_step, out_step in zip(slices, in_steps, steps_of(counts), strict=True)
    )
    first = sum(part.start * step for part, step in zip(slices, in_steps, strict=True))
    return [Box(dimensions, first_in=first)]


_BOXES: dict[OpKind, Callable[[Graph, Operator], list[Box]]] = {
    OpKind.TRANSPOSE: _transposed,
    OpKind.CONCATENATION: _concatenated,
    OpKind.SPLIT: _split,
    OpKind.STRIDED_SLICE: _sliced,
}


def lower_movement(graph: Graph, op: Operator) -> LoweredOp:
    """TRANSPOSE by any permutation and STRIDED_SLICE with any steps that come down to three dimensions,
    CONCATENATION, also of constants, and SPLIT along any dimension into pieces of any size.

    Raises UnsupportedError for more dimensions.
    """
    words: list[int] = []
    boxes = boxes_of(graph, op)
    inputs, joined_constants = _sources(graph, op)
    for box in boxes:
        dimensions = joined(box.dimensions)
        missing = BOX_DIMENSIONS - len(dimensions)
        if missing < 0:
            raise UnsupportedError(
                f"operator {op.index} ({op.kind}) moves elements in {len(dimensions)} dimensions, "
                f"and the kernel has {BOX_DIMENSIONS}"
            )
        padded = (*[Dimension(1, 0, 0)] * missing, *dimensions)
        words += [inputs[box.source], box.target, box.first_in, box.first_out]
        words += [value for values in zip(*padded, strict=True) for value in values]
    constants = (Constant("boxes", np.array(words, "<i4").tobytes(), 4, "int32_t"), *joined_constants)
    moved = tensorwise("mcu_move", f"{{.boxes = $boxes, .count = {len(boxes)}}}", constants=constants)
    return replace(moved, further_inputs=tuple(constant.name for constant in joined_constants))


def lower_shift(graph: Graph, op: Operator) -> LoweredOp:
    """A MOVE, whose output may overlap its input in any way."""
    return tensorwise("mcu_shift", f"{{.bytes = {graph.output_of(op).bytes}}}")


def _sources(graph: Graph, op: Operator) -> tuple[dict[int, int], tuple[Constant, ...]]:
    """Where the kernel finds the input at each position, activations first and constants behind them, and
    what these hold."""
    data = [graph.tensors[index].data for index in op.inputs]
    held = [(position, values) for position, values in enumerate(data) if values is not None]
    fixed = [position for position, _ in held]
    order = [position for position in range(len(op.inputs)) if position not in fixed] + fixed
    constants = (Constant(f"input_{position}", values.tobytes(), 4, "int8_t") for position, values in held)
    return {position: place for place, position in enumerate(order)}, tuple(constants)
