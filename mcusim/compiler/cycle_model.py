"""What operators and schedules cost in cycles, before anything is run.

Figures are of the project's kernels on its own timing model at zero wait states, fitted to measured layers of
MobileNets, ResNet-8, a DS-CNN and MCUNets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mcusim.compiler import spatial
from mcusim.compiler.lowering.convolution import GENERAL_CONV, GENERAL_DEPTHWISE
from mcusim.compiler.lowering.types import LoweredOp
from mcusim.compiler.rows import rows_at_once
from mcusim.compiler.stages import HeadStage, PatchStage, StreamStage, TileStage, calls_of
from mcusim.network import geometry
from mcusim.network.graph import Graph, Operator, OpKind

GENERAL_KERNELS = (GENERAL_CONV, GENERAL_DEPTHWISE)
"""They go output by output, so that neither borders nor pairs matter."""

LOOP_CYCLES = 125
"""Of the stream's bookkeeping for one call of a layer."""


TILE_ROW_CYCLES = 1000
"""Of a row that a tile expands: the call, and widening what each tile reads again."""

TILE_CALL_CYCLES = 705
"""Of a call of the depthwise convolution for one tile."""

SUM_ROW_CYCLES = 410
"""Of a row of a tile that is projected."""

SUM_CYCLES = 6.3
"""Of a sum for each tile: to and from memory, and loops that are shorter."""

SUM_END_CYCLES = 37
"""Of a sum's beginning and end."""


@dataclass(frozen=True)
class RowCosts:
    """How the cycles of a row depend on its width: they go with the pairs of columns, where a ``single`` one
    at the end costs part of a pair, and ``border`` stands for what is done beside them once a row. ``call``:
    cycles of every call, views and the beginning of the kernel."""

    single: float
    border: float
    call: float

    def width(self, columns: int) -> float:
        """In pairs of columns."""
        return columns // 2 + self.single * (columns % 2) + self.border


_POINTWISE = RowCosts(single=0.7, border=0.0, call=400)
_WINDOWED = RowCosts(single=0.65, border=0.5, call=50)
_DEPTHWISE = RowCosts(single=1.0, border=2.0, call=250)
_LINEAR = RowCosts(single=0.5, border=0.0, call=250)

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


def cycles_by_rows(
    graph: Graph, op: Operator, whole: float, rows: int, lowered: Mapping[int, LoweredOp]
) -> float:
    """An operator as a whole whose kernel is asked for so many rows a call at most; 0: for as many as it can
    make, which takes ``whole``."""
    kernel = lowered.get(op.index)
    if kernel is None or not 0 < rows < kernel.rows_per_call:
        return whole
    calls = -(-spatial.extent(graph.output_of(op)).height // rows)
    return whole * (2 if rows == 1 else 1) + _row_costs(op, kernel).call * calls


def stage_cycles(
    graph: Graph, stage: PatchStage, whole: Mapping[int, float], lowered: Mapping[int, LoweredOp]
) -> float:
    """The operators of a stage that runs in pieces, from what each costs as a whole; both mappings are by
    operator index, and ``lowered`` may lack some or all."""
    return sum(
        operator_cycles_in(graph, stage, op, whole[op.index], lowered.get(op.index))
        for op in graph.operators[stage.first : stage.last + 1]
    )


def operator_cycles_in(
    graph: Graph, stage: PatchStage, op: Operator, whole: float, lowered: LoweredOp | None
) -> float:
    """One operator of a stage: what is computed twice, narrow rows, more calls, and single rows where a pair
    costs as much."""
    if isinstance(stage, TileStage) and op != stage.block.add:
        return _tile_cycles(graph, stage, op, whole)
    if isinstance(stage, HeadStage) and op == stage.head.expand:
        return whole + TILE_ROW_CYCLES * calls_of(graph, stage, op)
    size = spatial.extent(graph.output_of(op))
    costs = _row_costs(op, lowered)
    output = op.outputs[0]
    rows = sum(span.size for span in stage.geometry.rows[output]) / size.height
    columns = sum(costs.width(span.size) for span in stage.geometry.columns[output])
    work = whole * rows * columns / costs.width(size.width)
    makes_pairs = lowered.rows_per_call > 1 if lowered else rows_at_once(op, 2) == 2
    if isinstance(stage, StreamStage) and makes_pairs and stage.chunk == 1:
        work *= 2
    return work + (costs.call + LOOP_CYCLES) * calls_of(graph, stage, op)


def _tile_cycles(graph: Graph, stage: TileStage, op: Operator, whole: float) -> float:
    """One of the first three operators of a block in channel tiles."""
    size, tiles = spatial.extent(graph.output_of(op)), len(stage.tiles)
    rows = sum(span.size for span in stage.geometry.rows[op.outputs[0]])
    if op == stage.block.expand:
        return whole * rows / size.height + TILE_ROW_CYCLES * rows * tiles
    if op == stage.block.depthwise:
        calls = stage.calls(graph, op)
        # A single row costs as much as a pair.
        pairs = rows_at_once(op, 2) == 2
        return whole * (2 * calls / tiles / size.height if pairs else 1) + TILE_CALL_CYCLES * calls
    return whole + (SUM_ROW_CYCLES * rows + SUM_CYCLES * size.bytes) * tiles + SUM_END_CYCLES * size.bytes


def _row_costs(op: Operator, lowered: LoweredOp | None) -> RowCosts:
    if lowered is not None and lowered.kernel in GENERAL_KERNELS:
        return _LINEAR
    if op.kind is OpKind.DEPTHWISE_CONV_2D:
        return _DEPTHWISE
    if op.kind is not OpKind.CONV_2D:
        return _LINEAR
    window = spatial.window_of(op)
    return _POINTWISE if (window.kernel_h, window.kernel_w) == (1, 1) else _WINDOWED


def operator_cycles(graph: Graph, measured: Mapping[int, float] | None = None) -> dict[int, float]:
    """Every operator as a whole, by index: ``measured`` where it is known, else estimated."""
    known = measured or {}
    return {op.index: known.get(op.index, whole_cycles(graph, op)) for op in graph.operators}
