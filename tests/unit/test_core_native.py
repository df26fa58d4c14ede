"""The native library's decoder and pipeline against the Python ones; how the library is found."""

from __future__ import annotations

import logging
import random
import time

import pytest
from core_bench import Bench, build
from hypothesis import given, settings
from hypothesis import strategies as st
from unicorn.unicorn_py3 import unicorn as binding

from mcusim.core import library
from mcusim.core.costing import CodeRun, instruction_cycles, run_cycles, twin_instruction_cycles
from mcusim.core.twin import TwinCore
from mcusim.errors import UsageError
from mcusim.timing.decode import ENCODINGS16, ENCODINGS32, decode_one
from mcusim.timing.isa import Encoding
from mcusim.timing.model import TimingModel
from mcusim.timing.pipeline import VARIANTS
from mcusim.timing.rules import Bound

FIELDS = [name for name, _ in library.InstructionRow._fields_]


def _word(encoding: Encoding, free: int, size: int) -> bytes:
    word = free & ~encoding.mask & (1 << 8 * size) - 1 | encoding.value
    if size == 2:
        return word.to_bytes(2, "little")
    return (word >> 16).to_bytes(2, "little") + (word & 0xFFFF).to_bytes(2, "little")


def _instructions() -> st.SearchStrategy[bytes]:
    free = st.integers(0, 0xFFFFFFFF)
    narrow = st.builds(_word, st.sampled_from(ENCODINGS16), free, st.just(2))
    wide = st.builds(_word, st.sampled_from(ENCODINGS32), free, st.just(4))
    return st.one_of(narrow, wide)


TIMING = library.timing_table(TimingModel())


def _native_fields(code: bytes, address: int, in_it: bool) -> dict[str, int]:
    row = library.InstructionRow()
    library.load().mcusim_decode(TIMING, code.ljust(4, b"\0"), address, in_it, row)
    return {name: getattr(row, name) for name in FIELDS}


def _python_fields(code: bytes, address: int, in_it: bool) -> dict[str, int]:
    instruction = decode_one(code.ljust(4, b"\0"), address, in_it)
    return {name: int(getattr(instruction, name)) for name in FIELDS}


def test_decoders_agree_on_narrow_encodings() -> None:
    choose = random.Random(4)
    for halfword in range(0, 0xE800, 5):
        code = halfword.to_bytes(2, "little")
        in_it = choose.random() < 0.5
        assert _native_fields(code, 0x1000, in_it) == _python_fields(code, 0x1000, in_it)


@settings(max_examples=500, deadline=None)
@given(_instructions(), st.booleans())
def test_decoders_agree(code: bytes, in_it: bool) -> None:
    native, python = _native_fields(code, 0x1002, in_it), _python_fields(code, 0x1002, in_it)
    native["sp_delta"] &= 0xFFFFFFFF
    python["sp_delta"] &= 0xFFFFFFFF
    assert native == python


@settings(max_examples=300, deadline=None)
@given(
    st.lists(_instructions(), min_size=1, max_size=40),
    st.sampled_from([0x1000, 0x1002, 0x20000000, 0x20000002]),
    st.booleans(),
    st.sampled_from(sorted(VARIANTS)),
    st.sampled_from(list(Bound)),
    st.integers(0, 2**32 - 1),
)
def test_pipelines_agree(
    code: list[bytes], start: int, taken: bool, variant: str, bound: Bound, outcome: int
) -> None:
    run, model = b"".join(code), TimingModel(variant, bound)
    code_run = CodeRun(run, start, taken, outcome)
    by_instruction = twin_instruction_cycles(model, code_run)
    assert instruction_cycles(model, [code_run]) == [by_instruction]
    assert run_cycles(model, [code_run]) == [sum(cycles for _, cycles in by_instruction)]


def test_thousands_of_unseen_runs_are_costed_at_once() -> None:
    choose = random.Random(7)
    encodings = [(encoding, 2) for encoding in ENCODINGS16] + [(encoding, 4) for encoding in ENCODINGS32]
    runs = []
    for number in range(5000):
        picked = choose.choices(encodings, k=choose.randint(1, 24))
        code = b"".join(_word(encoding, choose.getrandbits(32), size) for encoding, size in picked)
        runs.append(CodeRun(code, 0x1000 + 128 * number, taken=True))
    started = time.perf_counter()
    cycles = run_cycles(TimingModel(), runs)
    assert time.perf_counter() - started < 0.5
    assert len(cycles) == len(runs)
    assert min(cycles) >= 1


def test_an_it_does_not_fold_into_another() -> None:
    code = bytes.fromhex("00bf01bf01bf7047")
    cost = TimingModel().cost(code, 0x1000)
    assert list(cost.instruction_cycles[1:3]) == [0, 1]
    assert library.load().mcusim_cost(TIMING, code, 0x1000, len(code), 1, 0) == cost.cycles


def test_the_emulator_binding_has_what_the_core_takes_from_it() -> None:
    for name in ("uc_hook_add", "uc_hook_del", "uc_emu_stop", "uc_reg_read"):
        assert hasattr(binding.uclib, name)
    assert hasattr(binding.Uc(binding.uc.UC_ARCH_ARM, binding.uc.UC_MODE_THUMB), "_uch")


def test_without_the_library_the_twin_runs_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    def missing() -> None:
        raise OSError("libmcusim_core.so is not built")

    monkeypatch.setattr(library, "load", missing)
    program = build("f: bx lr\n", tmp_path_factory.mktemp("f"))
    with caplog.at_level(logging.WARNING):
        bench = Bench(program, "native")
    assert isinstance(bench.core, TwinCore)
    assert [record.getMessage() for record in caplog.records] == [
        "The slow Python core runs because the native one cannot: libmcusim_core.so is not built."
    ]
    bench.call("f")
    assert bench.core.cycles == 3


def test_unknown_timing_model() -> None:
    with pytest.raises(UsageError, match="no timing model named 'm7'; known are m1, m2, m5, m6"):
        TimingModel("m7")
