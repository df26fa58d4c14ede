"""The stages of a schedule that run in pieces: patch by patch, or row by row over rings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mcusim.compiler import spatial
from mcusim.compiler.patches import PatchGeometry, patch_geometry
from mcusim.compiler.rows import ring_rows, rows_at_once, turns
from mcusim.compiler.schedule import Schedule, Stage, position_of
from mcusim.errors import ScheduleError
from mcusim.network.graph import Graph, Operator

SUM_BYTES = 4


@dataclass(frozen=True)
class PatchStage:
    """Positions ``first`` to ``last`` of the execution order, run patch by patch."""

    first: int
    last: int
    geometry: PatchGeometry

    def buffer_bytes(self, graph: Graph, tensor: int) -> int:
        """Bytes for what exists at a time of a tensor that the stage makes and uses up."""
        return self.geometry.largest(tensor) * spatial.extent(graph.tensors[tensor]).channels

    def row_widths(self, graph: Graph, op: Operator) -> tuple[int, int]:
        """The widest rows, in pixels, that the operator's kernel reads and makes: a tensor that comes from
        before is there with whole rows."""
        source = spatial.activations(graph, op)[0]
        columns = max(span.size for span in self.geometry.columns[source])
        if not any(source in maker.outputs for maker in graph.operators[self.first : self.last]):
            columns = spatial.extent(graph.tensors[source]).width
        return columns, max(span.size for span in self.geometry.columns[op.outputs[0]])


@dataclass(frozen=True)
class StreamStage(PatchStage):
    """Positions ``first`` to ``last``, advancing together row by row, once for every band of columns.

    ``geometry`` has one row of patches, the bands. ``rings``: capacity in rows of every tensor that the
    stage makes and uses up. ``chunk``: see ``rows_at_once``.
    """

    rings: Mapping[int, int]
    chunk: int

    @property
    def bands(self) -> int:
        return self.geometry.grid[1]

    def buffer_bytes(self, graph: Graph, tensor: int) -> int:
        """A ring of rows that are as wide as the widest band needs."""
        width = max(span.size for span in self.geometry.columns[tensor])
        return self.rings[tensor] * width * spatial.extent(graph.tensors[tensor]).channels


def sums_bytes(graph: Graph, stage: PatchStage) -> int:
    """Where a stream that ends with a pool over everything counts its rows and adds up every channel in 32
    bits, as ``average_pool_row.c`` wants it; 0 for all others."""
    op = graph.operators[stage.last]
    if not isinstance(stage, StreamStage) or not spatial.pools_all(graph, op):
        return 0
    return SUM_BYTES * (1 + spatial.extent(graph.output_of(op)).channels)


def calls_of(graph: Graph, stage: PatchStage, op: Operator) -> int:
    """How often the function of one of the stage's operators is called: for every patch, or every row."""
    if not isinstance(stage, StreamStage):
        return stage.geometry.grid[0] * stage.geometry.grid[1]
    return stage.bands * -(-turns(graph, op) // rows_at_once(op, stage.chunk))


def stages_of(graph: Graph, schedule: Schedule) -> tuple[PatchStage, ...]:
    """The stages of a valid ``schedule`` that run in pieces, with their exact geometry."""
    return tuple(_stage(graph, stage) for stage in schedule.stages if stage.mode != "op")


def _stage(graph: Graph, stage: Stage) -> PatchStage:
    first, last = position_of(graph, stage.first), position_of(graph, stage.last)
    operators = graph.operators[first : last + 1]
    if stage.mode == "patch":
        return PatchStage(first, last, patch_geometry(graph, operators, stage.grid or (1, 1)))
    rings: dict[int, int] = {}
    for position in range(first, last):
        op = graph.operators[position]
        rows = ring_rows(graph, position, stage.chunk)
        if rows is None:
            raise ScheduleError(f"no stream can hold the output of operator {op.index} ({op.kind}) as a ring")
        rings[op.outputs[0]] = rows
    geometry = patch_geometry(graph, operators, (1, stage.bands))
    return StreamStage(first, last, geometry, rings, stage.chunk)
