"""Inverted residual blocks whose expanded tensor is made and used up for a few channels at a time.

A block is a 1x1 convolution that expands, a depthwise convolution, a 1x1 convolution that projects, and
perhaps the addition of the block's input. For each tile of the expanded channels the first three advance
together row by row, and the projection adds up sums, 32 bits wide, over all tiles. Sums exist for one
horizontal band of the output at a time; rows of the expanded tensor that two bands need are made in both.

A head, a 1x1 convolution with the average pool over everything behind it, is simpler: each tile makes its own
channels of the output.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mcusim.compiler import spatial
from mcusim.compiler.patches import Axis, PatchGeometry, Span
from mcusim.compiler.rows import align, rows_at_once
from mcusim.errors import ScheduleError
from mcusim.network.graph import Graph, Operator, OpKind, Window

CHANNEL_BLOCK = 4
"""Channels that the kernels take together: tiles are multiples of it."""

SUM_BYTES = 4


@dataclass(frozen=True)
class TileBlock:
    """The operators of a block. ``add`` sums the projection and ``source``, the input of ``expand``."""

    expand: Operator
    depthwise: Operator
    project: Operator
    add: Operator | None = None

    @property
    def source(self) -> int:
        return self.expand.inputs[0]

    @property
    def last(self) -> Operator:
        return self.add or self.project


@dataclass(frozen=True)
class TileHead:
    """A 1x1 convolution and the average pool over everything that it makes."""

    expand: Operator
    pool: Operator


def tile_head(graph: Graph, operators: Sequence[Operator]) -> TileHead:
    """The head that ``operators``, two, are. Raises ScheduleError, with the reason, if they are none."""
    expand, pool = operators
    _check_pointwise(expand)
    if pool.kind is not OpKind.AVERAGE_POOL_2D or not spatial.pools_all(graph, pool):
        raise ScheduleError(f"operator {pool.index} ({pool.kind}) is no average pool over all of its input")
    _check_channels(graph, expand)
    return TileHead(expand, pool)


def tile_block(graph: Graph, operators: Sequence[Operator]) -> TileBlock:
    """The block that ``operators`` are. Raises ScheduleError, with the reason, if they are none."""
    numbers = f"operators {operators[0].index} to {operators[-1].index}"
    if len(operators) not in (3, 4):
        raise ScheduleError(
            f"{numbers} are no inverted residual, which has three, or four with ADD, and no 1x1 convolution "
            "with a pool"
        )
    expand, depthwise, project = operators[:3]
    add = operators[3] if len(operators) == 4 else None
    _check_pointwise(expand)
    _check_pointwise(project)
    window = spatial.window_of(depthwise)
    if not spatial.keeps_channels(graph, depthwise) or (window.dilation_h, window.dilation_w) != (1, 1):
        raise ScheduleError(
            f"operator {depthwise.index} ({depthwise.kind}) is no depthwise convolution of multiplier 1 "
            "without dilation"
        )
    if depthwise.inputs[0] != expand.outputs[0] or project.inputs[0] != depthwise.outputs[0]:
        raise ScheduleError(f"{numbers} do not follow one another")
    wanted = {project.outputs[0], expand.inputs[0]}
    if add is not None and (add.kind is not OpKind.ADD or set(spatial.activations(graph, add)) != wanted):
        raise ScheduleError(f"operator {add.index} ({add.kind}) does not add the block's input to its output")
    _check_channels(graph, expand)
    return TileBlock(expand, depthwise, project, add)


def _check_pointwise(op: Operator) -> None:
    if op.kind is not OpKind.CONV_2D or op.attributes.window not in (Window(1, 1), None):
        raise ScheduleError(f"operator {op.index} ({op.kind}) is no 1x1 convolution of stride 1")


def _check_channels(graph: Graph, expand: Operator) -> None:
    channels = expanded_channels(graph, expand)
    if channels % CHANNEL_BLOCK:
        raise ScheduleError(
            f"operator {expand.index} makes {channels} channels; tiles need a multiple of {CHANNEL_BLOCK}"
        )


def expanded_channels(graph: Graph, expand: Operator) -> int:
    """Channels that the first operator of a block makes."""
    return spatial.extent(graph.output_of(expand)).channels


def tile_spans(channels: int, tile: int) -> tuple[Span, ...]:
    """``channels`` in tiles of ``tile``, the last one perhaps smaller."""
    return tuple(Span(first, min(first + tile, channels)) for first in range(0, channels, tile))


def sums_row_bytes(graph: Graph, project: Operator) -> int:
    """Bytes of a row of sums: whole blocks of channels, as ``gemm_sums.c`` wants them."""
    size = spatial.extent(graph.output_of(project))
    return size.width * -(-size.channels // CHANNEL_BLOCK) * CHANNEL_BLOCK * SUM_BYTES


def needed_axis(depthwise: Operator) -> Axis:
    """The depthwise convolution's window along the rows."""
    window = spatial.window_of(depthwise)
    return Axis(window.kernel_h, window.stride_h, window.padding.top)


