"""How far a depthwise convolution's output must run ahead of its input if the kernel works group by group.

Such a kernel takes a block of columns, and of that some channels at a time: it reads all of them that the
block needs, in all rows of the call, before it writes their outputs. Where channels lie under the same
channels, it may therefore write over what the block itself reads, but over nothing that a later block or call
does.
"""

from __future__ import annotations

from mcusim.compiler.patches import Axis, Span, column_axis, row_axis
from mcusim.network.graph import Window


def grouped_distance(
    window: Window, source: tuple[int, int], target: tuple[int, int], columns: int, rows: int
) -> int:
    """Pixels by which the output must start before its input: exactly so many, or whole pixels more.

    ``source`` and ``target``: rows and columns of input and output; a call makes ``rows`` rows, in blocks of
    ``columns`` from left to right. D is the maximum over blocks of (end of what is written when the block is
    done) - (first pixel that a later one reads), at least 0.
    """
    vertical, horizontal = row_axis(window), column_axis(window)
    height, width = target
    distance = 0
    for first in range(0, height, rows):
        end = min(first + rows, height)
        top = vertical.input_span(Span(first, end), source[0]).first * source[1]
        for edge in range(columns, width, columns):
            left = _first_needed(horizontal, edge, width, source[1])
            distance = max(distance, (end - 1) * width + edge - top - left)
        if end < height:
            distance = max(
                distance, end * width - _first_needed(vertical, end, height, source[0]) * source[1]
            )
    return distance


def _first_needed(axis: Axis, first: int, end: int, extent: int) -> int:
    """The first input position that the output positions from ``first`` on read."""
    return axis.input_span(Span(first, end), extent).first
