"""Chips: what comes with mcusim, and what a user's file may get wrong."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from mcusim import chips
from mcusim.errors import InputError, UsageError

EXPECTED = {
    # name: (flash start, flash bytes, SRAM start, SRAM bytes, Hz)
    "stm32f412zg": (0x0800_0000, 1 << 20, 0x2000_0000, 256 << 10, 100_000_000),
    "stm32f407": (0x0800_0000, 1 << 20, 0x2000_0000, 128 << 10, 168_000_000),
    "stm32l4r5": (0x0800_0000, 2 << 20, 0x2000_0000, 640 << 10, 120_000_000),
    "nrf52840": (0, 1 << 20, 0x2000_0000, 256 << 10, 64_000_000),
    "mps2-an386": (0, 4 << 20, 0x2000_0000, 4 << 20, 25_000_000),
}


def _text(name: str = "stm32f412zg") -> str:
    return resources.files("mcusim.chips").joinpath(f"{name}.toml").read_text()


def test_every_packaged_chip_is_expected() -> None:
    assert set(chips.names()) == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_figures(name: str) -> None:
    chip = chips.load(name)
    found = (chip.flash.start, chip.flash.size, chip.sram.start, chip.sram.size, chip.clock_hz)
    assert chip.name == name
    assert found == EXPECTED[name]
    assert chip.wait_states == 0
    assert all(len(region.source) > 10 for region in chip.regions)


def test_core_coupled_memory_holds_no_code() -> None:
    ccm = chips.load("stm32f407").region_at(0x1000_0000)
    assert ccm is not None
    assert (ccm.kind, ccm.size, ccm.access) == ("sram", 64 << 10, "rw")


def test_unknown_chip_names_its_neighbour() -> None:
    with pytest.raises(UsageError, match=r"unknown chip 'stm32f412' .*did you mean stm32f412zg\?"):
        chips.load("stm32f412")


def test_chip_of_a_user(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(_text().replace('name = "stm32f412zg"', 'name = "mine"').replace("0x0004_0000", "0x8000"))
    chip = chips.load(path)
    assert (chip.name, chip.sram.size) == ("mine", 32 << 10)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("hz = 100_000_000", "hz = 0", "hz"),
        ("hz = 100_000_000", "mhz = 100", "mhz"),
        ('kind = "sram"', 'kind = "ram"', "ram"),
        ('kind = "sram"', 'kind = "peripheral"', "no region of kind 'sram'"),
        ("size = 0x0004_0000", "size = 0x0004_0001", "'sram': the size is not a multiple"),
        ("start = 0x2000_0000", "start = 0x2000_0004", "'sram': 0x20000004 is not a multiple"),
        ("start = 0x2000_0000", "start = 0x0800_0000", "overlap at 0x08000000"),
        ("start = 0x4000_0000", "start = 0xF000_0000", "beyond the 4 GiB"),
        ('format = "mcusim.chip"', 'format = "other"', "other"),
        ("[clock]", "[clock", "not a chip description"),
    ],
)
def test_invalid_chip(old: str, new: str, complaint: str) -> None:
    text = _text()
    assert old in text
    with pytest.raises(InputError) as caught:
        chips.parse(text.replace(old, new, 1).encode(), "mine.toml")
    assert str(caught.value).startswith("mine.toml: ")
    assert complaint in str(caught.value)


def test_missing_file() -> None:
    with pytest.raises(InputError, match=r"nowhere\.toml: No such file"):
        chips.load("nowhere.toml")


def test_example_of_the_documentation() -> None:
    text = (Path(__file__).parents[2] / "docs" / "chips.md").read_text()
    example = text.split("```toml\n")[1].split("```")[0]
    chip = chips.parse(example.encode(), "example")
    assert (chip.name, chip.flash.size, chip.sram.size) == ("mychip", 256 << 10, 64 << 10)
