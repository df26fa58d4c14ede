"""Lines of code as ``timing explain`` shows them."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import capstone
import pytest
from assembler import ORIGIN, assemble

from mcusim.timing.decode import decode_one
from mcusim.timing.explain import (
    FETCH,
    Piece,
    branch_target,
    explain_function,
    explain_line,
    waiting_for_flash,
)
from mcusim.timing.flash import CacheShape, FlashTiming, FlashUnit
from mcusim.timing.isa import Branch
from mcusim.timing.model import TimingModel

SUM = """
add.w r0,r0,#0
loop: ldr.w r2,[r1],#4
mla r0,r2,r2,r0
subs r3,#1
bne.n loop
cbz r0,out
str r0,[r1]
ldr r2,[r0]
out: bx lr
"""


@pytest.fixture(scope="module")
def piece(tmp_path_factory: pytest.TempPathFactory) -> Piece:
    return Piece(ORIGIN, assemble(SUM, tmp_path_factory.mktemp("explain"))[0])


def test_lines_of_a_function_with_a_loop(piece: Piece) -> None:
    lines = explain_function([piece], TimingModel())
    assert [line.start - ORIGIN for line in lines] == [0, 4, 16, 22]
    assert [line.is_loop for line in lines] == [False, True, False, False]
    assert [row.instruction.name for row in lines[1].rows] == ["ldr", "mla", "sub", "b"]


def test_cycles_and_waits_fill_the_line(piece: Piece) -> None:
    model = TimingModel()
    for entry in (ORIGIN, ORIGIN + 4, ORIGIN + 16):
        line = explain_line(piece, entry, model)
        refill = model.refill(line.rows[-1].instruction)
        assert sum(row.cost + row.wait for row in line.rows) + refill == line.cycles
        assert line.cycles == model.cost(piece.code[entry - ORIGIN : line.end - ORIGIN], entry).cycles


def test_code_behind_a_loop_goes_on_from_its_last_pass(piece: Piece) -> None:
    model = TimingModel()
    loop, behind = explain_function([piece], model)[1:3]
    assert (behind.entry, behind.start) == (loop.entry, loop.end)
    whole = model.cost(piece.code[4:], loop.entry)
    in_loop = whole.instruction_cycles[: len(loop.rows)]
    assert behind.cycles == whole.cycles - sum(in_loop)


def test_every_wait_has_a_reason(piece: Piece) -> None:
    rows = [row for line in explain_function([piece], TimingModel()) for row in line.rows]
    assert all(bool(row.wait) == bool(row.reasons) for row in rows)
    assert rows[0].reasons == (FETCH,)


def test_a_stall_names_its_rule(piece: Piece) -> None:
    behind_loop = explain_line(piece, ORIGIN + 16, TimingModel())
    load = next(row for row in behind_loop.rows if row.instruction.name == "ldr")
    assert (load.wait, load.reasons) == (1, ("4",))


def _random_branches() -> list[bytes]:
    choose = random.Random(3)
    codes = [choose.randrange(0xB100, 0xBC00).to_bytes(2, "little") for _ in range(300)]
    codes += [choose.randrange(0xD000, 0xE800).to_bytes(2, "little") for _ in range(300)]
    for _ in range(600):
        first, second = choose.randrange(0xF000, 0xF800), choose.randrange(0x8000, 0xC000)
        codes.append(first.to_bytes(2, "little") + second.to_bytes(2, "little"))
    return codes


def test_branch_targets_are_those_of_the_disassembler() -> None:
    engine = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    compared = 0
    for code in _random_branches():
        instruction = decode_one(code, 0x10000000)
        reference = next(engine.disasm(code, 0x10000000, 1), None)
        if instruction.branch is Branch.DIRECT and reference is not None:
            target = branch_target(code, instruction)
            assert target is not None
            assert f"#{target & 0xFFFFFFFF:#x}" in reference.op_str
            compared += 1
    assert compared > 500


def test_waiting_for_flash_is_shown_where_its_lines_begin(piece: Piece) -> None:
    flash = FlashTiming((0,), 1 << 16, 5, CacheShape(4, 4, 8), CacheShape(0, 1, 8), prefetch=False)
    lines = explain_function([piece], TimingModel())
    for line, waiting in zip(lines, waiting_for_flash(lines, flash), strict=True):
        assert sum(row.flash for row in waiting.rows) <= FlashUnit(flash).fetch(
            line.start, line.end, line.cycles
        )
        assert waiting.rows[0].flash >= flash.wait_states
    in_sram = replace(flash, starts=(0x20000000,))
    assert waiting_for_flash(lines, in_sram) == lines


def test_a_return_of_an_it_block_that_goes_on_is_skipped(tmp_path: Path) -> None:
    code, _ = assemble("cmp r0,#1\nit eq\npopeq {r4,pc}\nbx lr\n", tmp_path)
    rows = explain_line(Piece(ORIGIN, code), ORIGIN, TimingModel()).rows
    assert [(row.instruction.name, row.cost, row.rule) for row in rows][2] == ("pop", 1, 15)
