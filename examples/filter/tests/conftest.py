"""Compiles the firmware once, with the cross compiler that mcusim brings along."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TARGET = ("-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m4+vfp4d16sp")
FLAGS = ("-O2", "-g", "-std=c11", "-Wall", "-Wextra", "-fno-sanitize=undefined", "-fno-stack-protector")
LINK = ("-nostdlib", "-Wl,--build-id=none", "-Wl,--entry=reset_handler", "-T", "firmware/link.ld")


@pytest.fixture(scope="session")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image; paths in its debug information are relative to the project, so that runs compare."""
    image = tmp_path_factory.mktemp("firmware") / "filter.elf"
    sources = ("firmware/main.c", "firmware/filter.c")
    options = (*TARGET, *FLAGS, f"-ffile-prefix-map={ROOT}=.", *LINK)
    subprocess.run(
        [sys.executable, "-m", "ziglang", "cc", *options, *sources, "-o", image], cwd=ROOT, check=True
    )
    return image
