"""Which room may know which: the contracts in pyproject.toml, and how quickly the package is imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIGHT = ("numpy", "unicorn", "rich", "capstone", "elftools", "tflite", "ziglang")


def test_import_contracts_hold() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command as run; run()",
            "--no-cache",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 broken" in done.stdout


def imported_by(statement: str) -> set[str]:
    """Top-level names of all modules that a fresh interpreter has after ``statement``."""
    code = f"import sys\n{statement}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_importing_mcusim_and_its_command_line_is_light() -> None:
    for statement in ("import mcusim", "import mcusim.cli.application"):
        assert imported_by(statement).isdisjoint(LIGHT), statement
