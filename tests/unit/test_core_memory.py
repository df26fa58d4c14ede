"""Accesses and liveness on the native core and its twin: addressing modes, values, never-written reads."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from core_bench import SRAM, SRAM_SIZE, STACK_TOP, Bench, Prefer, Program, build
from hypothesis import given, settings
from hypothesis import strategies as st
from unicorn import UcError

from mcusim.core.interface import MemoryCount, StrayRead

SNIPPETS = {
    # name: (code with R0 = start of SRAM, R1 = 8; touched bytes, end of the highest byte written)
    "immediate": ("str r1,[r0,#4]\nldr r2,[r0,#4]", 4, 8),
    "negative": ("add r2,r0,#16\nstr r1,[r2,#-8]", 4, 12),
    "pre": ("str r1,[r0,#12]!\nstrb r1,[r0]", 4, 16),
    "post": ("strh r1,[r0],#6\nstrb r1,[r0]", 3, 7),
    "index": ("str r1,[r0,r1]", 4, 12),
    "shifted": ("strb r1,[r0,r1,lsl #3]", 1, 65),
    "pair": ("strd r1,r1,[r0,#8]!\nldrd r2,r3,[r0],#-8\nstrb r1,[r0]", 9, 16),
    "many": ("stmia r0!,{r1-r3}\nstrb r1,[r0]", 13, 13),
    "many_down": ("adds r0,#32\nstmdb r0!,{r1-r3}\nldr r2,[r0]", 12, 32),
    "float": ("vstr s0,[r0,#4]\nvstmia r0!,{d1-d2}\nstrb r1,[r0]", 17, 17),
    "product": ("mul r2,r1,r1\nadd r2,r0\nstrb r1,[r2]\nmovs r2,#0", 1, 65),
    "masked": ("and r2,r1,#12\nstrb r1,[r0,r2]\nmovs r2,#0", 1, 9),
    "taken": ("cmp r1,#8\nit eq\nstreq r1,[r0]", 4, 4),
    "skipped": ("cmp r1,#8\nit ne\nstrne r1,[r0]", 0, 0),
    "flags_lost": ("cmp r1,#8\nite ne\nstrne r1,[r0]\nstreq r1,[r0,#8]\ncmp r1,#9", 4, 12),
    "reread": ("str r0,[r0,#4]\nldr r2,[r0,#4]\nstrb r1,[r2,#20]\nmovs r2,#0", 5, 21),
    "overwritten": (
        "str r0,[r0,#4]\nldr r2,[r0,#4]\nstrb r1,[r2,#20]\nmovs r2,#0\nstr r2,[r0,#4]",
        5,
        21,
    ),
    "sandwiched": (
        "str r0,[r0,#4]\nadd r3,r0,#4\nstrb r1,[r3,#16]\nldr r2,[r3]\n"
        "strb r1,[r2,#30]\nstr r1,[r3]\nmovs r2,#0",
        6,
        31,
    ),
    "exclusive": ("str r1,[r0]\nldrex r2,[r0]\nstrex r3,r1,[r0]", 4, 4),
    "refused": ("ldrex r2,[r0]\nclrex\nstrex r3,r1,[r0]\nstrb r1,[r0,r3,lsl #3]\nmovs r3,#0", 5, 9),
    "unaligned": ("str r1,[r0,#3]\nldrh r2,[r0,#5]", 4, 7),
    "table": ("movs r2,#0\ntbb [pc,r2]\n.byte 1,1\nstrb r1,[r0]", 1, 1),
}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """Every snippet as a function that uses no stack, and what the tests below call."""
    lines = [f"{name}:\n{code}\nbx lr\n.p2align 2" for name, (code, _, _) in SNIPPETS.items()]
    lines.append(
        """
