"""Which tensor every layer of a run leaves, also where one was moved."""

from __future__ import annotations

from collections.abc import Iterable

from mcusim.network.graph import Graph, OpKind
from mcusim.trace import Layer


def tensors_left(graph: Graph, layers: Iterable[Layer]) -> dict[int, int]:
    """By the layer's index the tensor of ``graph``; a MOVE leaves the one whose name it bears."""
    names = {graph.output_of(op).name: op.outputs[0] for op in graph.operators}
    moves = (layer for layer in layers if layer.op == OpKind.MOVE)
    made = {op.index: op.outputs[0] for op in graph.operators}
    return made | {move.index: names[move.name.removesuffix(" (moved)")] for move in moves}
