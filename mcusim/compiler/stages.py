"""The stages of a schedule that run in pieces: patch by patch, or row by row over rings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mcusim.compiler import spatial
from mcusim.compiler.camera import camera_lines
from mcusim.compiler.in_place import SharedRing, shared_rings
from mcusim.compiler.lowering.types import LoweredOp
from mcusim.compiler.patches import PatchGeometry, Span, patch_distance, patch_geometry
from mcusim.compiler.rows import align, ring_rows, rows_at_once, stage_distance, turns
from mcusim.compiler.schedule import InputIn, Schedule, Stage, position_of
from mcusim.compiler.tiles import (
    SUM_BYTES,
    TileBlock,
    TileHead,
    expanding_calls,
    sums_row_bytes,
    tile_block,
    tile_calls,
    tile_distance,
    tile_geometry,
    tile_head,
    tile_rows,
    tile_spans,
)
from mcusim.errors import ScheduleError
from mcusim.network.graph import Graph, Operator


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

    def distance(self, graph: Graph, source: int) -> int | None:
        """How many bytes before its whole input ``source`` the stage's output must start; None: on it."""
        operators = graph.operators[self.first : self.last + 1]
        return align(patch_distance(graph, operators, source, self.geometry))


@dataclass(frozen=True)
class StreamStage(PatchStage):
    """Positions ``first`` to ``last``, advancing together row by row, once for every band of columns.

    ``geometry`` has one row of patches, the bands. ``rings``: capacity in rows of every tensor that the
    stage makes and uses up. ``chunk``: see ``rows_at_once``. ``camera``: the image if a camera delivers it to
    this stage, which is among the rings then, with whole lines. ``shared``: those of the rings that lie in
    the bytes of another one.
    """

    rings: Mapping[int, int]
    chunk: int
    camera: int | None = field(default=None, kw_only=True)
    shared: Mapping[int, SharedRing] = field(default_factory=dict, kw_only=True)

    @property
    def bands(self) -> int:
        return self.geometry.grid[1]

    def buffer_bytes(self, graph: Graph, tensor: int) -> int:
        """A ring of rows that are as wide as the widest band needs."""
        size, holder = spatial.extent(graph.tensors[tensor]), self.holder(tensor)
        widest = max(span.size for span in self.geometry.columns[holder]) + self.spare(holder)
        width = size.width if tensor == self.camera else widest
        return self.rings[holder] * width * size.channels

    def ring_bytes(self, graph: Graph) -> int:
        """Of all rings together."""
        own = self.rings.keys() - self.shared.keys()
        return sum(align(self.buffer_bytes(graph, tensor)) for tensor in own)

    def holder(self, tensor: int) -> int:
        """The tensor in whose ring ``tensor`` lies: mostly itself."""
        return self.shared[tensor].source if tensor in self.shared else tensor

    def spare(self, tensor: int) -> int:
        """Columns more that each row of a ring has room for, before its first."""
        return next((ring.spare for ring in self.shared.values() if ring.source == tensor), 0)

    def kernel_for(self, op: Operator, kernel: LoweredOp) -> LoweredOp:
        """``kernel`` of one of the stage's operators, or that which makes whole rows at once, if a ring wants
        it."""
        ring = self.shared.get(op.outputs[0])
        if ring is None or not ring.whole_rows or kernel.whole_rows is None:
            return kernel
        return kernel.whole_rows(rows_at_once(op, self.chunk))

    def distance(self, graph: Graph, source: int) -> int | None:
        """As that of a patch stage."""
        return stage_distance(graph, graph.operators[self.first : self.last + 1], source, self.chunk)


@dataclass(frozen=True)
class TileStage(StreamStage):
    """Positions ``first`` to ``last``, which are ``block``, for a tile of the expanded channels at a time.

    ``geometry`` has one column of patches, the bands of rows for which there are sums at a time. ``rings``:
    rows of tiles and, if the block ends with an addition, of sums in the place of what is added.
    """

    block: TileBlock
    tiles: tuple[Span, ...]

    @property
    def row_bands(self) -> tuple[Span, ...]:
        """Rows of the output."""
        return self.geometry.rows[self.block.last.outputs[0]]

    def buffer_bytes(self, graph: Graph, tensor: int) -> int:
        """Rows of the widest tile, or of sums."""
        if tensor == self.block.project.outputs[0]:
            return self.rings[tensor] * sums_row_bytes(graph, self.block.project)
        widest = max(tile.size for tile in self.tiles)
        return self.rings[tensor] * spatial.extent(graph.tensors[tensor]).width * widest

    def distance(self, graph: Graph, source: int) -> int | None:
        """As that of a patch stage."""
        return tile_distance(graph, self.block, source, self.geometry, self.chunk)

    def calls(self, graph: Graph, op: Operator) -> int:
        """How often the function of an operator is called."""
        rows = len(tile_calls(self.block, self.row_bands, self.chunk))
        if op == self.block.add:
            return rows
        if op == self.block.expand:
            rows = expanding_calls(graph, self.block, self.row_bands, self.chunk)
        return rows * len(self.tiles)


