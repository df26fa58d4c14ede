"""Draws the pictures of the documentation from real runs: ``make pictures``."""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.text import Text

from mcusim import chips
from mcusim.cli import demo, subjects
from mcusim.cli.compare import notes_on
from mcusim.cli.options import DEFAULT_CHIP
from mcusim.cli.report import Colour, picture
from mcusim.report import compare, terminal

FOLDER = Path(__file__).parent / "pictures"
WIDTH = 92
RUN = "zoo:ds_cnn@layer"
COMPARED = tuple(f"{demo.MODEL}@{spec}" for spec in ("layer", demo.PATCHES))
SCHEDULES = tuple(f"{demo.MODEL}@{spec}" for spec in ("layer", demo.PATCHES, "stream", "bands:4@5"))
"""Shown side by side, with the image in flash."""


def main() -> None:
    """Run what the pictures show and write them."""
    FOLDER.mkdir(exist_ok=True)
    chip = chips.load(DEFAULT_CHIP)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        outcomes = {text: subjects.run(subjects.parse(text), chip, None, place) for text in (RUN, *COMPARED)}
        from_flash = [subjects.run(subjects.parse(text), chip, None, place, "flash") for text in SCHEDULES]
    _draw("run.svg", "mcusim run ds_cnn.elf", lambda console: terminal.render(outcomes[RUN].trace, console))
    candidates = [compare.Candidate(text, outcomes[text].trace) for text in COMPARED]
    notes = notes_on([outcomes[text] for text in COMPARED])
    command = "mcusim compare " + " ".join(f"'{text}'" for text in COMPARED)
    _draw("compare.svg", command, lambda console: compare.render(candidates, console, notes=notes))
    _write("memory.svg", picture([outcome.trace for outcome in from_flash], "memory").decode())
    compared = [outcomes[text].trace for text in COMPARED]
    maps: tuple[tuple[str, Colour], ...] = (("map.png", "layer"), ("map-live.png", "live"))
    for name, colour in maps:
        _keep(name, picture(compared, "map", colour, as_png=True))


def _draw(name: str, command: str, render: Callable[[Console], None]) -> None:
    console = Console(
        record=True,
        width=WIDTH,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        highlight=False,
        markup=False,
    )
    console.print(Text.assemble(("$ ", "bold green"), (command, "bold")), soft_wrap=False)
    render(console)
    _write(name, console.export_svg(title="mcusim", unique_id=Path(name).stem))


def _write(name: str, svg: str) -> None:
    _keep(name, _lean(svg).encode())


def _keep(name: str, content: bytes) -> None:
    path = FOLDER / name
    path.write_bytes(content)
    sys.stdout.write(f"{path}\n")


def _lean(svg: str) -> str:
    """Without trailing blanks, which version control would complain about."""
    return "".join(f"{line.rstrip()}\n" for line in svg.splitlines())


if __name__ == "__main__":
    main()
