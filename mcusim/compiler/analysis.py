"""What networks need, counted without building anything: bytes per layer, MACs, published accounting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mcusim.compiler import spatial
from mcusim.compiler.passes import unfold
from mcusim.compiler.schedule import Schedule
from mcusim.compiler.stages import PatchStage, stages_of
from mcusim.network import geometry
from mcusim.network.graph import Graph, Operator, OpKind


@dataclass(frozen=True)
class LayerBytes:
    """Activation bytes that live while one operator runs on whole tensors: every tensor that is needed
    then, unaligned, and the same with depthwise convolutions in place."""

    operator: int
    live_bytes: int
    live_bytes_inplace_depthwise: int


def layer_bytes(graph: Graph) -> tuple[LayerBytes, ...]:
    """Live bytes of every operator in execution order, the network's input included."""
    return tuple(
        LayerBytes(op.index, _live_bytes(graph, position), _live_bytes(graph, position, in_place=True))
        for position, op in enumerate(graph.operators)
    )


def layer_peak(graph: Graph, *, inplace_depthwise: bool) -> int:
    """The largest of ``layer_bytes``, 0 for a network without operators."""
    rows = layer_bytes(graph)
    if inplace_depthwise:
        return max((row.live_bytes_inplace_depthwise for row in rows), default=0)
    return max((row.live_bytes for row in rows), default=0)


def schedule_macs(graph: Graph, schedule: Schedule) -> int:
    """MACs really computed under a valid ``schedule``, recomputed halo and taps on padding included."""
    graph, schedule = unfold(graph, schedule)
    return staged_macs(graph, stages_of(graph, schedule))


def staged_macs(graph: Graph, stages: Sequence[PatchStage]) -> int:
    """MACs with operators inside ``stages`` run patch by patch and all others once."""
    return sum(
        operator_macs(graph, op, next((s for s in stages if s.first <= position <= s.last), None))
        for position, op in enumerate(graph.operators)
    )


def operator_macs(graph: Graph, op: Operator, stage: PatchStage | None) -> int:
    """MACs of one operator over all patches of its stage, or over its whole output."""
    macs = geometry.macs(graph, op)
    if stage is None:
        return macs
    size = spatial.extent(graph.output_of(op))
    return macs // (size.height * size.width) * stage.geometry.pixels(op.outputs[0])


def mac_factor(graph: Graph, schedule: Schedule) -> float:
    """MACs under ``schedule`` over the MACs layer by layer."""
    return schedule_macs(graph, schedule) / max(geometry.total_macs(graph), 1)


def published_peak(graph: Graph, schedule: Schedule) -> int:
    """Peak bytes as MCUNetV2 (arXiv 2110.15352) counts inverted residual blocks.

    Depthwise convolutions run in place (the larger of input and output and one channel plane); neither
    projecting convolutions nor residual additions are counted; the image is not in memory during a
    patch stage, whose output is.
    """
    stages = stages_of(graph, schedule)
    peak = 0
    for position, op in enumerate(graph.operators):
        if _is_left_out(graph, op):
            continue
        stage = next((s for s in stages if s.first <= position <= s.last), None)
        peak = max(peak, _live_bytes(graph, position, in_place=True, stage=stage))
    return peak


def _is_left_out(graph: Graph, op: Operator) -> bool:
    if op.kind is OpKind.ADD:
        return True
    makers = {output: maker for maker in graph.operators for output in maker.outputs}
    maker = makers.get(op.inputs[0])
    return op.kind is OpKind.CONV_2D and maker is not None and maker.kind is OpKind.DEPTHWISE_CONV_2D


def _live_bytes(
    graph: Graph, position: int, *, in_place: bool = False, stage: PatchStage | None = None
) -> int:
    op = graph.operators[position]
    live = _live_tensors(graph, position) | set(spatial.activations(graph, op)) | set(op.outputs)
    sizes = {tensor: graph.tensors[tensor].bytes for tensor in live}
    planes = {tensor: spatial.extent(graph.tensors[tensor]) for tensor in live}
    if stage is not None:
        output = graph.operators[stage.last].outputs[0]
        sizes = {tensor: stage.buffer_bytes(graph, tensor) for tensor in live - {output, *graph.inputs}} | {
            output: graph.tensors[output].bytes
        }
    total = sum(sizes.values())
    if in_place and spatial.keeps_channels(graph, op):
        source, target = sizes.get(op.inputs[0], 0), sizes[op.outputs[0]]
        total -= min(source, target) - source // planes[op.inputs[0]].channels
    return total


def _live_tensors(graph: Graph, position: int) -> set[int]:
    """Activations that exist before the operator at ``position`` and are still needed after it."""
    made = set(graph.inputs) | {t for op in graph.operators[:position] for t in op.outputs}
    needed = set(graph.outputs) | {t for op in graph.operators[position + 1 :] for t in op.inputs}
    return made & needed