def tile_geometry(graph: Graph, block: TileBlock, bands: int) -> PatchGeometry:
    """What each of ``bands`` needs of the block's tensors: bands of as many rows of the output, the last one
    perhaps of fewer, since rows of sums lie in a ring that begins anew with each."""
    needed, rows = needed_axis(block.depthwise), band_rows(graph, block, bands)
    source = spatial.extent(graph.tensors[block.source])
    height = spatial.extent(graph.output_of(block.last)).height
    made = tuple(Span(first, min(first + rows, height)) for first in range(0, height, rows))
    expanded = tuple(needed.input_span(band, source.height) for band in made)
    read = expanded
    if block.add is not None:
        read = tuple(need.hull(band) for need, band in zip(expanded, made, strict=True))
    behind = dict.fromkeys((op.outputs[0] for op in (block.depthwise, block.project, block.last)), made)
    spans = {block.source: read, block.expand.outputs[0]: expanded, **behind}
    columns: dict[int, tuple[Span, ...]] = {
        t: (Span(0, spatial.extent(graph.tensors[t]).width),) for t in spans
    }
    return PatchGeometry((len(made), 1), spans, columns)


def band_rows(graph: Graph, block: TileBlock, bands: int) -> int:
    """Rows of the output in each of ``bands`` but the last."""
    return -(-spatial.extent(graph.output_of(block.last)).height // bands)


def tile_calls(block: TileBlock, bands: Sequence[Span], chunk: int) -> list[Span]:
    """Output rows of every call of the depthwise convolution for one tile, in all bands together."""
    step = rows_at_once(block.depthwise, chunk)
    return [
        Span(first, min(first + step, band.end))
        for band in bands
        for first in range(band.first, band.end, step)
    ]


def expanding_calls(graph: Graph, block: TileBlock, bands: Sequence[Span], chunk: int) -> int:
    """How often a tile is expanded further: before those of ``tile_calls`` that need more rows."""
    axis, extent = needed_axis(block.depthwise), spatial.extent(graph.input_of(block.depthwise)).height
    count = 0
    for band in bands:
        made = axis.input_span(band, extent).first
        for call in tile_calls(block, [band], chunk):
            needed = axis.input_span(call, extent).end
            count += needed > made
            made = max(made, needed)
    return count


def tile_rows(graph: Graph, block: TileBlock, bands: Sequence[Span], chunk: int) -> dict[int, int]:
    """Rows for which there must be room, by tensor: those under the window of one call, those of one call,
    and, if an addition follows, the sums of the largest band."""
    axis, extent = needed_axis(block.depthwise), spatial.extent(graph.input_of(block.depthwise)).height
    calls = tile_calls(block, bands, chunk)
    rows = {
        block.expand.outputs[0]: max(axis.input_span(call, extent).size for call in calls),
        block.depthwise.outputs[0]: max(call.size for call in calls),
    }
    if block.add is not None:
        rows[block.project.outputs[0]] = max(band.size for band in bands)
    return rows


def tile_distance(
    graph: Graph, block: TileBlock, source: int, geometry: PatchGeometry, chunk: int
) -> int | None:
    """How many bytes before the block's input ``source`` its output must start; None: exactly on it.

    Rows of the output are written while the last tile of a band runs. D = max over rows y of (bytes written
    when y is) - (bytes of the input before the first row that is still read), at least 0 and aligned; where
    nothing is read any more the row does not count.
    """
    given, target = (spatial.extent(graph.tensors[t]) for t in (source, block.last.outputs[0]))
    pitch, out_pitch = given.width * given.channels, target.width * target.channels
    axis, bands = needed_axis(block.depthwise), geometry.rows[block.last.outputs[0]]
    distance, on_it = 0, block.add is not None
    for band, following in zip(bands, [*bands[1:], None], strict=True):
        later = axis.input_span(following, given.height).first if following else given.height
        for call in tile_calls(block, [band], chunk):
            unmade = axis.input_span(call, given.height).end if call.end < band.end else given.height
            still = min(later, unmade)
            for row in range(call.first, call.end):
                on_it = on_it and still > row
                limit = min(still, row) if block.add is not None else still
                if limit < given.height:
                    distance = max(distance, (row + 1) * out_pitch - limit * pitch)
    return None if on_it else align(distance)
