"""How far depthwise outputs run ahead of inputs, against memory in which every pixel knows who lies there."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from mcusim.compiler.distances import grouped_distance
from mcusim.network.graph import Padding, Window


@dataclass(frozen=True)
class Case:
    window: Window
    source: tuple[int, int]
    target: tuple[int, int]
    columns: int
    rows: int

    def taps(self, x: int, *, vertical: bool) -> range:
        """Rows or columns of the input under an output's window, those outside left out."""
        window, pad = self.window, self.window.padding
        kernel, stride, before, extent = (
            (window.kernel_h, window.stride_h, pad.top, self.source[0])
            if vertical
            else (window.kernel_w, window.stride_w, pad.left, self.source[1])
        )
        first = x * stride - before
        return range(max(first, 0), min(first + kernel, extent))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    kernel, stride = draw(st.sampled_from([3, 5, 7])), draw(st.sampled_from([1, 2]))
    before, after = (draw(st.integers(0, kernel // 2)) for _ in range(2))
    source = tuple(draw(st.integers(max(1, kernel - before - after), 14)) for _ in range(2))
    height, width = ((size + before + after - kernel) // stride + 1 for size in source)
    window = Window(kernel, kernel, stride, stride, Padding(before, after, before, after))
    return Case(
        window,
        (source[0], source[1]),
        (height, width),
        draw(st.sampled_from([3, 5, 24])),
        draw(st.integers(1, 2)),
    )


def survives(case: Case, distance: int) -> bool:
    """Whether every pixel that a block reads is still the input's, for one group of channels."""
    memory = {place: place for place in range(case.source[0] * case.source[1])}
    height, width = case.target
    for top in range(0, height, case.rows):
        made = range(top, min(top + case.rows, height))
        for left in range(0, width, case.columns):
            block = [(y, x) for y in made for x in range(left, min(left + case.columns, width))]
            for y, x in block:
                for row in case.taps(y, vertical=True):
                    for column in case.taps(x, vertical=False):
                        place = row * case.source[1] + column
                        if memory[place] != place:
                            return False
            memory.update({y * width + x - distance: -1 for y, x in block})
    return True


@given(cases())
def test_outputs_lie_on_no_pixel_that_a_later_block_reads(case: Case) -> None:
    distance = grouped_distance(case.window, case.source, case.target, case.columns, case.rows)
    assert survives(case, distance)
    assert survives(case, distance + 1)


@given(st.sampled_from([3, 5, 7]), st.integers(4, 14), st.integers(1, 24))
def test_rows_in_one_block_lie_on_the_first_that_they_are_made_of(
    kernel: int, height: int, width: int
) -> None:
    """The rows above the middle of the window lie between, and one pixel less would destroy what is read."""
    pad, size = kernel // 2, (height, width)
    case = Case(Window(kernel, kernel, 1, 1, Padding(pad, pad, pad, pad)), size, size, 24, 1)
    distance = grouped_distance(case.window, size, size, 24, 1)
    assert distance == pad * width
    assert not survives(case, distance - 1)
