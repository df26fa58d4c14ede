"""``mcusim demo``: a network of the zoo, layer by layer and in patches, with the commands that do it."""

from __future__ import annotations

import contextlib
import shlex
import tempfile

import typer

NAME = "demo"
MODEL = "zoo:mobilenet_v2?width=0.35&resolution=96&classes=10"
PATCHES = "patch:3x3@5"
STEPS = (
    ("build", MODEL, "--schedule", "layer", "-o", "layer.elf"),
    ("build", MODEL, "--schedule", PATCHES, "-o", "patch.elf"),
    ("run", "layer.elf"),
    ("compare", "layer.elf", "patch.elf"),
)


def command() -> None:
    """Build, run and compare a small network, step by step."""
    from mcusim.cli.application import invoke

    with tempfile.TemporaryDirectory(prefix="mcusim-demo-") as folder, contextlib.chdir(folder):
        for step in STEPS:
            typer.secho(f"$ mcusim {shlex.join(step)}", bold=True)
            code = invoke(step)
            if code:
                raise typer.Exit(code)
            typer.echo()
