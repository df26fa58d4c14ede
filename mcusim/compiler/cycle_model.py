"""What operators and schedules cost in cycles, before anything is run.

Figures are of the project's kernels on its own timing model at zero wait states, fitted to measured layers of
MobileNets, ResNet-8, a DS-CNN and MCUNets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mcusim.compiler import spatial
from mcusim.compiler.rows import rows_at_once
from mcusim.compiler.stages import PatchStage, StreamStage, calls_of
from mcusim.network import geometry
from mcusim.network.graph import Graph, Operator, OpKind

CALL_CYCLES = 430
"""Of one call of a layer for one row: the stream's bookkeeping, views, the beginning of the kernel."""

_PER_MAC_AND_OUTPUT = {
    OpKind.CONV_2D: (1.1, 15.0),
    OpKind.DEPTHWISE_CONV_2D: (6.3, 0.0),
    OpKind.FULLY_CONNECTED: (1.7, 19.0),
    OpKind.ADD: (0.0, 8.0),
    OpKind.RESHAPE: (0.0, 0.0),
}
_OTHER = (0.0, 30.0)


def whole_cycles(graph: Graph, op: Operator) -> float:
    """An operator as a whole."""
    per_mac, per_output = _PER_MAC_AND_OUTPUT.get(op.kind, _OTHER)
    return per_mac * geometry.macs(graph, op) + per_output * graph.output_of(op).elements


def stage_cycles(graph: Graph, stage: PatchStage, whole: Mapping[int, float]) -> float:
    """The operators of a stage that runs in pieces, from what each costs as a whole (by operator index)."""
    return sum(
        piecewise_cycles(graph, stage, op, whole[op.index])
        for op in graph.operators[stage.first : stage.last + 1]
    )


def piecewise_cycles(graph: Graph, stage: PatchStage, op: Operator, whole: float) -> float:
    """One operator of a stage: more pixels, more calls, and single rows where a pair costs as much."""
    size = spatial.extent(graph.output_of(op))
    work = whole * stage.geometry.pixels(op.outputs[0]) / (size.height * size.width)
    if isinstance(stage, StreamStage) and rows_at_once(op, 2) == 2 and stage.chunk == 1:
        work *= 2
    return work + CALL_CYCLES * calls_of(stage, op)


def operator_cycles(graph: Graph, measured: Mapping[int, float] | None = None) -> dict[int, float]:
    """Every operator as a whole, by index: ``measured`` where it is known, else estimated."""
    known = measured or {}
    return {op.index: known.get(op.index, whole_cycles(graph, op)) for op in graph.operators}


def total_cycles(graph: Graph, stages: Sequence[PatchStage], whole: Mapping[int, float]) -> float:
    """A network with ``stages`` in pieces and every other operator as a whole."""
    inside = {p for stage in stages for p in range(stage.first, stage.last + 1)}
    outside = sum(whole[op.index] for p, op in enumerate(graph.operators) if p not in inside)
    return outside + sum(stage_cycles(graph, stage, whole) for stage in stages)