@dataclass(frozen=True)
class HeadStage(StreamStage):
    """Positions ``first`` and ``last``, a 1x1 convolution and the pool over everything that it makes, for a
    tile of its channels at a time, each as a stream. ``rings``: the one row of a tile."""

    head: TileHead
    tiles: tuple[Span, ...]

    def buffer_bytes(self, graph: Graph, tensor: int) -> int:
        """A row of the widest tile."""
        widest = max(tile.size for tile in self.tiles)
        return self.rings[tensor] * spatial.extent(graph.tensors[tensor]).width * widest

    def distance(self, graph: Graph, source: int) -> int | None:
        """None of ``source`` is free as long as there are tiles: the output lies before it."""
        del source
        return align(graph.output_of(self.head.pool).bytes)


def sums_bytes(graph: Graph, stage: PatchStage) -> int:
    """Where a stage adds up beside its tensors, in 32 bits: a stream that ends with a pool over everything
    counts its rows and adds up every channel, as ``average_pool_row.c`` wants it; tiles that no addition
    follows add up their output; 0 for all others."""
    op = graph.operators[stage.last]
    if isinstance(stage, HeadStage):
        return SUM_BYTES * (1 + max(tile.size for tile in stage.tiles))
    if isinstance(stage, TileStage):
        rows = max(band.size for band in stage.row_bands)
        return rows * sums_row_bytes(graph, op) if stage.block.add is None else 0
    if not isinstance(stage, StreamStage) or not spatial.pools_all(graph, op):
        return 0
    return SUM_BYTES * (1 + spatial.extent(graph.output_of(op)).channels)


def calls_of(graph: Graph, stage: PatchStage, op: Operator) -> int:
    """How often the function of one of the stage's operators is called: for every patch, or every row."""
    if isinstance(stage, TileStage):
        return stage.calls(graph, op)
    if not isinstance(stage, StreamStage):
        return stage.geometry.grid[0] * stage.geometry.grid[1]
    pieces = len(stage.tiles) if isinstance(stage, HeadStage) else stage.bands
    return pieces * -(-turns(graph, op) // rows_at_once(op, stage.chunk))


def stages_of(
    graph: Graph, schedule: Schedule, lowered: Mapping[int, LoweredOp] | None = None
) -> tuple[PatchStage, ...]:
    """The stages of a valid ``schedule`` that run in pieces, with their exact geometry.

    ``lowered``: kernels by operator index; rings share bytes only where these are known.
    """
    stages = (stage for stage in schedule.stages if stage.mode != "op")
    return tuple(_stage(graph, stage, schedule.input_in, lowered or {}) for stage in stages)


def _stage(graph: Graph, stage: Stage, input_in: InputIn, lowered: Mapping[int, LoweredOp]) -> PatchStage:
    first, last = position_of(graph, stage.first), position_of(graph, stage.last)
    operators = graph.operators[first : last + 1]
    if stage.mode == "patch":
        return PatchStage(first, last, patch_geometry(graph, operators, stage.grid or (1, 1)))
    if stage.mode == "ctile" and len(operators) == 2:
        return head_stage(graph, first, operators, stage.channels)
    if stage.mode == "ctile":
        return tile_stage(graph, first, operators, stage)
    rings: dict[int, int] = {}
    for position in range(first, last):
        op = graph.operators[position]
        rows = ring_rows(graph, position, stage.chunk)
        if rows is None:
            raise ScheduleError(f"no stream can hold the output of operator {op.index} ({op.kind}) as a ring")
        rings[op.outputs[0]] = rows
    camera = graph.inputs[0] if input_in == "camera" and first == 0 else None
    if camera is not None:
        rings[camera] = camera_lines(graph, stage.chunk)
    geometry = patch_geometry(graph, operators, (1, stage.bands))
    shared = shared_rings(graph, (first, last), stage.chunk, geometry, lowered)
    return StreamStage(first, last, geometry, rings, stage.chunk, camera=camera, shared=shared)


def tile_stage(graph: Graph, first: int, operators: Sequence[Operator], stage: Stage) -> TileStage:
    """The stage of ``operators``, which begin at position ``first``, with the channels, bands and chunk of
    ``stage``."""
    block = tile_block(graph, operators)
    geometry = tile_geometry(graph, block, stage.bands)
    rows = tile_rows(graph, block, geometry.rows[block.last.outputs[0]], stage.chunk)
    tiles = tile_spans(spatial.extent(graph.output_of(block.expand)).channels, stage.channels)
    return TileStage(first, first + len(operators) - 1, geometry, rows, stage.chunk, block, tiles)


def head_stage(graph: Graph, first: int, operators: Sequence[Operator], channels: int) -> HeadStage:
    """The stage of a head, whose operators begin at position ``first``, in tiles of ``channels``."""
    head = tile_head(graph, operators)
    geometry = patch_geometry(graph, operators, (1, 1))
    tiles = tile_spans(spatial.extent(graph.output_of(head.expand)).channels, channels)
    return HeadStage(first, first + 1, geometry, {head.expand.outputs[0]: 1}, 1, head=head, tiles=tiles)
