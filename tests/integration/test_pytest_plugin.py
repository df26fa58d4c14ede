"""The pytest plugin in other projects: the example, and suites written on the spot."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGIN = ("-p", "mcusim.pytest_plugin")
EXAMPLE = ROOT / "examples" / "filter"


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """A copy of the example project."""
    return Path(shutil.copytree(EXAMPLE, tmp_path / "filter", ignore=shutil.ignore_patterns("__pycache__")))


def run_suite(project: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", *PLUGIN, "-q", *options],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_example_passes_and_updates_write_equal_files(example: Path) -> None:
    done = run_suite(example)
    assert done.returncode == 0, done.stdout
    baseline = example / "traces" / "filter.json"
    baseline.unlink()
    assert "traces/filter.json: written" in run_suite(example, "--mcusim-update").stdout
    kept = baseline.read_bytes()
    assert "filter.json: written" not in run_suite(example, "--mcusim-update").stdout
    assert baseline.read_bytes() == kept


def test_what_workers_write_is_said(example: Path) -> None:
    (example / "traces" / "filter.json").unlink()
    done = run_suite(example, "--mcusim-update", "-n", "2")
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("traces/filter.json: written") == 1


def test_a_slower_filter_fails_and_the_message_says_where(example: Path) -> None:
    source = example / "firmware" / "filter.c"
    source.write_text(source.read_text().replace("TAPS = 32", "TAPS = 64"))
    done = run_suite(example)
    assert done.returncode == 1
    assert re.search(
        r"^cycles: [\d,]+, over the limit of 300,000 by [\d,]+ cycles\.$", done.stdout, re.MULTILINE
    )
    assert re.search(
        r"^cycles went from [\d,]+ to [\d,]+, .* where 1 % is tolerated\.\n"
        r"  filter_block +\+[\d,]+\n(?:  .*\n)*  cycles by function: filtered \+",
        done.stdout,
        re.MULTILINE,
    )
    assert "Traceback" not in done.stdout


NETWORKS = """
import pytest

pytestmark = pytest.mark.mcusim_limit(sram="1 KiB")

@pytest.mark.mcusim_limit(cycles="1G", sram="8 KiB")
def test_fits(mcusim):
    image = mcusim.build("zoo:tiny")
    run = mcusim.run(image)
    assert run.outputs[0][0].shape == (1, 5)
    assert mcusim.build("zoo:tiny") == image

def test_does_not_fit(mcusim):
    mcusim.run(mcusim.build("zoo:tiny"))
"""


def test_networks_are_built_once_and_held_to_the_closest_limit(tmp_path: Path) -> None:
    (tmp_path / "test_networks.py").write_text(NETWORKS)
    done = run_suite(tmp_path)
    assert "1 failed, 1 passed" in done.stdout
    assert re.search(
        r"^SRAM peak: .* KiB, over the limit of 1\.0 KiB by [\d,]+ bytes\.\n  arena ",
        done.stdout,
        re.MULTILINE,
    )


MISTAKES = """
import pytest

limit = pytest.mark.mcusim_limit

@limit(cycles="fast")
def test_amount(mcusim):
    mcusim.run(mcusim.build("zoo:tiny"))

@limit(speed=1)
def test_figure(mcusim):
    mcusim.run(mcusim.build("zoo:tiny"))

@limit(cycles=1)
def test_nothing_was_run(mcusim):
    pass

def test_no_image(mcusim):
    mcusim.run(__file__)

def test_no_network(mcusim):
    mcusim.build("zoo:none")

def test_no_baseline(mcusim):
    mcusim.compare(mcusim.run(mcusim.build("zoo:tiny")))
"""
SENTENCES = (
    r"cycles='fast' is no amount such as 1\.2M or 350_000",
    r"there is no figure 'speed'; there are: cycles, .*",
    r"the test has a mcusim_limit and ran no firmware",
    r".*test_mistakes\.py: .*ELF.*",
    r"the zoo has no network 'none'; it has: .*",
    r"there is no baseline traces/test_mistakes\.test_no_baseline\.json; pytest --mcusim-update writes it",
)


def test_mistakes_are_failures_of_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "test_mistakes.py").write_text(MISTAKES)
    done = run_suite(tmp_path)
    assert f"{len(SENTENCES)} failed" in done.stdout
    for sentence in SENTENCES:
        assert re.search(rf"^_+ \w+ _+\n{sentence}\n(?:_|=)", done.stdout, re.MULTILINE), sentence


@pytest.mark.parametrize(
    ("limit", "fixture", "sentence"),
    [
        ("cycles=1", "", "has a mcusim_limit and does not use the fixture mcusim"),
        ("1", "mcusim", "mcusim_limit takes figures by name"),
    ],
)
def test_limits_that_cannot_be_held_end_the_session(
    limit: str, fixture: str, sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "test_it.py").write_text(
        f"import pytest\n\n@pytest.mark.mcusim_limit({limit})\ndef test_it({fixture}):\n    pass\n"
    )
    done = run_suite(tmp_path)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert sentence in done.stderr
