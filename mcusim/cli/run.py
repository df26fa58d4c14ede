"""``mcusim run``: run a firmware image on a simulated chip and report what it cost."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mcusim.cli.options import (
    DEFAULT_CHIP,
    DEFAULT_TIMING,
    ChipOption,
    ClockOption,
    ForceOption,
    InputsOption,
    MaxCyclesOption,
    QuietOption,
    TimingOption,
    WaitStatesOption,
)
from mcusim.errors import EXIT_FIRMWARE_OVERFLOW

if TYPE_CHECKING:
    from mcusim.cli.files import Array
    from mcusim.parallel.inferences import Batch
    from mcusim.simulate import SimulationResult
    from mcusim.trace import Trace

NAME = "run"


FirmwareArgument = Annotated[Path, typer.Argument(metavar="FW.elf", help="An ELF image for a Cortex-M4.")]
OutputsOption = Annotated[
    list[Path] | None,
    typer.Option("--output", metavar="Y.npy", help="Where the network's outputs go, in their order."),
]
TraceOption = Annotated[
    Path | None, typer.Option("-o", "--trace", metavar="TRACE.json", help="Keep the run as a trace.")
]
LayersOption = Annotated[
    str | None,
    typer.Option("--layers", metavar="REGEX", help="Functions to take as layers, by their whole names."),
]
NoMemoryOption = Annotated[bool, typer.Option("--no-memory", help="Do not follow memory accesses; faster.")]
AllowNullOption = Annotated[
    bool, typer.Option("--allow-null", help="Go on behind reads through null pointers, with a warning.")
]
HeapOption = Annotated[
    str | None,
    typer.Option("--heap", metavar="SYMBOL", help="An array that the firmware's own allocator gives out."),
]


def command(
    firmware: FirmwareArgument,
    chip: ChipOption = DEFAULT_CHIP,
    inputs: InputsOption = None,
    outputs: OutputsOption = None,
    trace: TraceOption = None,
    layers: LayersOption = None,
    no_memory: NoMemoryOption = False,
    allow_null: AllowNullOption = False,
    heap: HeapOption = None,
    max_cycles: MaxCyclesOption = None,
    clock: ClockOption = None,
    wait_states: WaitStatesOption = None,
    timing: TimingOption = DEFAULT_TIMING,
    quiet: QuietOption = False,
    force: ForceOption = False,
) -> None:
    """Run firmware on a chip and report what it cost.

    What the firmware prints comes first, the report after it.

    The exit code is the firmware's own (63 for any above 62), or 64 and above when the simulator stopped it.
    """
    from mcusim.cli.files import claim, read_array
    from mcusim.cli.values import chip_at
    from mcusim.parallel.inferences import Batch

    claim([trace, *(outputs or ())], force=force)
    batch = Batch(
        firmware,
        chip_at(chip, clock, wait_states),
        max_cycles=max_cycles,
        layers_regex=layers,
        memory=not no_memory,
        model=timing,
        allow_null=allow_null,
        heap=heap,
    )
    arrays = [read_array(path) for path in inputs or ()]
    result = _simulate(batch, arrays, keep=trace is not None)
    _save(result, trace, outputs or ())
    if not quiet:
        _report(result.trace, kept=trace is not None)
    if result.error is not None:
        raise result.error
    raise typer.Exit(exit_code(result.trace))


def _simulate(batch: Batch, inputs: Sequence[Array], *, keep: bool) -> SimulationResult:
    """What the firmware prints is passed on; a trace that is kept can be costed again."""
    from mcusim.cli.progress import Progress
    from mcusim.parallel.inferences import simulate_batch

    console = FirmwareConsole()
    result = simulate_batch(
        batch,
        inputs,
        console=console,
        survey_flashes=keep,
        progress=lambda shares: Progress("parts of the inputs", shares),
    )
    console.close()
    return result


def _save(result: SimulationResult, path: Path | None, outputs: Sequence[Path]) -> None:
    """The trace in any case, the outputs only of a run that went well."""
    from mcusim.cli.files import write
    from mcusim.trace import dump

    if path is not None:
        write(path, dump(result.trace))
    if result.error is None:
        save_outputs(outputs, result.outputs)


class FirmwareConsole:
    """Passes on what the firmware prints as it comes, and ends its last line."""

    def __init__(self) -> None:
        self._open_line = False

    def __call__(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()
        self._open_line = not text.endswith("\n") if text else self._open_line

    def close(self) -> None:
        if self._open_line:
            sys.stdout.write("\n")


def exit_code(trace: Trace) -> int:
    """The firmware's exit code as a process can return it: 0 to 62, or 63 for every other."""
    if trace.exit.reason != "exit":
        return 0
    return trace.exit.code if 0 <= trace.exit.code < EXIT_FIRMWARE_OVERFLOW else EXIT_FIRMWARE_OVERFLOW


def save_outputs(paths: Sequence[Path], outputs: Sequence[Sequence[Array]]) -> None:
    """Write output k of all inferences, joined along the batch dimension, to the k-th path.

    Raises UsageError if there are more paths than the network has outputs.
    """
    import numpy as np

    from mcusim.cli.files import write_array
    from mcusim.errors import UsageError

    if not paths:
        return
    there = len(outputs[0]) if outputs else 0
    if len(paths) > there:
        raise UsageError(f"{len(paths)} --output files are named, the firmware's network has {there} outputs")
    for position, path in enumerate(paths):
        write_array(path, np.concatenate([inference[position] for inference in outputs]))


def _report(trace: Trace, *, kept: bool) -> None:
    from mcusim.report import terminal
    from mcusim.report.canvas import open_console

    hint = "" if kept else "-o run.json keeps this run for mcusim report and mcusim compare."
    terminal.render(trace, open_console(), hint=hint)
