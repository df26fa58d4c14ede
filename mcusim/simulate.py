"""Run a firmware image and say what it cost: the one call behind the command line and the tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from mcusim import __version__, chips, trace
from mcusim import image as images
from mcusim.chips import Chip
from mcusim.core.interface import Watch
from mcusim.errors import InputError, McusimError, UsageError
from mcusim.image import Image
from mcusim.machine import EventKind, Machine, Setup, Snapshot
from mcusim.machine.memory import PAINT, Memory
from mcusim.machine.ports import Array, assume_inputs, read_outputs, split_inferences, write_inputs
from mcusim.profile import LayerMark, Profile, document, instructions, sram_map
from mcusim.profile import build as build_profile
from mcusim.profile import memory as memory_parts
from mcusim.profile.hot import hot_instructions
from mcusim.profile.marks import layer_marks
from mcusim.profile.stacks import stacks
from mcusim.recost import with_bounds
from mcusim.timing.model import MODEL_VERSION, TimingModel, known_error
from mcusim.timing.pipeline import DEFAULT_VARIANT

DEFAULT_MAX_CYCLES = 20_000_000_000
"""Some minutes of a 100 MHz chip; a firmware that needs more says so."""

DEFAULT_MODEL = DEFAULT_VARIANT


@dataclass(frozen=True)
class SimulationResult:
    """``outputs`` and ``inference_cycles``: per inference the network's outputs, and its cycles.
    ``captured``: per layer index the bytes of its whole output (asked for by ``capture``). ``error``: the
    verdict that ended the run early, or None; the trace and the profile are complete up to there. Both are of
    the first inference."""

    trace: trace.Trace
    outputs: list[list[Array]]
    captured: dict[int, bytes]
    error: McusimError | None
    profile: Profile
    inference_cycles: list[int]
    _memory: Memory = field(repr=False)

    def instruction_costs(self) -> dict[int, instructions.InstructionCost]:
        """Executions and cycles per instruction address; the cycles sum to the total."""
        return instructions.by_address(
            self.profile.counts, self._memory.read, TimingModel(self.trace.timing.model)
        )


def simulate(
    elf: Path | bytes | Image,
    chip: Chip | str,
    *,
    inputs: Sequence[Array] = (),
    max_cycles: int | None = None,
    layers_regex: str | None = None,
    memory: bool = True,
    console: Callable[[str], None] | None = None,
    core: Literal["native", "twin"] = "native",
    model: str = DEFAULT_MODEL,
    capture: bool = False,
    survey_flashes: bool = False,
    allow_null: bool = False,
    heap: str | None = None,
) -> SimulationResult:
    """Run ``elf`` on ``chip`` to its end; a loaded image saves reading it again.

    ``inputs`` are written where the layer section says when execution first reaches the network; those of
    further inferences re-enter it from there. ``layers_regex`` takes the functions whose whole name
    matches as layers, ``model`` names the fetch machine of the timing model, ``memory`` follows every access
    to SRAM, ``console`` gets the firmware's output.
    ``survey_flashes`` keeps what it takes to cost the trace again at other wait states, at some cost in time.
    ``allow_null`` goes on behind reads through null pointers. ``heap`` names an array that an allocator of
    the firmware gives memory from.
    Raises InputError or UsageError for what is wrong before the first instruction; verdicts about the
    running firmware are in the result.
    """
    image = _with_heap(elf if isinstance(elf, Image) else images.load(elf), heap)
    chip = chips.load(chip) if isinstance(chip, str) else chip
    inferences = _inferences(image, inputs)
    marks = layer_marks(image, layers_regex)
    setup = Setup(
        watches=_watches(image, marks, capture),
        layer_names={
            mark.start: f"layer {mark.index} ({mark.op})" for mark in marks if mark.start is not None
        },
        sram_cuts=_sram_cuts(image),
        cycle_limit=DEFAULT_MAX_CYCLES if max_cycles is None else max_cycles,
        console=console or (lambda _: None),
        core=core,
        model=model,
        measure_sram=memory,
        survey_flashes=survey_flashes,
        allow_null=allow_null,
    )
    machine = Machine(image, chip, setup)
    try:
        run = _Run(image, chip, machine, marks, model, capture)
        run.execute(inferences)
        return run.result()
    finally:
        machine.close()


def _with_heap(image: Image, name: str | None) -> Image:
    if name is None:
        return image
    array = image.symbol(name)
    if array is None or not array.size or array.is_function:
        raise UsageError(f"{image.path}: {name!r} is no array that could be the heap")
    return replace(image, heap_symbol=name)


def _inferences(image: Image, inputs: Sequence[Array]) -> list[list[Array]]:
    if not inputs:
        return []
    if image.layers is None:
        raise InputError(f"{image.path}: has no layer section, so there is no network input to write")
    return split_inferences(inputs, image.layers.inputs)


def _watches(image: Image, marks: Sequence[LayerMark], capture: bool) -> Mapping[int, Watch]:
    layer_watch = Watch.LAYER | Watch.STOP if capture else Watch.LAYER
    watches = {mark.start: layer_watch for mark in marks if mark.start is not None}
    if image.layers is not None:
        invoke = image.start_of(image.layers.invoke)
        watches[invoke] = watches.get(invoke, Watch.NOTHING) | Watch.STOP
    return watches


def _sram_cuts(image: Image) -> tuple[int, ...]:
    """Start and end of arena and heap, so that what happens in them is measured apart."""
    cuts = list(image.heap or ())
    arena = image.layers.arena if image.layers else None
    symbol = image.symbol(arena.symbol) if arena else None
    if arena and arena.bytes and symbol:
        cuts += [symbol.address, symbol.address + arena.bytes]
    return tuple(cuts)


class _Run:
    """One boot and the inferences on it, collected as they come."""

    def __init__(
        self,
        image: Image,
        chip: Chip,
        machine: Machine,
        marks: Sequence[LayerMark],
        model: str,
        capture: bool,
    ) -> None:
        self._image = image
        self._chip = chip
        self._machine = machine
        self._marks = marks
        self._model = model
        self._invoke = image.start_of(image.layers.invoke) if image.layers else None
        self._captures = self._capture_places() if capture else {}
        self._exit: trace.Exit | None = None
        self._error: McusimError | None = None
        self._profile: Profile | None = None
        self._memory: trace.Memory | None = None
        self._outputs: list[list[Array]] = []
        self._captured: dict[int, bytes] = {}
        self._cycles: list[int] = []

    def execute(self, inferences: Sequence[Sequence[Array]]) -> None:
        """From reset to the firmware's end, then every further inference."""
        try:
            at_entry = self._boot_to_exit(inferences)
            self._keep_counts()
            if inferences:
                self._run_further(at_entry, inferences[1:])
        except McusimError as error:
            self._error = error
            if self._profile is None:
                self._keep_counts()
            self._exit = trace.Exit(reason=error.reason, code=error.exit_code)

    def _run_further(self, at_entry: Snapshot | None, inferences: Sequence[Sequence[Array]]) -> None:
        if at_entry is None:
            raise InputError(f"{self._image.path}: never reached {self._invoke_name()}, its network call")
        for inputs in inferences:
            self._infer_again(at_entry, inputs)

    def result(self) -> SimulationResult:
        """What was collected; ``execute`` came before."""
        if self._profile is None or self._exit is None or self._memory is None:
            raise RuntimeError("a run has no result before it was executed")
        return SimulationResult(
            trace=self._trace(self._profile, self._memory, self._exit),
            outputs=self._outputs,
            captured=self._captured,
            error=self._error,
            profile=self._profile,
            inference_cycles=self._cycles,
            _memory=self._machine.memory,
        )

    def _boot_to_exit(self, inferences: Sequence[Sequence[Array]]) -> Snapshot | None:
        """Up to the firmware's exit; the snapshot at the network's entry, None if it was not reached."""
        at_entry: Snapshot | None = None
        returned = False
        started = 0
        while True:
            event = self._machine.run()
            if event.kind is EventKind.EXITED:
                self._exit = trace.Exit(reason="exit", code=event.value)
                return at_entry
            if event.kind is EventKind.ENTERED and event.value == self._invoke and at_entry is None:
                at_entry = self._machine.snapshot()
                if inferences:
                    self._write_inputs(inferences[0])
                else:
                    assume_inputs(self._image, self._machine.port)
                started = self._machine.core.cycles
            if event.kind is EventKind.RETURNED:
                if event.value == self._invoke and not returned:
                    returned = True
                    self._leave(self._machine.core.cycles - started)
                elif not returned:
                    self._capture(event.value)

    def _infer_again(self, at_entry: Snapshot, inputs: Sequence[Array]) -> None:
        self._machine.restart(at_entry)
        self._write_inputs(inputs)
        self._machine.begin_call()
        while True:
            event = self._machine.run()
            if event.kind is EventKind.RETURNED and event.value == self._invoke:
                self._leave(self._machine.core.cycles)
                return
            if event.kind is EventKind.EXITED:
                raise InputError(f"{self._image.path}: exited inside {self._invoke_name()}, its network call")

    def _write_inputs(self, inputs: Sequence[Array]) -> None:
        write_inputs(self._image, self._machine.port, inputs, self._machine.camera)

    def _leave(self, cycles: int) -> None:
        self._cycles.append(cycles)
        self._outputs.append(read_outputs(self._image, self._machine.port))

    def _invoke_name(self) -> str:
        return self._image.layers.invoke if self._image.layers else ""

    def _capture_places(self) -> dict[int, list[tuple[int, int, int]]]:
        """Function starts to (layer index, address, bytes) of what each leaves behind."""
        places: dict[int, list[tuple[int, int, int]]] = {}
        for entry in self._image.layers.layers if self._image.layers else ():
            if entry.output is not None and entry.symbol:
                place = (entry.index, self._image.address_of(entry.output), entry.output.bytes)
                places.setdefault(self._image.start_of(entry.symbol), []).append(place)
        return places

    def _capture(self, function: int) -> None:
        """Later calls of the same layer replace what earlier ones left."""
        for index, address, size in self._captures.get(function, ()):
            content = self._machine.memory.read(address, size)
            if content is not None:
                self._captured[index] = content

    def _keep_counts(self) -> None:
        counts = self._machine.core.counts()
        self._profile = build_profile(counts, self._image, self._marks, self._machine.stack_top)
        self._memory = memory_parts.measure(
            self._image,
            self._chip,
            stacks=stacks(self._image, self._chip, counts.stacks, self._machine.heap.range),
            parts=self._machine.spec.sram,
            counts=counts,
            break_bytes=self._machine.heap.bytes,
            read=self._machine.memory.read,
            paint=PAINT,
        )

    def _known_error(self) -> str:
        addresses = bool(self._machine.spec.tracked)
        return known_error(self._model, wait_states=self._chip.wait_states, addresses=addresses)

    def _trace(self, profile: Profile, memory: trace.Memory, ending: trace.Exit) -> trace.Trace:
        built = document.build(
            self._image,
            self._chip,
            profile,
            memory,
            ending,
            timing=trace.TimingInfo(model=self._model, version=MODEL_VERSION, error=self._known_error()),
            inference_cycles=self._cycles,
            warnings=(
                *self._machine.warnings,
                *memory_parts.warnings(self._image, profile.counts.memory),
            ),
            host=trace.Host(seconds=self._machine.host_seconds, mcusim_version=__version__),
            read=self._machine.memory.read,
            hot_instructions=hot_instructions(
                profile, self._image, self._machine.memory.read, TimingModel(self._model)
            ),
            sram_map=sram_map.measure(
                profile.counts.memory_map, self._machine.spec.tracked, self._marks, self._image, memory
            ),
            surveyed=self._machine.spec.surveyed,
        )
        return with_bounds(built)
