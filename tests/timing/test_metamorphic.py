"""Changes of code whose effect on cycles is known without knowing the cycles."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from assembler import ORIGIN, assemble
from core_bench import Bench, Program, build
from hypothesis import given, settings
from hypothesis import strategies as st
from random_programs import programs

from mcusim.core.interface import Counts, Stop
from mcusim.timing.model import TimingModel
from mcusim.timing.pipeline import VARIANTS

INSTRUCTIONS = (
    "adds r0,r0,#1",
    "ldr r1,[r2]",
    "str r3,[r4]",
    "str r3,[r4,r5]",
    "muls r5,r6",
    "lsls r0,r1,#3",
    "ldmia r2!,{r0,r1,r3}",
    "push {r0-r3}",
    "add.w r8,r9,r10",
    "ldr.w r8,[r2]",
    "str.w r8,[r4]",
    "ldr r8,[r2],#4",
    "smlad r0,r1,r2,r3",
    "umull r0,r1,r2,r3",
    "ldrd r0,r1,[r2]",
    "udiv r0,r1,r2",
    "vldr s0,[r2]",
    "vadd.f32 s1,s0,s2",
    "vfma.f32 s3,s1,s1",
    "vmov s4,s5,r0,r1",
)
PADDINGS = ("mov r11,r11\nmov r11,r11", "mov.w r11,r11")
"""Four bytes each, so that every alignment stays; a NOP might fill a load (rule 16)."""

BRANCH = "b.n ."
BODY = st.lists(st.integers(0, len(INSTRUCTIONS) - 1), min_size=1, max_size=30)
IN_FLASH = st.sampled_from([0x1000, 0x1002])
BASES = st.sampled_from([0x1000, 0x1002, 0x20000000, 0x20000002])
VARIANT = st.sampled_from(sorted(VARIANTS))
WITHOUT_BLOCKS = st.sampled_from(sorted(name for name in VARIANTS if not VARIANTS[name].blocked))
"""Where the fetch unit is kept from some cycles, other code may meet them by better luck: padding saves a
cycle in one of some hundred programs. For the same reason that property is asked of code in flash alone: in
SRAM data keep fetches from the bus (rule 22)."""


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Every instruction by itself."""
    texts = (*INSTRUCTIONS, *PADDINGS, BRANCH)
    lines = "".join(f"_{i}: {text}\n" for i, text in enumerate(texts))
    code, symbols = assemble(lines + "_end:\n", tmp_path_factory.mktemp("metamorphic"))
    places = [symbols[f"_{i}"] - ORIGIN for i in range(len(texts))] + [symbols["_end"] - ORIGIN]
    return {text: code[places[i] : places[i + 1]] for i, text in enumerate(texts)}


@settings(max_examples=200, deadline=None)
@given(BODY, BASES, VARIANT, st.integers(1, 1000))
def test_shifting_a_run_by_words_changes_nothing(
    encoded: dict[str, bytes], body: list[int], base: int, variant: str, words: int
) -> None:
    code = b"".join(encoded[INSTRUCTIONS[i]] for i in body) + encoded[BRANCH]
    model = TimingModel(variant)
    assert model.cost(code, base).instruction_cycles == model.cost(code, base + 4 * words).instruction_cycles


@settings(max_examples=400, deadline=None)
@given(BODY, IN_FLASH, WITHOUT_BLOCKS, st.integers(0, 30), st.sampled_from(PADDINGS))
def test_padding_that_keeps_every_alignment_saves_no_cycles(
    encoded: dict[str, bytes], body: list[int], base: int, variant: str, place: int, padding: str
) -> None:
    parts = [encoded[INSTRUCTIONS[i]] for i in body]
    padded = [*parts[:place], encoded[padding], *parts[place:]]
    model = TimingModel(variant)
    plain, more = (model.cost(b"".join([*p, encoded[BRANCH]]), base).cycles for p in (parts, padded))
    assert plain <= more


def _counts(program: Program) -> Counts:
    bench = Bench(program, "native", cycle_limit=10**6)
    bench.call("f0")
    assert bench.core.stop_state().stop in (Stop.RETURNED, Stop.CYCLES)
    return bench.core.counts()


@settings(max_examples=5, deadline=None)
@given(programs())
def test_shifting_a_whole_program_by_a_word_changes_nothing(text: str) -> None:
    with TemporaryDirectory() as folder:
        here = build(text, Path(folder))
        shifted = build(f"_pad: .space 4\n{text}", Path(folder))
    assert shifted.symbols["f0"] == here.symbols["f0"] + 4
    before, after = _counts(here), _counts(shifted)
    assert (before.cycles, before.instructions) == (after.cycles, after.instructions)
    assert [(run.start + 4, run.count) for run in before.runs] == [(r.start, r.count) for r in after.runs]
