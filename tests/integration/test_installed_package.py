"""The package as users have it: installed, in an environment of its own, beside a project that uses it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A Python of its own, into which the package was installed as users do; other packages are shared."""
    pytest.importorskip("scikit_build_core", reason="the build backend is not installed")
    folder = tmp_path / "environment"
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    answer = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    )
    shared = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (Path(answer.stdout.strip()) / "shared.pth").write_text("\n".join(sorted(shared)))
    options = ("--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check")
    build = f"--config-settings=build-dir={tmp_path / 'build'}"
    subprocess.run([python, "-m", "pip", "install", *options, build, ROOT], check=True)
    return python


def test_the_example_runs_where_the_package_is_only_installed(elsewhere: Path, tmp_path: Path) -> None:
    """No option names the plugin, and no path leads to this source tree."""
    example = tmp_path / "filter"
    shutil.copytree(ROOT / "examples" / "filter", example, ignore=shutil.ignore_patterns("__pycache__"))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [elsewhere, "-m", "pytest", "-q"],
        cwd=example,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout
    origin = [elsewhere, "-c", "import mcusim.core.library as it; print(it.__file__, it.load() is not None)"]
    where = subprocess.run(origin, cwd=example, env=environment, capture_output=True, text=True, check=True)
    assert where.stdout.startswith(str(elsewhere.parents[1]))
    assert where.stdout.endswith("True\n")
