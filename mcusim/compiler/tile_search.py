"""Inverted residual blocks and heads in channel tiles, as pieces of a schedule: tiles and bands to try."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mcusim.compiler import spatial
from mcusim.compiler.pieces import Piece, PieceSearch
from mcusim.compiler.rows import align
from mcusim.compiler.schedule import Stage
from mcusim.compiler.stages import TileStage, head_stage, sums_bytes, tile_stage
from mcusim.compiler.tiles import CHANNEL_BLOCK, TileBlock, expanded_channels, tile_block, tile_head
from mcusim.errors import ScheduleError
from mcusim.network.graph import Graph

TILES = (2, 3, 4, 6, 8, 12, 16, 24)
"""Numbers of tiles that a search tries."""

WHOLE_LOOP = 16
"""Channels of a tile are a multiple of it where there are many: those of a whole loop of the kernels."""

BAND_ROWS = (1, 2, 3, 4, 6, 8, 12)
"""Rows of a band that a search tries, besides all of them."""

SUMMING_KERNEL = "mcu_conv_1x1"
"""Of projections whose sums may be taken apart."""


def tile_pieces(graph: Graph, search: PieceSearch) -> list[Piece]:
    """Every block in tiles, with its addition or without, that needs fewer bytes than the whole network layer
    by layer, and is not beaten by another of the block's in all respects. ``search`` is that of ``graph``."""
    found: list[Piece] = []
    for first in range(len(graph.operators)):
        found += _best(_heads(graph, search, first))
        for count in (3, 4):
            block = _block(graph, first, first + count - 1)
            if block is not None and _has_sums(search, block):
                pieces = _pieces(graph, search, first, block)
                found += _best(pieces)
    return found


def _heads(graph: Graph, search: PieceSearch, first: int) -> Iterator[Piece]:
    operators = graph.operators[first : first + 2]
    if len(operators) < 2 or not search.known.lowered:
        return
    if spatial.live_behind(graph, first, first + 1) != set(operators[-1].outputs):
        return
    try:
        head = tile_head(graph, operators)
    except ScheduleError:
        return
    width = graph.tensors[head.expand.inputs[0]].shape[2]
    scratch = search.known.lowered[head.expand.index].scratch_in_stream(width, width)
    for channels in _tiles(expanded_channels(graph, head.expand)):
        stage = head_stage(graph, first, operators, channels)
        rings = align(stage.buffer_bytes(graph, head.expand.outputs[0]))
        needed = search.bytes_beside(stage) + rings + align(scratch + sums_bytes(graph, stage))
        if needed < search.most:
            yield search.piece(stage, needed, bands=1, channels=channels)


def _block(graph: Graph, first: int, last: int) -> TileBlock | None:
    """The block of positions ``first`` to ``last``, if they are one and leave nothing else behind."""
    operators = graph.operators[first : last + 1]
    if len(operators) <= last - first:
        return None
    if spatial.live_behind(graph, first, last) != set(operators[-1].outputs):
        return None
    try:
        return tile_block(graph, operators)
    except ScheduleError:
        return None


def _has_sums(search: PieceSearch, block: TileBlock) -> bool:
    lowered = search.known.lowered
    known = all(op.index in lowered for op in (block.expand, block.depthwise, block.project))
    return known and lowered[block.project.index].kernel == SUMMING_KERNEL


def _pieces(graph: Graph, search: PieceSearch, first: int, block: TileBlock) -> Iterator[Piece]:
    pairs = spatial.window_of(block.depthwise).stride_h == 1
    operators = graph.operators[first : first + (3 if block.add is None else 4)]
    for bands in _bands(spatial.extent(graph.output_of(block.last)).height):
        for channels in _tiles(expanded_channels(graph, block.expand)):
            for chunk in (1, 2) if pairs else (1,):
                wanted = Stage(first=0, last=0, mode="ctile", channels=channels, bands=bands, chunk=chunk)
                stage = tile_stage(graph, first, operators, wanted)
                rings = sum(align(stage.buffer_bytes(graph, tensor)) for tensor in stage.rings)
                needed = search.bytes_beside(stage) + rings + align(_scratch_bytes(graph, search, stage))
                if needed < search.most:
                    yield search.piece(stage, needed, bands=bands, channels=channels)


def _scratch_bytes(graph: Graph, search: PieceSearch, stage: TileStage) -> int:
    """As the kernels of the undivided operators take it, but for the projection's narrower inputs."""
    block, lowered = stage.block, search.known.lowered
    source, target = (graph.tensors[t].shape[2] for t in (block.source, block.last.outputs[0]))
    project = 2 * max(tile.size for tile in stage.tiles) * min(target, 2)
    expand = lowered[block.expand.index].scratch_in_stream(source, source)
    depthwise = lowered[block.depthwise.index].scratch_in_stream(source, target)
    return max(project, expand, depthwise) + sums_bytes(graph, stage)


def _tiles(channels: int) -> list[int]:
    """Channels of a tile, in whole blocks."""
    step = WHOLE_LOOP if channels >= 4 * WHOLE_LOOP else CHANNEL_BLOCK
    sizes = {-(-channels // (step * count)) * step for count in TILES}
    return sorted(size for size in sizes if size < channels)


def _bands(height: int) -> list[int]:
    return sorted({-(-height // rows) for rows in (*BAND_ROWS, height) if rows <= height})


def _best(pieces: Iterable[Piece]) -> list[Piece]:
    """Those that no other beats in bytes, cycles and MACs."""
    kept: list[Piece] = []
    for piece in sorted(pieces, key=lambda piece: (piece.bytes, piece.cycles, piece.macs)):
        if all(piece.cycles < other.cycles or piece.macs < other.macs for other in kept):
            kept.append(piece)
    return kept
