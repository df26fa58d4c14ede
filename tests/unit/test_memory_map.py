"""Whose data lies where: found by comparing memory at layer boundaries, drawn as blocks."""

from __future__ import annotations

from xml.etree import ElementTree

import example_trace
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcusim.chips import Region
from mcusim.machine.memory import Bank
from mcusim.profile import LayerMark
from mcusim.profile.memory_map import MemoryMap
from mcusim.report import memory_map
from mcusim.trace import MemorySpan

START, SIZE, PIECE = 0x2000_0000, 1024, 16
A, B = 0x0800_0100, 0x0800_0200
MARKS = (
    LayerMark(index=0, name="a", op="CONV_2D", symbol="a", start=A),
    LayerMark(index=3, name="b", op="ADD", symbol="b", start=B),
)
SVG = "{http://www.w3.org/2000/svg}"


def bank() -> Bank:
    region = Region(name="sram", kind="sram", start=START, size=SIZE, access="rw", aliases=(), source="")
    return Bank(region, memoryview(bytearray(SIZE)))


def span(piece: int, pieces: int, start: int, end: int, layer: int) -> MemorySpan:
    return MemorySpan(address=START + piece * PIECE, bytes=pieces * PIECE, start=start, end=end, layer=layer)


def test_a_piece_belongs_to_the_layer_that_wrote_it_last() -> None:
    memory = bank()
    found = MemoryMap([memory], MARKS)
    memory.view[0:16] = b"i" * 16
    found.entered(A, 10)
    memory.view[32:80] = b"a" * 48
    found.returned(A, 100)
    found.entered(B, 105)
    memory.view[64:72] = b"b" * 8
    memory.view[96] = 1
    found.returned(B, 300)
    assert found.finish(310) == (
        span(0, 1, 0, 310, -1),
        span(2, 2, 10, 310, 0),
        span(4, 1, 10, 105, 0),
        span(4, 1, 105, 310, 1),
        span(6, 1, 105, 310, 1),
    )


def test_a_layer_that_comes_again_keeps_what_it_has() -> None:
    memory = bank()
    found = MemoryMap([memory], MARKS)
    for begin in (10, 50):
        found.entered(A, begin)
        memory.view[0:16] = bytes([begin]) * 16
        found.returned(A, begin + 20)
    assert found.finish(90) == (span(0, 1, 10, 90, 0),)


def test_functions_that_are_no_layers_are_passed_over() -> None:
    memory = bank()
    found = MemoryMap([memory], MARKS)
    found.entered(0x0800_0900, 5)
    memory.view[0] = 1
    found.returned(0x0800_0900, 9)
    assert found.finish(20) == (span(0, 1, 0, 20, -1),)


STEPS = st.lists(
    st.tuples(st.sampled_from((A, B)), st.integers(0, 63), st.integers(1, 8), st.integers(1, 50)), max_size=12
)


@given(STEPS)
def test_spans_cover_every_written_piece_once_at_every_time(steps: list[tuple[int, int, int, int]]) -> None:
    memory = bank()
    found = MemoryMap([memory], MARKS)
    expected = np.full((64, 1000), -2)
    cycles = 0
    for filling, (function, first, pieces, length) in enumerate(steps, start=1):
        found.entered(function, cycles)
        last = min(first + pieces, 64)
        memory.view[first * PIECE : last * PIECE] = bytes([filling]) * ((last - first) * PIECE)
        expected[first:last, cycles:] = (A, B).index(function)
        cycles += length
        found.returned(function, cycles)
    drawn = np.full((64, 1000), -2)
    for one in found.finish(cycles):
        rows = slice((one.address - START) // PIECE, (one.address - START + one.bytes) // PIECE)
        assert (drawn[rows, one.start : one.end] == -2).all()
        drawn[rows, one.start : one.end] = one.layer
    assert (drawn[:, :cycles] == expected[:, :cycles]).all()


def test_the_picture_has_a_block_a_span() -> None:
    spans = (
        MemorySpan(address=START, bytes=1024, start=0, end=1_000_000, layer=-1),
        MemorySpan(address=START + 1024, bytes=31 * 1024, start=250_000, end=500_000, layer=1),
    )
    root = ElementTree.fromstring(memory_map.picture([example_trace.changed(memory_map=spans)]))
    outside, block = root.iter(f"{SVG}rect")
    assert outside.get("class") == "outside"
    width, height = float(block.get("width", "")), float(block.get("height", ""))
    assert width == pytest.approx(float(outside.get("width", "")) / 4, rel=0.01)
    assert height == pytest.approx(31 * float(outside.get("height", "")), rel=0.01)
    assert float(block.get("y", "")) < float(outside.get("y", ""))
    assert block.findtext(f"{SVG}title") == "#3 FULLY_CONNECTED: 31.0 KiB at 0x20000400"
    assert "#3" in [text.text for text in root.iter(f"{SVG}text")]


def test_without_a_map_there_is_no_picture() -> None:
    assert memory_map.picture([example_trace.trace()]) == ""
