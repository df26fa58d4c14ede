"""The map of SRAM over time on the native core and its twin: who wrote where, and what was alive when."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from core_bench import SRAM, SRAM_SIZE, STACK_TOP, Bench, Prefer, Program, build
from hypothesis import given, settings
from hypothesis import strategies as st

from mcusim.core.interface import MemoryMap, Watch

COLUMNS, ROW_BYTES, FIRST_WIDTH = 512, 64, 64
NOBODY, OUTSIDE, FIRST_LAYER = 0, 1, 2

PROGRAM = """
place:      nop
            bx lr
outer:      push {r4, lr}
            str r1,[r0]
            bl inner
            str r1,[r0,#128]
            pop {r4, pc}
inner:      str r1,[r0,#64]
            bx lr
churn:      str r1,[r0,#128]
_churned:   str r1,[r0]
            ldr r2,[r0]
            subs r1,#1
            bne _churned
            ldr r2,[r0,#128]
            bx lr
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    return build(PROGRAM, tmp_path_factory.mktemp("map"))


def cells(found: MemoryMap | None) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
    """Rows to their owners and to their masks, by column."""
    assert found is not None
    shape = (len(found.rows), found.columns)
    owners = np.frombuffer(found.owners, np.int16).reshape(shape).tolist()
    alive = np.frombuffer(found.alive, np.uint64).reshape(shape).tolist()
    return dict(zip(found.rows, owners, strict=True)), dict(zip(found.rows, alive, strict=True))


Note = tuple[int, bool, int, int]
"""Cycles that go by before, whether it is a store, first byte, bytes."""


def _width(cycles: int) -> int:
    width = FIRST_WIDTH
    while cycles >= COLUMNS * width:
        width *= 2
    return width


def _brute_force(notes: list[Note]) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
    width = _width(sum(note[0] for note in notes))
    columns = sum(note[0] for note in notes) // width + 1
    owners: dict[int, list[int]] = defaultdict(lambda: [NOBODY] * columns)
    alive: dict[int, list[int]] = defaultdict(lambda: [0] * columns)
    written: dict[int, int] = {}
    column = cycles = 0
    for passed, store, first, size in notes:
        cycles += passed
        column = cycles // width
        for byte in range(first, first + size):
            row, bit = divmod(byte, ROW_BYTES)
            if store:
                written[byte] = column
                owners[row][column] = OUTSIDE
                alive[row][column] |= 0
            elif byte in written:
                for lived in range(written[byte], column + 1):
                    alive[row][lived] |= 1 << bit
    return dict(owners), dict(alive)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.integers(0, 100), st.integers(0, 40_000)),
            st.booleans(),
            st.integers(0, 200),
            st.integers(1, 100),
        ),
        max_size=40,
    )
)
def test_cells_by_brute_force(program: Program, notes: list[Note]) -> None:
    expected = _brute_force(notes)
    for bench in (Bench(program, "native"), Bench(program, "twin")):
        bench.begin("place")
        for cycles, store, first, size in notes:
            bench.core.jump(bench.at("place") + 2, cycles)
            bench.core.note(0, SRAM + first, size, store)
        assert cells(bench.core.counts().memory_map) == expected


def test_a_cell_belongs_to_the_innermost_layer_that_wrote_last(program: Program, prefer: Prefer) -> None:
    bench = Bench(program, prefer, {"outer": Watch.LAYER, "inner": Watch.LAYER})
    bench.call("outer", SRAM, 8)
    found = bench.core.counts().memory_map
    assert found is not None
    assert found.layers == (bench.at("outer"), bench.at("inner"))
    owners, _ = cells(found)
    stack = (SRAM_SIZE - 8) // ROW_BYTES
    outer, inner = FIRST_LAYER, FIRST_LAYER + 1
    assert {row: max(of) for row, of in owners.items()} == {0: outer, 1: inner, 2: outer, stack: outer}


def test_times_that_were_forgotten_keep_their_columns(program: Program) -> None:
    """Millions of writes make the native core drop times, and merge columns, several times over."""
    bench = Bench(program, "native")
    bench.call("churn", SRAM, 6_000_000)
    counts = bench.core.counts()
    assert counts.memory_map is not None
    assert counts.memory_map.width == _width(counts.cycles)
    owners, alive = cells(counts.memory_map)
    assert set(alive[0]) == {0b1111}  # written and read again in every column
    assert set(alive[2]) == {0b1111}  # written at the start, read at the end
    assert set(owners[0]) == {OUTSIDE}
    assert owners[2] == [OUTSIDE] + [NOBODY] * (len(owners[2]) - 1)


def test_no_map_without_measuring(program: Program, prefer: Prefer) -> None:
    bench = Bench(program, prefer)
    bench.core.begin(bench.at("place"), STACK_TOP, measure=False)
    bench.core.note(0, SRAM, 16, True)
    assert cells(bench.core.counts().memory_map) == ({}, {})
