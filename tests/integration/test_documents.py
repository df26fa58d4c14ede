"""What the documentation shows is true: its console examples run, its links and options exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from mcusim.cli.application import invoke

ROOT = Path(__file__).parents[2]
DOCUMENTS = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))


def console_examples(document: Path) -> list[str]:
    """Commands in blocks marked ``console``, after their prompt and without comments."""
    blocks = re.findall(r"^```console\n(.*?)^```", document.read_text(), re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    return [re.sub(r"\s+#.*", "", line[2:]) for line in lines]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_console_examples_run(
    document: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for example in console_examples(document):
        program, *arguments = shlex.split(example)
        assert program == "mcusim"
        code = invoke(arguments)
        assert code == 0, f"{example}: {capsys.readouterr().err}"


def test_readme_has_examples() -> None:
    assert len(console_examples(ROOT / "README.md")) >= 5


def anchors(document: Path) -> set[str]:
    """The headings of a Markdown file as links name them."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_and_pictures_exist(document: Path) -> None:
    targets = re.findall(r"\]\(([^)]+)\)", document.read_text())
    for target in targets:
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        file = document.parent / name if name else document
        assert file.is_file(), target
        assert not anchor or anchor in anchors(file), target


def test_documented_options_are_those_of_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "docs" / "command-line.md").read_text()
    synopses = re.findall(r"^mcusim (\w+)(.*(?:\n +\[.*)*)", text, re.MULTILINE)
    assert {command for command, _ in synopses} == {
        "run",
        "build",
        "plan",
        "compare",
        "diff",
        "export",
        "sweep",
        "redistribute",
        "report",
    }
    for command, synopsis in synopses:
        assert invoke([command, "--help"]) == 0
        shown = capsys.readouterr().out
        for option in re.findall(r"--[a-z-]+", synopsis):
            assert option in shown, f"{command} {option}"


def test_make_targets_that_are_named_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for document in DOCUMENTS:
        for target in re.findall(r"^make (\w+)", document.read_text(), re.MULTILINE):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
