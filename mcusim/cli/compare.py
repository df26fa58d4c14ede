"""``mcusim compare``: two or more runs side by side."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mcusim.cli.options import (
    DEFAULT_CHIP,
    ChipOption,
    ClockOption,
    InputInOption,
    InputsOption,
    WaitStatesOption,
)

if TYPE_CHECKING:
    from mcusim.cli.subjects import Outcome

NAME = "compare"


def command(
    subjects: Annotated[
        list[str],
        typer.Argument(
            metavar="A B...",
            help="ELF images, traces, or MODEL@SPEC, which is built first.",
            show_default=False,
        ),
    ],
    chip: ChipOption = DEFAULT_CHIP,
    clock: ClockOption = None,
    wait_states: WaitStatesOption = None,
    inputs: InputsOption = None,
    input_in: InputInOption = None,
    all_layers: Annotated[
        bool, typer.Option("--all-layers", help="Show also layers that cost the same everywhere.")
    ] = False,
) -> None:
    """Show what two or more runs cost, side by side."""
    from mcusim.cli import subjects as kinds
    from mcusim.cli.files import read_array
    from mcusim.cli.values import chip_at
    from mcusim.errors import UsageError
    from mcusim.report import compare
    from mcusim.report.canvas import open_console

    parsed = [subject for text in subjects for subject in kinds.expand(kinds.parse(text), input_in)]
    if len(parsed) < 2:
        raise UsageError("compare needs at least two things to compare")
    target = chip_at(chip, clock, wait_states)
    arrays = [read_array(path) for path in inputs] if inputs else None
    with tempfile.TemporaryDirectory(prefix="mcusim-") as folder:
        outcomes = kinds.run_all(parsed, target, arrays, Path(folder), input_in)
    candidates = [
        compare.Candidate(subject.text, outcome.trace)
        for subject, outcome in zip(parsed, outcomes, strict=True)
    ]
    compare.render(candidates, open_console(), notes=notes_on(outcomes), fold=not all_layers)


def notes_on(outcomes: Sequence[Outcome]) -> list[str]:
    """Whether the runs computed the same, where that is known of all of them."""
    import numpy as np

    first = outcomes[0].outputs
    if not first or any(outcome.outputs is None for outcome in outcomes):
        return []
    same = all(
        len(first) == len(outcome.outputs or ())
        and all(np.array_equal(a, b) for a, b in zip(first, outcome.outputs or (), strict=True))
        for outcome in outcomes[1:]
    )
    return ["The outputs agree byte for byte." if same else "THE OUTPUTS DIFFER."]
