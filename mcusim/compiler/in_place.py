"""Operators of streams that write over rows of their input: several rings in the bytes of one.

Output row y of a depthwise convolution of stride s with p rows of padding above it is written where input row
s y - p lay, which no later row needs; a 1x1 convolution, a sum or a product writes over the very row that it
is made of, a mean of every row over that row's first pixel. That is so if nothing else reads the input, and
if the output is used up before the ring comes to its rows again, which is played call by call.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from mcusim.compiler import spatial
from mcusim.compiler.lowering.types import LoweredOp
from mcusim.compiler.patches import PatchGeometry
from mcusim.compiler.rows import height, pull, ring_end, ring_rows, row_needs, rows_at_once
from mcusim.network.graph import Graph, Operator, OpKind, Padding, Window


class Places(NamedTuple):
    """Where rows lie in a ring: row y where row (y << ``shift``) - ``lag`` of the ring's own tensor does."""

    shift: int
    lag: int

    def of(self, row: int, capacity: int) -> int:
        """The row's place, of ``capacity``."""
        return ((row << self.shift) - self.lag) % capacity


OWN = Places(0, 0)
"""Of the tensor to which the ring belongs."""


@dataclass(frozen=True)
class SharedRing:
    """A ring in the bytes of that of tensor ``source``, whose capacity it has.

    Row y lies where row (y << ``shift``) - ``lag`` of ``source`` does. Rows of ``source`` have room for
    ``spare`` columns before them, with which this ring's rows begin: what is written stays behind what is
    still to be read. ``whole_rows``: none is needed, since a call reads all columns of some channels before
    it writes them.
    """

    source: int
    lag: int
    spare: int
    whole_rows: bool = False
    shift: int = 0

    @property
    def places(self) -> Places:
        return Places(self.shift, self.lag)


def shared_rings(
    graph: Graph,
    span: tuple[int, int],
    chunk: int,
    geometry: PatchGeometry,
    lowered: Mapping[int, LoweredOp],
) -> dict[int, SharedRing]:
    """The rings of a stream over the positions ``span``, both ends included, that share their bytes, by
    tensor. ``lowered``: kernels by operator index; nothing is shared where one is not known."""
    found: dict[int, SharedRing] = {}
    for position in range(span[0] + 1, span[1]):
        op = graph.operators[position]
        kernel = lowered.get(op.index)
        if kernel is None:
            continue
        ring = _over_window(graph, span[0], position, chunk, geometry, kernel)
        if ring is not None and ring.source in found:
            # Only what has bytes of its own holds others.
            ring = None
        for source in pixel_sources(graph, op) if ring is None and _reads_first(graph, op, kernel) else ():
            ring = ring or _over_pixels(graph, span[0], (source, op), chunk, geometry, found)
        if ring is not None:
            found[op.outputs[0]] = ring
    return found


def _over_window(
    graph: Graph, start: int, position: int, chunk: int, geometry: PatchGeometry, kernel: LoweredOp
) -> SharedRing | None:
    """The ring of a depthwise convolution's output in that of its input."""
    under = row_source(graph, position, chunk) if kernel.grouped_columns else None
    if under is None or under.maker < start:
        return None
    given, made = (geometry.columns[t] for t in (under.tensor, graph.operators[position].outputs[0]))
    widest = max(columns.size for columns in made)
    window = spatial.window_of(graph.operators[position])
    # Where the next strip begins to read, that many columns are behind those that are written.
    behind = (window.stride_w - 1) * kernel.grouped_columns
    spare = max(0, window.padding.left - behind) if widest > kernel.grouped_columns else 0
    channels = spatial.extent(graph.tensors[under.tensor]).channels
    costs = {spare: spare * under.rows * channels}
    if spare > 0 and kernel.whole_rows is not None:
        widths = max(columns.size for columns in given), widest
        at_once = kernel.whole_rows(rows_at_once(graph.operators[position], chunk))
        costs[0] = at_once.scratch_in_stream(*widths) - kernel.scratch_in_stream(*widths)
    least = min(costs, key=lambda columns: costs[columns])
    fits = all(b.size <= a.size + least for a, b in zip(given, made, strict=True))
    saves = costs[least] < widest * under.own_rows * channels
    if not fits or not saves:
        return None
    shift, lag = under.places
    return SharedRing(under.tensor, lag, least, whole_rows=least < spare, shift=shift)


def _over_pixels(
    graph: Graph,
    start: int,
    pair: tuple[int, Operator],
    chunk: int,
    geometry: PatchGeometry,
    found: Mapping[int, SharedRing],
) -> SharedRing | None:
    """The ring of what the operator of ``pair`` makes over the pixels of the tensor, of which it is made and
    which may lie in another ring itself."""
    source, op = pair
    target = op.outputs[0]
    ring = found.get(source, SharedRing(source, 0, 0))
    same = geometry.columns[source] == geometry.columns[target]
    if _maker(graph, ring.source) < start or not (same or spatial.averages_columns(graph, op)):
        return None
    others = {tensor: other.places for tensor, other in found.items() if other.source == ring.source}
    members = ((ring.source, OWN), *others.items(), (target, ring.places))
    return ring if _play_together(graph, members, chunk) else None


