"""Exact receptive fields: which part of every tensor of a stage one patch of its output needs.

Rows and columns are separable, so a stage of R x C patches is described by R row spans and C column
spans per tensor. Spans are clipped at the tensor's true borders, where padding begins; a tensor with
several consumers in the stage (a residual's source) holds the hull of what they need.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import NamedTuple

from mcusim.compiler import spatial
from mcusim.network.graph import Graph, Operator, Tensor, Window


class Span(NamedTuple):
    """Rows (or columns) first <= y < end of a tensor."""

    first: int
    end: int

    @property
    def size(self) -> int:
        return self.end - self.first

    def hull(self, other: Span) -> Span:
        return Span(min(self.first, other.first), max(self.end, other.end))


@dataclass(frozen=True)
class Axis:
    """How an operator's window moves along one axis."""

    kernel: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1

    def input_span(self, out: Span, extent: int) -> Span:
        """The span of input positions within [0, extent) that the output positions ``out`` read.

        Where a dilated window's gap lies on the border, a position more than the taps need.
        """
        first = out.first * self.stride - self.padding
        end = (out.end - 1) * self.stride - self.padding + (self.kernel - 1) * self.dilation + 1
        first = min(max(first, 0), extent)
        return Span(first, max(first, min(end, extent)))


def split(extent: int, parts: int) -> tuple[Span, ...]:
    """``extent`` cut as evenly as possible: boundary i lies at floor(i * extent / parts)."""
    bounds = [i * extent // parts for i in range(parts + 1)]
    return tuple(Span(first, end) for first, end in pairwise(bounds))


@dataclass(frozen=True)
class PatchGeometry:
    """``rows[t][r]`` and ``columns[t][c]``: the part of tensor t that exists for patch (r, c)."""

    grid: tuple[int, int]
    rows: dict[int, tuple[Span, ...]]
    columns: dict[int, tuple[Span, ...]]

    def pixels(self, tensor: int) -> int:
        """Pixels of a tensor computed over all patches together, overlaps counted as often as computed."""
        return sum(s.size for s in self.rows[tensor]) * sum(s.size for s in self.columns[tensor])

    def largest(self, tensor: int) -> int:
        """Pixels of the largest patch of a tensor."""
        return max(s.size for s in self.rows[tensor]) * max(s.size for s in self.columns[tensor])


def row_axis(window: Window) -> Axis:
    """A window along the rows."""
    return Axis(window.kernel_h, window.stride_h, window.padding.top, window.dilation_h)


def column_axis(window: Window) -> Axis:
    """A window along the columns."""
    return Axis(window.kernel_w, window.stride_w, window.padding.left, window.dilation_w)


def patch_geometry(graph: Graph, operators: Sequence[Operator], grid: tuple[int, int]) -> PatchGeometry:
    """What each patch of the output of the last of ``operators`` needs of every tensor of the stage,
    the stage's inputs included. Every operator must be spatial."""
    output = operators[-1].outputs[0]
    size = spatial.extent(graph.tensors[output])
    rows = [_needs(graph, operators, span, vertical=True) for span in split(size.height, grid[0])]
    columns = [_needs(graph, operators, span, vertical=False) for span in split(size.width, grid[1])]
    return PatchGeometry(
        grid=grid,
        rows={t: tuple(need[t] for need in rows) for t in rows[0]},
        columns={t: tuple(need[t] for need in columns) for t in columns[0]},
    )


def _needs(graph: Graph, operators: Sequence[Operator], out: Span, *, vertical: bool) -> dict[int, Span]:
    needs = {operators[-1].outputs[0]: out}
    for op in reversed(operators):
        window = spatial.window_in(graph, op)
        axis = row_axis(window) if vertical else column_axis(window)
        produced, pixel = needs[op.outputs[0]], spatial.pixel_operand(graph, op)
        for index in spatial.activations(graph, op):
            extent = _extent_along(graph.tensors[index], vertical)
            span = Span(0, 1) if index == pixel else axis.input_span(produced, extent)
            needs[index] = needs[index].hull(span) if index in needs else span
    return needs


def _extent_along(tensor: Tensor, vertical: bool) -> int:
    size = spatial.extent(tensor)
    return size.height if vertical else size.width


def patch_distance(graph: Graph, operators: Sequence[Operator], source: int, geometry: PatchGeometry) -> int:
    """How many bytes before a whole input ``source`` the whole output of a patch stage must start, so that no
    patch is written over pixels that it or a later patch still reads.

    D = max over patches of (end of what is written of the output when the patch is done) - (first byte of
    ``source`` that is read by then later); what only the patch itself reads counts if its last operator reads
    it, since all others are done before anything is written.
    """
    last = operators[-1]
    output = spatial.extent(graph.tensors[last.outputs[0]])
    given = spatial.extent(graph.tensors[source])
    patches = list(product(range(geometry.grid[0]), range(geometry.grid[1])))
    needed, distance = given.bytes, 0
    for row, column in reversed(patches):
        rows, columns = geometry.rows[source][row], geometry.columns[source][column]
        first = (rows.first * given.width + columns.first) * given.channels
        read = min(needed, first)
        end = (geometry.rows[last.outputs[0]][row].end - 1) * output.width
        end += geometry.columns[last.outputs[0]][column].end
        still = read if source in last.inputs else needed
        if still < given.bytes:
            distance = max(distance, end * output.channels - still)
        needed = read
    return distance