churn:      movs r3,#100
            str r3,[r0,#200]
_churned:   str r3,[r0]
            ldr r2,[r0]
            subs r1,#1
            bne _churned
            ldr r3,[r0,#200]
            bx lr
faulting:   str r1,[r0]
            movs r2,#0x60000000
            str r1,[r2]
            str r1,[r0,#4]
            bx lr
stale:      ldr r2,[r0,#4]
            str r1,[r0,#4]
            ldrh r2,[r0,#6]
            bx lr
"""
    )
    return build("\n".join(lines), tmp_path_factory.mktemp("memory"))


@pytest.mark.parametrize("name", SNIPPETS)
def test_addressing_modes(program: Program, prefer: Prefer, name: str) -> None:
    _, touched, high_water = SNIPPETS[name]
    bench = Bench(program, prefer)
    for _ in range(3):  # callbacks that had to be installed first are there from the second time on
        bench.call(name, SRAM, 8)
        counts = bench.core.counts()
        assert (counts.memory.touched_bytes, counts.high_water) == (touched, (high_water,))
        assert counts.memory.lost_accesses == 0


def test_reads_of_what_was_never_written(program: Program, prefer: Prefer) -> None:
    bench = Bench(program, prefer)
    bench.call("stale", SRAM, 8)
    assert bench.core.counts().memory == MemoryCount(
        touched_bytes=4,
        live_peak_bytes=2,
        unread_bytes=2,
        unwritten=(StrayRead(bench.at("stale"), SRAM + 4, 1),),
        region_live_peaks=(2,),
        live=((0, 2),),
    )


def test_a_refused_access_is_not_counted(program: Program, prefer: Prefer) -> None:
    bench = Bench(program, prefer)
    with pytest.raises(UcError):
        bench.call("faulting", SRAM, 8)
    assert bench.core.counts().memory.touched_bytes == 4


def test_liveness_outlasts_millions_of_writes(program: Program) -> None:
    """The native core forgets times that can no longer be a peak, several times over."""
    bench = Bench(program, "native")
    writes = 10_000_000
    bench.call("churn", SRAM, writes)
    memory = bench.core.counts().memory
    assert (memory.touched_bytes, memory.live_peak_bytes, memory.unread_bytes) == (8, 8, 0)
    assert memory.live == ((0, 8),)


def test_no_banks_no_figures(program: Program, prefer: Prefer) -> None:
    bench = Bench(program, prefer)
    bench.core.begin(bench.at("immediate"), STACK_TOP, measure=False)
    bench.core.note(0, SRAM, 16, True)
    assert bench.core.counts().memory == MemoryCount(region_live_peaks=(0,), live=((0, 0),))


Note = tuple[bool, int, int]


def test_the_heap_takes_its_bytes_from_the_rest(program: Program, prefer: Prefer) -> None:
    bench = Bench(program, prefer, cuts=(0x100,))
    bench.begin("immediate")
    bench.core.set_heap(SRAM + 0x200, SRAM + 0x208)
    for first in (0, 0x1F8, 0x300):
        bench.core.note(0, SRAM + first, 16, True)
    bench.core.set_heap(SRAM + 0x208, SRAM + 0x304)
    for first in (0, 0x1F8, 0x300):
        bench.core.note(0, SRAM + first, 16, False)
    memory = bench.core.counts().memory
    assert (memory.region_live_peaks, memory.heap_live_peak_bytes) == ((16, 8 + 12), 8 + 4)
    assert memory.live_peak_bytes == 48


def _brute_force(notes: list[Note], cuts: Sequence[int]) -> MemoryCount:
    """Backwards: a byte is live before a read of it, up to the write behind which it is read."""
    live: set[int] = set()
    peak = unread = 0
    edges = [0, *cuts, SRAM_SIZE]
    peaks = [0] * (len(edges) - 1)
    for store, first, size in reversed(notes):
        span = set(range(first, first + size))
        if store:
            peak = max(peak, len(live))
            within = [sum(low <= byte < high for byte in live) for low, high in pairwise(edges)]
            peaks = [max(pair) for pair in zip(peaks, within, strict=True)]
            unread += len(span - live)
            live -= span
        else:
            written = {b for s, f, n in notes if s for b in range(f, f + n)}
            live |= span & written
    return MemoryCount(
        touched_bytes=len({b for _, f, n in notes for b in range(f, f + n)}),
        live_peak_bytes=peak,
        unread_bytes=unread,
        region_live_peaks=tuple(peaks),
        live=((0, peak),),
    )


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 40), st.integers(1, 12)), max_size=60),
    st.lists(st.integers(1, 300), unique=True, max_size=4).map(sorted),
)
def test_liveness_by_brute_force(program: Program, notes: list[Note], cuts: list[int]) -> None:
    """Everything is written once before, so that each read is of a value."""
    notes = [(True, 0, 64), *notes]
    expected = _brute_force(notes, cuts)
    for bench in (Bench(program, "native", cuts=cuts), Bench(program, "twin", cuts=cuts)):
        bench.begin("immediate")
        for store, first, size in notes:
            bench.core.note(0, SRAM + first, size, store)
        assert bench.core.counts().memory == expected