def _reads_first(graph: Graph, op: Operator, kernel: LoweredOp) -> bool:
    """Whether the kernel may write over the pixels that it reads; that of a mean reads a row of some channels
    before it writes these."""
    if spatial.averages_columns(graph, op):
        return True
    return kernel.alias_ok if op.kind in spatial.ELEMENTWISE else kernel.pixels_at_once > 0


def pixel_sources(graph: Graph, op: Operator) -> Iterator[int]:
    """Inputs that nothing else reads, of as many pixels, if the operator makes each pixel of theirs alone; of
    a mean of every row its input."""
    if spatial.averages_columns(graph, op) and len(_readers(graph, op.inputs[0])) == 1:
        yield op.inputs[0]
    if op.kind is OpKind.CONV_2D and not _is_pixel(spatial.window_of(op)):
        return
    if op.kind is not OpKind.CONV_2D and op.kind not in spatial.ELEMENTWISE:
        return
    made = spatial.extent(graph.output_of(op))
    for source in spatial.activations(graph, op):
        given = spatial.extent(graph.tensors[source])
        same = (given.height, given.width) == (made.height, made.width)
        if same and given.channels >= made.channels and len(_readers(graph, source)) == 1:
            yield source


class RowSource(NamedTuple):
    """The position that makes ``tensor``, the rows of its ring and of the one that it would save, and where
    rows would lie."""

    tensor: int
    maker: int
    rows: int
    own_rows: int
    places: Places


@functools.lru_cache(maxsize=4096)
def row_source(graph: Graph, position: int, chunk: int) -> RowSource | None:
    """The tensor whose rows the operator at ``position`` may write its own over in a stream that makes both;
    None if there is none."""
    op = graph.operators[position]
    window = spatial.window_of(op)
    if not spatial.keeps_channels(graph, op) or window.stride_h not in (1, 2) or window.dilation_h != 1:
        return None
    source, target = op.inputs[0], op.outputs[0]
    if source in graph.inputs or _readers(graph, source) != [position]:
        return None
    first = _maker(graph, source)
    rows, own_rows = ring_rows(graph, first, chunk), ring_rows(graph, position, chunk)
    if rows is None or own_rows is None:
        return None
    places = Places(window.stride_h - 1, window.padding.top)
    members = (source, OWN), (target, places)
    return RowSource(source, first, rows, own_rows, places) if _play_together(graph, members, chunk) else None


@functools.lru_cache(maxsize=4096)
def _play_together(graph: Graph, members: tuple[tuple[int, Places], ...], chunk: int) -> bool:
    """Whether whatever is read of tensors in the ring of the first of ``members`` is still there, in a stream
    that makes them all. What reads the others must do without rows of padding, for which there is no place in
    the ring."""
    places = dict(members)
    makers = [_maker(graph, tensor) for tensor in places]
    ends = [ring_end(graph, maker) for maker in makers]
    capacity = ring_rows(graph, makers[0], chunk)
    readers = (graph.operators[reader] for tensor, _ in members[1:] for reader in _readers(graph, tensor))
    if capacity is None or None in ends or any(_pads_rows(graph, reader) for reader in readers):
        return False
    last = max(end for end in ends if end is not None)
    held: dict[int, tuple[int, int]] = {}
    for call in pull(graph, graph.operators[makers[0] : last + 1], chunk):
        caller = graph.operators[makers[0] + call.step]
        for tensor, row in _rows_read(graph, caller, call.first, call.end):
            if tensor in places and held.get(places[tensor].of(row, capacity)) != (tensor, row):
                return False
        made = caller.outputs[0]
        if made in places:
            written = range(call.first, call.end)
            held.update({places[made].of(row, capacity): (made, row) for row in written})
    return True


def _pads_rows(graph: Graph, op: Operator) -> bool:
    window = spatial.window_in(graph, op)
    return not spatial.pools_all(graph, op) and (window.padding.top, window.padding.bottom) != (0, 0)


def _rows_read(graph: Graph, op: Operator, first: int, end: int) -> Iterator[tuple[int, int]]:
    for tensor in spatial.activations(graph, op):
        needs = row_needs(graph, op, tensor)
        rows = range(int(needs.still[first]), min(int(needs.until[end]), height(graph, tensor)))
        yield from ((tensor, row) for row in rows)


def _is_pixel(window: Window) -> bool:
    """Whether an output pixel is made of the input's pixel at its place."""
    strides = window.stride_h, window.stride_w
    return (window.kernel_h, window.kernel_w) == strides == (1, 1) and window.padding == Padding()


def _readers(graph: Graph, tensor: int) -> list[int]:
    return [position for position, op in enumerate(graph.operators) if tensor in op.inputs]


def _maker(graph: Graph, tensor: int) -> int:
    """The position that makes ``tensor``; -1 for the network's inputs."""
    return next((p for p, op in enumerate(graph.operators) if tensor in op.outputs), -1)
