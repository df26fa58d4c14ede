"""``mcusim plan`` and ``chips`` from the command line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mcusim.cli.application import invoke
from mcusim.errors import InputError, ScheduleError, UsageError


def test_plan_lists_layers_and_schedules(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["plan", "zoo:tiny"]) == 0
    text = capsys.readouterr().out
    factors = [
        float(found) for found in re.findall(r"^(?:layer|patch:\S+) .* (\d\.\d{3})x", text, re.MULTILINE)
    ]
    assert factors[0] == 1.0
    assert factors == sorted(factors)
    assert len(factors) > 1


def test_plan_shows_only_the_schedules_that_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["plan", "zoo:tiny", "-s", "layer", "--schedule", "patch:2x2@2"]) == 0
    assert re.findall(r"^(layer|patch:\S+) ", capsys.readouterr().out, re.MULTILINE) == [
        "layer",
        "patch:2x2@2",
    ]


def test_an_input_in_flash_makes_the_arena_smaller(capsys: pytest.CaptureFixture[str]) -> None:
    arenas = []
    for memory in ("sram", "flash"):
        assert invoke(["plan", "zoo:tiny", "-s", "patch:2x2@6", "--input-in", memory]) == 0
        found = re.search(r"^patch:2x2@6 +([\d.]+) (B|KiB)", capsys.readouterr().out, re.MULTILINE)
        assert found is not None
        arenas.append(float(found[1]) * (1024 if found[2] == "KiB" else 1))
    assert arenas[1] < arenas[0]


def test_published_figures_of_mobilenet_v2(capsys: pytest.CaptureFixture[str]) -> None:
    """MCUNetV2, arXiv 2110.15352: 1372 KiB layer by layer, 172 KiB with 4x4 patches over five blocks."""
    assert invoke(["plan", "zoo:mobilenet_v2", "-s", "layer"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"layer +1,404,928 +1,404,928 +1,372 KiB +1\.000x +1\.00x", text)
    assert re.search(r"patch:4x4@12 +200,704 +176,400 +172 KiB +1\.093x +1\.10x", text)
    assert "more than the chip's flash" in text


def drawn_bytes(text: str) -> dict[str, int]:
    """From the legend: bytes by maker."""
    found = re.findall(r"^[A-Za-z]  (input|\d+ \w+) +[\d,]+ +([\d,]+)", text, re.MULTILINE)
    return {maker: int(size.replace(",", "")) for maker, size in found}


def test_a_schedule_is_drawn_and_its_document_read_again(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Nothing but the rings differs from the drawing of ``layer``; the document draws the same."""
    kept = tmp_path / "kept.json"
    assert invoke(["plan", "zoo:tiny@bands:2@2", "--input-in", "flash", "--out", str(kept)]) == 0
    text = capsys.readouterr().out
    rings = re.findall(r"^\w  (\d+ \w+) .* ring of (\d+) of (\d+) rows$", text, re.MULTILINE)
    assert rings
    assert all(int(capacity) < int(rows) for _, capacity, rows in rings)
    assert invoke(["plan", f"zoo:tiny@{kept}"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == text.splitlines()[1:]
    assert invoke(["plan", "zoo:tiny@layer"]) == 0
    whole, streamed = drawn_bytes(capsys.readouterr().out), drawn_bytes(text)
    for maker, _, _ in rings:
        assert streamed[maker] < whole[maker]
    assert all(
        whole[maker] == size
        for maker, size in streamed.items()
        if maker not in {name for name, _, _ in rings}
    )


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["zoo:tiny", "--out", "x.json"], UsageError.exit_code, "--out"),
        (["zoo:tiny@bands:2@999"], ScheduleError.exit_code, "999"),
        (["zoo:nothing"], UsageError.exit_code, "nothing"),
        (["zoo:tiny?depth=3"], UsageError.exit_code, "depth"),
        (["none.tflite"], InputError.exit_code, "none.tflite"),
        (["zoo:tiny", "--chip", "z80"], UsageError.exit_code, "z80"),
        (["zoo:tiny", "-s", "patch:2x2@999"], ScheduleError.exit_code, "999"),
        (["zoo:tiny", "-s", "sideways"], UsageError.exit_code, "sideways"),
        (["zoo:tiny", "--verify"], UsageError.exit_code, "--front"),
        (["zoo:tiny@layer", "--front"], UsageError.exit_code, "ask for one of them"),
        (["zoo:tiny", "--front", "-s", "stream"], UsageError.exit_code, "ask for one of them"),
    ],
)
def test_what_cannot_be_planned_is_one_sentence(
    arguments: list[str], code: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["plan", *arguments]) == code
    error = capsys.readouterr().err
    assert error.startswith("mcusim: ")
    assert sentence in error
    assert error.count("\n") == 1


def test_chips_are_listed_and_described(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert invoke(["chips"]) == 0
    listed = capsys.readouterr().out
    assert re.search(
        r"^stm32f412zg +ST STM32F412ZG +100 MHz +0 +256\.0 KiB +1,024\.0 KiB$", listed, re.MULTILINE
    )
    assert invoke(["chips", "stm32f412zg"]) == 0
    assert re.search(r"^flash +0x08000000 +1,024\.0 KiB  \S", capsys.readouterr().out, re.MULTILINE)
    broken = tmp_path / "mine.toml"
    broken.write_text("name = 3")
    assert invoke(["chips", str(broken)]) == InputError.exit_code
