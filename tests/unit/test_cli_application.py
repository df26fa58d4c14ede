"""The command line as a whole: how every way to end becomes an exit code and one sentence."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

import mcusim
from mcusim import errors
from mcusim.cli import application

ROOT = Path(__file__).parents[2]


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], int]:
    """Runs a command that raises what it is told to."""

    def run(error: BaseException) -> int:
        app = typer.Typer()

        @app.command()
        def command() -> None:
            raise error

        monkeypatch.setattr(application, "app", app)
        return application.invoke([])

    return run


def families(base: type[errors.McusimError]) -> list[type[errors.McusimError]]:
    return [base, *(leaf for child in base.__subclasses__() for leaf in families(child))]


@pytest.mark.parametrize("kind", families(errors.McusimError), ids=lambda kind: kind.__name__)
def test_every_error_is_one_sentence_and_its_code(
    kind: type[errors.McusimError],
    failing: Callable[[BaseException], int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert failing(kind("first line,\n  second line")) == kind.exit_code
    assert capsys.readouterr().err == "mcusim: first line, second line\n"


def test_verdicts_do_not_collide_with_firmware_codes() -> None:
    codes = {kind.exit_code for kind in families(errors.McusimError)} - {errors.EXIT_USAGE}
    assert min(codes) > errors.EXIT_FIRMWARE_OVERFLOW
    assert application.EXIT_INTERNAL not in codes


def test_codes_and_reasons_are_in_the_documentation() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (ROOT / "docs" / "exit-codes.md").read_text().splitlines()
        if line.startswith("| ") and line[2].isdigit()
    ]
    documented = {row[0]: row[1] for row in rows}
    for kind in families(errors.McusimError):
        assert f"`{kind.reason}`" in documented[str(kind.exit_code)], kind
    for code in (application.EXIT_INTERNAL, application.EXIT_INTERRUPTED, application.EXIT_BROKEN_PIPE):
        assert str(code) in documented


def test_a_bug_is_one_sentence_that_asks_for_a_report(
    failing: Callable[[BaseException], int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert failing(ZeroDivisionError("by zero")) == application.EXIT_INTERNAL
    error = capsys.readouterr().err
    assert error.startswith("mcusim: internal error, ZeroDivisionError: by zero; this is a bug")
    assert error.count("\n") == 1


def test_debug_adds_the_traceback(
    failing: Callable[[BaseException], int],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(application.DEBUG, "1")
    assert failing(errors.FaultError("a fault")) == errors.FaultError.exit_code
    error = capsys.readouterr().err
    assert "Traceback (most recent call last)" in error
    assert error.endswith("mcusim: a fault\n")


def test_interruption_has_the_code_of_the_signal(
    failing: Callable[[BaseException], int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert failing(KeyboardInterrupt()) == application.EXIT_INTERRUPTED
    assert capsys.readouterr().err == "mcusim: interrupted\n"


@pytest.mark.parametrize("arguments", [["nonsense"], ["run"], ["chips", "--nonsense"], ["compare", "one"]])
def test_wrong_command_lines_are_usage_errors(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert application.invoke(arguments) == errors.EXIT_USAGE
    said = capsys.readouterr().err
    assert said.startswith("mcusim: ")
    assert said.count("\n") == 1


def test_values_out_of_range_are_said_in_the_programs_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert application.invoke(["export", "trace.json", "--format", "svg"]) == errors.EXIT_USAGE
    said = capsys.readouterr().err
    assert said.startswith("mcusim: Invalid value for '--format': 'svg' is not one of 'speedscope'")
    assert said.endswith("; mcusim export -h says what there is\n")
    assert "Value error" not in said


@pytest.mark.parametrize("clock", ["84", "1kHz", "9999"])
def test_a_clock_without_its_unit_is_refused(clock: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert application.invoke(["run", "firmware.elf", "--clock", clock]) == errors.EXIT_USAGE
    assert "Hz, which is no clock; " in capsys.readouterr().err


def test_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert application.invoke(["--version"]) == 0
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert capsys.readouterr().out == f"mcusim {project['version']}\n" == f"mcusim {mcusim.__version__}\n"


def test_every_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert application.invoke(["--help"]) == 0
    overview = capsys.readouterr().out
    for name in ("run", "build", "plan", "compare", "report", "diff", "export", "chips", "schema", "demo"):
        assert f"  {name} " in overview
        assert application.invoke([name, "--help"]) == 0
        assert f"mcusim {name} " in capsys.readouterr().out
    assert "..." not in overview.partition("Commands:")[2]


def test_a_reader_that_goes_away_is_no_error_message() -> None:
    command = f"{sys.executable} -m mcusim schema | head -c 1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout == "{"
    assert "Traceback" not in done.stderr
    assert "Error" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_a_full_disk_is_no_bug() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "mcusim", "schema"],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == errors.EXIT_USAGE
    assert done.stderr == "mcusim: what it prints cannot be written: No space left on device\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_reports_can_be_written_in_any_encoding(encoding: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mcusim", "plan", "zoo:tiny"],
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=True,
    )
    text = done.stdout.decode(encoding)
    assert ("█" in text) == (encoding == "utf-8")
    assert ("####" in text) == (encoding != "utf-8")
    assert "?" not in text
