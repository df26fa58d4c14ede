"""What firmware must not do with memory ends the run with one sentence that says where."""

from __future__ import annotations

import re
from collections.abc import Callable

import memory_firmware
import pytest
from core_bench import Prefer

from mcusim.errors import FaultError, McusimError, MemoryLimitError
from mcusim.simulate import SimulationResult, simulate

CHIP = "stm32f407"
Demo = Callable[[str], bytes]


def _run(elf: bytes, core: Prefer, layers: str = ".*value.*|read_.*|write_.*") -> SimulationResult:
    return simulate(elf, CHIP, core=core, layers_regex=layers, max_cycles=300_000)


@pytest.mark.parametrize(
    ("demo", "error", "sentence"),
    [
        (
            "null_member",
            FaultError,
            r"access through a null pointer, to 0x00000010, by 'ldr r\d, .*' at 0x\w+ in value_of "
            r"\(memory.c:\d+\), layer \d \(function\)",
        ),
        (
            "null_write",
            MemoryLimitError,
            r"write of 4 bytes to 0x00000010 \(a null pointer\), .* set_value .*",
        ),
        (
            "unaligned_pair",
            FaultError,
            r"access to 0x2000\w+2, which .* faults, by 'ldrd .*' .* in read_pair .*, layer .*",
        ),
        ("unaligned_many", FaultError, r".* not aligned and faults, by 'stm.w .*' .* in write_many .*"),
        ("unaligned_trap", FaultError, r".* not aligned and faults, by 'ldr .*' .* in read_word .*"),
        ("unaligned_trap_half", FaultError, r".* not aligned and faults, by 'strh .*' .* in write_half .*"),
    ],
)
def test_refused_accesses(
    memory_elf: Demo, core: Prefer, demo: str, error: type[McusimError], sentence: str
) -> None:
    result = _run(memory_elf(demo), core)
    assert type(result.error) is error
    assert re.fullmatch(sentence, str(result.error)), str(result.error)
    assert (result.trace.exit.reason, result.trace.exit.code) == (error.reason, error.exit_code)
    assert result.trace.functions[0].cycles_total > 0
    assert result.trace.warnings == ()


def test_words_need_not_be_aligned_unless_the_firmware_says_so(memory_elf: Demo, core: Prefer) -> None:
    result = _run(memory_elf("unaligned_word"), core)
    assert result.error is None
    assert result.trace.exit.code == 0


def test_both_cores_count_up_to_the_refused_access(memory_elf: Demo) -> None:
    for demo in ("null_member", "unaligned_pair", "unaligned_trap"):
        native, twin = (_run(memory_elf(demo), core) for core in ("native", "twin"))
        assert native.profile.counts == twin.profile.counts


def test_null_pointers_may_be_allowed(memory_elf: Demo, core: Prefer) -> None:
    result = simulate(memory_elf("null_member"), CHIP, core=core, allow_null=True)
    assert result.error is None
    (warning,) = result.trace.warnings
    assert re.fullmatch(r"value_of \(memory.c:\d+\) uses a null pointer once, first at 0x00000010", warning)


def test_code_at_zero_may_read_there(tmp_path_factory: pytest.TempPathFactory, core: Prefer) -> None:
    """Its vector table is there, and so are the constants of its first functions."""
    elf = memory_firmware.build(tmp_path_factory.mktemp("zero"), 0)
    result = simulate(memory_firmware.select(elf, "null_member"), "mps2-an386", core=core)
    assert result.error is None
    assert [warning.partition(" ")[0] for warning in result.trace.warnings] == ["value_of"]
    plain = simulate(memory_firmware.select(elf, "unaligned_word"), "mps2-an386", core=core)
    assert plain.trace.warnings == ()
