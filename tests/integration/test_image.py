"""Reading executables: a good one, broken ones, and ones for other machines."""

from __future__ import annotations

import contextlib
import itertools
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcusim import chips, image
from mcusim.errors import InputError, McusimError

Demo = Callable[[str], bytes]
CHIP = "stm32f412zg"


def _patched(elf: bytes, offset: int, raw: bytes) -> bytes:
    return elf[:offset] + raw + elf[offset + len(raw) :]


def test_symbols_functions_and_sizes(demo_elf: Demo) -> None:
    loaded = image.load(demo_elf("hello"))
    chip = chips.load(CHIP)
    reset = loaded.function_at(loaded.boot(chip).reset & ~1)
    assert reset is not None
    assert reset.name == "Reset_Handler"
    invoke = loaded.symbol("network_invoke")
    assert invoke is not None
    assert loaded.function_at(invoke.address + 2) == loaded.function_at(invoke.address)
    assert loaded.table.code_map.kind_at(invoke.address) == "t"
    assert loaded.lines.at(invoke.address)[0].endswith("demo.c")
    sizes = loaded.sizes(chip)
    assert sizes.arena == 64
    assert 4 <= sizes.static_sram <= 16
    assert sizes.flash >= sizes.text > 500
    top, limit = loaded.stack_top, loaded.stack_limit
    assert top is not None
    assert limit is not None
    assert top - limit == 1024
    assert loaded.layers is not None
    assert [entry.symbol for entry in loaded.layers.layers] == ["layer_double", "layer_add"]


def test_functions_do_not_overlap(demo_elf: Demo) -> None:
    functions = image.load(demo_elf("hello")).functions
    assert len(functions) > 5
    assert all(one.end <= two.start for one, two in itertools.pairwise(functions))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda elf: b"MZ" + elf[2:], "not an ELF file"),
        (lambda elf: elf[:0], "not an ELF file"),
        (lambda elf: elf[:30], "truncated ELF file, it ends inside its header"),
        (lambda elf: elf[:60], "truncated ELF file, its program headers lie beyond its end"),
        (lambda elf: elf[:0x1_0010], "truncated ELF file, segment 0 lies beyond its end"),
        (lambda elf: _patched(elf, 4, b"\x02"), "a 64-bit ELF file"),
        (lambda elf: _patched(_patched(elf, 4, b"\x02"), 18, b"\xb7\x00"), "an AArch64 executable"),
        (lambda elf: _patched(elf, 5, b"\x02"), "a big-endian ELF file"),
        (lambda elf: _patched(elf, 18, b"\x03\x00"), "another machine (number 3)"),
        (lambda elf: _patched(elf, 16, b"\x01\x00"), "not an executable (ELF type 1)"),
        (lambda elf: _patched(elf, 42, b"\x08\x00"), "a program header of 8 bytes"),
        (lambda elf: _patched(elf, 44, b"\x00\x00"), "holds anything to load"),
    ],
)
def test_unusable_files(demo_elf: Demo, change: Callable[[bytes], bytes], complaint: str) -> None:
    with pytest.raises(InputError) as caught:
        image.load(change(demo_elf("hello")))
    assert complaint in str(caught.value)


def _vector_offset(elf: bytes) -> int:
    """File offset of the vector table: the first segment that is loaded at the start of flash."""
    headers, count = struct.unpack_from("<I", elf, 28)[0], struct.unpack_from("<H", elf, 44)[0]
    for number in range(count):
        kind, offset, _, address = struct.unpack_from("<IIII", elf, headers + 32 * number)
        if kind == 1 and address == 0x0800_0000:
            return int(offset)
    raise AssertionError


@pytest.mark.parametrize(
    ("word", "value", "complaint"),
    [
        (0, 0x1234_5678, "is not a stack pointer into the SRAM of stm32f412zg"),
        (0, 0x2000_0001, "is not a stack pointer"),
        (1, 0x0800_0100, "is not a Thumb address"),
        (1, 0x0900_0101, "points to no code of the image"),
    ],
)
def test_no_vector_table(demo_elf: Demo, word: int, value: int, complaint: str) -> None:
    elf = demo_elf("hello")
    broken = _patched(elf, _vector_offset(elf) + 4 * word, struct.pack("<I", value))
    with pytest.raises(InputError) as caught:
        image.load(broken).boot(chips.load(CHIP))
    assert complaint in str(caught.value)


def test_image_for_another_chip(demo_elf: Demo) -> None:
    with pytest.raises(InputError, match=r"segment \d \(0x08000000 to .*outside the memory of nrf52840"):
        image.load(demo_elf("hello")).boot(chips.load("nrf52840"))


@pytest.mark.parametrize(
    ("target", "complaint"),
    [
        (("arm-freestanding-eabi", "cortex_a9"), "holds ARM-mode code"),
        (("armeb-freestanding-eabi", "cortex_a9"), "a big-endian ELF file"),
        (("aarch64-freestanding", "generic"), "an AArch64 executable"),
        (("thumb-freestanding-eabi", "cortex_m4"), "no vector table at 0x"),
    ],
)
def test_executables_of_other_kinds(tmp_path: Path, target: tuple[str, str], complaint: str) -> None:
    (tmp_path / "main.c").write_text("void _start(void) { for (;;) {} }")
    options = ["-target", target[0], f"-mcpu={target[1]}", "-nostdlib", "-o", "x.elf"]
    command = [sys.executable, "-m", "ziglang", "cc", *options, "main.c"]
    subprocess.run(command, cwd=tmp_path, check=True)
    with pytest.raises(InputError) as caught:
        image.load(tmp_path / "x.elf").boot(chips.load(CHIP))
    assert complaint in str(caught.value)


def test_arm_mode_marks(demo_elf: Demo) -> None:
    elf = demo_elf("hello").replace(b"\0$t\0", b"\0$a\0")
    with pytest.raises(InputError, match="holds ARM-mode code"):
        image.load(elf)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        image.load(tmp_path / "none.elf")


def test_damaged_layer_section(demo_elf: Demo) -> None:
    elf = demo_elf("hello").replace(b'"mcusim.layers"', b'"mcusim.lawyer"')
    with pytest.raises(InputError, match=r"section \.mcusim\.layers is damaged"):
        image.load(elf)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.data())
def test_damage_never_raises_anything_else(demo_elf: Demo, seed: st.DataObject) -> None:
    """Byte flips in the tables that describe the file, and truncation anywhere."""
    raw = bytearray(demo_elf("hello"))
    tables = struct.unpack_from("<I", raw, 32)[0]
    places = st.one_of(
        st.integers(0, 300), st.integers(tables - 4000, len(raw) - 1), st.integers(0, len(raw) - 1)
    )
    for _ in range(seed.draw(st.integers(0, 4))):
        raw[seed.draw(places)] = seed.draw(st.integers(0, 255))
    damaged = bytes(raw[: seed.draw(st.one_of(st.just(len(raw)), st.integers(0, len(raw))))])
    with contextlib.suppress(McusimError):
        loaded = image.load(damaged)
        boot = loaded.boot(chips.load(CHIP))
        loaded.sizes(chips.load(CHIP))
        assert loaded.lines.at(boot.reset)[1] >= 0
