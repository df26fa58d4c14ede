"""Changes of code whose effect on cycles is known without knowing the cycles."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from assembler import ORIGIN, assemble

from mcusim.timing.model import TimingModel
from mcusim.timing.pipeline import VARIANTS

NARROW = ("adds r0,r0,#1", "ldr r1,[r2]", "str r3,[r4]", "muls r5,r6", "lsls r0,r1,#3")
WIDE = ("add.w r8,r9,r10", "ldr.w r8,[r2]", "str.w r8,[r4]", "smlad r0,r1,r2,r3", "umull r0,r1,r2,r3")
PROGRAMS = 40


def _body(choose: random.Random) -> list[str]:
    return [choose.choice(choose.choice((NARROW, WIDE))) for _ in range(choose.randrange(4, 24))]


def _padded(choose: random.Random, body: list[str]) -> list[str]:
    """Four bytes of moves somewhere, so that every alignment stays; a NOP might fill a load (rule 16)."""
    place = choose.randrange(len(body) + 1)
    return [*body[:place], *choose.choice((["mov r11,r11", "mov r11,r11"], ["mov.w r11,r11"])), *body[place:]]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[bytes, bytes, int]]:
    """Code, the same with padding, and the address modulo 4 at which both lie."""
    folder: Path = tmp_path_factory.mktemp("metamorphic")
    choose = random.Random(7)
    text, places = "", []
    for number in range(PROGRAMS):
        offset = choose.choice((0, 2))
        body = _body(choose)
        for kind, lines in (("a", body), ("b", _padded(choose, body))):
            inside = "\n".join([*lines, "b.n ."])
            text += f".p2align 2\n.space {offset}\n{kind}{number}: {inside}\n{kind}{number}_end:\n"
        places.append(offset)
    code, symbols = assemble(text, folder)

    def cut(name: str) -> bytes:
        return code[symbols[name] - ORIGIN : symbols[f"{name}_end"] - ORIGIN]

    return [(cut(f"a{i}"), cut(f"b{i}"), offset) for i, offset in enumerate(places)]


@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_shifting_a_program_by_a_word_changes_nothing(
    pairs: list[tuple[bytes, bytes, int]], variant: str
) -> None:
    model = TimingModel(variant)
    for code, _, offset in pairs:
        cycles = {model.cost(code, base + offset).cycles for base in (0x1000, 0x1004, 0x08000008)}
        assert len(cycles) == 1


def test_padding_that_keeps_every_alignment_saves_no_cycles(pairs: list[tuple[bytes, bytes, int]]) -> None:
    model = TimingModel()
    saved = [
        model.cost(code, ORIGIN + offset).cycles - model.cost(padded, ORIGIN + offset).cycles
        for code, padded, offset in pairs
    ]
    assert max(saved) <= 0
