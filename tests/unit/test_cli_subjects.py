"""How the arguments of compare are told apart, and how a run's end becomes an exit code."""

from __future__ import annotations

from pathlib import Path

import example_trace
import pytest

from mcusim.cli import run, subjects
from mcusim.errors import InputError, UsageError
from mcusim.trace import Exit, dump


def test_files_are_told_apart_by_their_content(tmp_path: Path) -> None:
    elf, trace, model = tmp_path / "a", tmp_path / "b", tmp_path / "c@d"
    elf.write_bytes(b"\x7fELF\1\1\1\0")
    trace.write_bytes(dump(example_trace.trace()))
    model.write_bytes(b"\x1c\0\0\0TFL3")
    assert subjects.parse(str(elf)).kind == "elf"
    assert subjects.parse(str(trace)).kind == "trace"
    assert subjects.parse(str(model)) == subjects.Subject(str(model), "build", model=str(model), spec="layer")


def test_model_and_schedule_part_at_the_right_sign(tmp_path: Path) -> None:
    model = tmp_path / "odd@name.tflite"
    model.write_bytes(b"\x1c\0\0\0TFL3")
    parsed = subjects.parse(f"{model}@patch:3x3@7")
    assert (parsed.model, parsed.spec) == (str(model), "patch:3x3@7")
    parsed = subjects.parse("zoo:tiny?width=1@patch:2x2@3")
    assert (parsed.model, parsed.spec) == ("zoo:tiny?width=1", "patch:2x2@3")
    assert subjects.parse("zoo:tiny").spec == "layer"


def test_what_cannot_be_compared_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("hello")
    with pytest.raises(InputError, match="neither an ELF image nor a trace"):
        subjects.parse(str(text))
    with pytest.raises(UsageError, match="no such file"):
        subjects.parse(str(tmp_path / "none.tflite@layer"))


@pytest.mark.parametrize(
    ("reason", "code", "expected"),
    [("exit", 0, 0), ("exit", 5, 5), ("exit", 62, 62), ("exit", 63, 63), ("exit", 64, 63), ("exit", -1, 63)],
)
def test_the_firmwares_code_passes_through(reason: str, code: int, expected: int) -> None:
    trace = example_trace.changed(exit=Exit(reason=reason, code=code))
    assert run.exit_code(trace) == expected


def test_the_front_stands_for_the_proposed_schedules() -> None:
    """From the fastest to the smallest, each named as any command takes it."""
    found = subjects.expand(subjects.parse("zoo:tiny@front"), "flash")
    sizes = [int(subject.spec.removeprefix("auto:sram=").removesuffix("B")) for subject in found]
    assert len(sizes) >= 2
    assert sizes == sorted(sizes, reverse=True)
    assert subjects.expand(subjects.parse("zoo:tiny@layer")) == [subjects.parse("zoo:tiny@layer")]
