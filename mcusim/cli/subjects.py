"""What ``compare`` compares: an ELF image, a kept trace, or MODEL@SPEC, told apart and made into runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mcusim.errors import InputError, UsageError

if TYPE_CHECKING:
    from mcusim.chips import Chip
    from mcusim.cli.files import Array
    from mcusim.compiler.schedule import InputIn
    from mcusim.trace import Trace

ZOO = "zoo:"
FRONT = "front"
"""The specification that stands for all schedules that ``plan`` proposes."""


@dataclass(frozen=True)
class Subject:
    """``model`` and ``spec`` are set for kind "build", ``path`` for the other two."""

    text: str
    kind: Literal["elf", "trace", "build"]
    path: Path = Path()
    model: str = ""
    spec: str = ""


@dataclass(frozen=True)
class Outcome:
    """A run's trace and, if it was run now, the outputs of its first inference."""

    trace: Trace
    outputs: Sequence[Array] | None = None


def parse(text: str) -> Subject:
    """Raises UsageError if ``text`` is none of the three."""
    path = Path(text)
    if path.is_file():
        return _parse_file(text, path)
    for position in (place for place, letter in enumerate(text) if letter == "@"):
        model, spec = text[:position], text[position + 1 :]
        if model.startswith(ZOO) or Path(model).is_file():
            return Subject(text, "build", model=model, spec=spec)
    if text.startswith(ZOO):
        return Subject(text, "build", model=text, spec="layer")
    raise UsageError(f"{text}: no such file, and not MODEL@SPEC with a model that is there")


def expand(subject: Subject, input_in: InputIn | None = None) -> list[Subject]:
    """MODEL@front as the schedules that ``plan`` proposes for MODEL, any other subject as it is."""
    if subject.kind != "build" or subject.spec != FRONT:
        return [subject]
    from mcusim.cli import networks
    from mcusim.compiler.proposals import proposals

    found = proposals(networks.load(subject.model).graph, input_in or "sram")
    return [replace(subject, text=f"{subject.model}@{one.spec}", spec=one.spec) for one in found]


def _parse_file(text: str, path: Path) -> Subject:
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    if start[:4] == b"\x7fELF":
        return Subject(text, "elf", path=path)
    if start[4:8] == b"TFL3":
        return Subject(text, "build", model=text, spec="layer")
    if start.lstrip()[:1] == b"{":
        return Subject(text, "trace", path=path)
    raise InputError(f"{path}: neither an ELF image nor a trace nor a .tflite network")


def run(
    subject: Subject,
    chip: Chip,
    inputs: Sequence[Array] | None,
    folder: Path,
    input_in: InputIn | None = None,
) -> Outcome:
    """The outcome of ``subject``; a network is built into ``folder`` first, its input in ``input_in``.

    ``inputs`` None: a network gets the same pseudo-random input as every other of its input's shape.
    Raises the error that a run ended with.
    """
    if subject.kind == "trace":
        from mcusim.trace import load

        return Outcome(load(subject.path))
    image = subject.path if subject.kind == "elf" else _build(subject, chip, folder, input_in)
    return _simulate(image, chip, inputs)


def run_all(
    subjects: Sequence[Subject],
    chip: Chip,
    inputs: Sequence[Array] | None,
    folder: Path,
    input_in: InputIn | None = None,
) -> list[Outcome]:
    """The outcomes of ``subjects``, run on all cores, each in its own folder of ``folder``; see ``run``."""
    from mcusim import parallel
    from mcusim.cli.progress import Progress

    folders = [folder / str(number) for number, _ in enumerate(subjects)]
    for place in folders:
        place.mkdir()
    tasks = [
        _Task(subject, chip, inputs, place, input_in)
        for subject, place in zip(subjects, folders, strict=True)
    ]
    work = sum(subject.kind != "trace" for subject in subjects)
    with Progress("runs", len(tasks)) as progress:
        return parallel.run_all(_run_task, tasks, processes=min(parallel.cores(), work), watch=progress)


@dataclass(frozen=True)
class _Task:
    subject: Subject
    chip: Chip
    inputs: Sequence[Array] | None
    folder: Path
    input_in: InputIn | None


def _run_task(task: _Task) -> Outcome:
    return run(task.subject, task.chip, task.inputs, task.folder, task.input_in)


def _build(subject: Subject, chip: Chip, folder: Path, input_in: InputIn | None) -> Path:
    from mcusim.cli import networks
    from mcusim.compiler.build import build
    from mcusim.compiler.schedule import parse_spec

    pruned = networks.load(subject.model)
    graph = pruned.graph
    out = folder / f"{graph.name}.elf"
    schedule = parse_spec(subject.spec, graph, input_in, chip.sram.size, chip.clock_hz)
    return build(graph, schedule, chip, out=out, provenance=pruned.provenance).elf


def _simulate(image: Path, chip: Chip, inputs: Sequence[Array] | None) -> Outcome:
    from mcusim.simulate import simulate

    result = simulate(image, chip, inputs=default_inputs(image) if inputs is None else inputs)
    if result.error is not None:
        raise result.error
    return Outcome(result.trace, result.outputs[0] if result.outputs else None)


def default_inputs(image: Path, inferences: int = 1) -> list[Array]:
    """Pseudo-random values, always the same, for every input of the network in ``image``; none without a
    network."""
    from mcusim.image import load
    from mcusim.machine.ports import pseudo_random_inputs

    section = load(image).layers
    return [] if section is None else pseudo_random_inputs(section.inputs, inferences)
