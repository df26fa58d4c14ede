"""One point of a sweep, measured by building and running it; this is what workers do."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from mcusim import chips, image, network, trace
from mcusim.chips import Chip
from mcusim.compiler.automatic import depends_on_clock
from mcusim.compiler.build import build
from mcusim.compiler.schedule import InputIn, parse_spec
from mcusim.errors import McusimError, ToolchainError, WorkerError
from mcusim.image import Image
from mcusim.machine.ports import pseudo_random_inputs
from mcusim.network.prune import prune
from mcusim.simulate import simulate
from mcusim.sweep.document import Figures, Result
from mcusim.sweep.points import Point, Source, fingerprint

KEPT_IMAGES = 8
"""A worker's neighbouring points differ in the clock only, and run one image."""


def measure(point: Point) -> tuple[Result, bytes]:
    """The result of ``point`` and the trace of its run, b"" for a point that cannot be.

    Raises what is no property of the point: ToolchainError, OSError, MemoryError.
    """
    try:
        document = _run(point)
    except (ToolchainError, WorkerError):
        raise
    except McusimError as error:
        return _result(point, None, str(error)), b""
    return _result(point, _figures(document)), trace.dump(document)


def _run(point: Point) -> trace.Trace:
    clock = point.clock
    chip = chips.adjusted(point.chip, clock.hz, clock.wait_states, clock.volts)
    clock_hz = chip.clock_hz if depends_on_clock(point.schedule.name) else None
    firmware = _image(point.network, point.schedule, point.chip, point.input_in, clock_hz)
    inputs = pseudo_random_inputs(firmware.layers.inputs) if firmware.layers else ()
    result = simulate(firmware, chip, inputs=inputs)
    if result.error is not None:
        raise result.error
    return result.trace


@functools.lru_cache(maxsize=KEPT_IMAGES)
def _image(model: Source, spec: Source, chip: Chip, input_in: InputIn, clock_hz: float | None) -> Image:
    """``clock_hz`` None for a schedule that is the same at every clock, as are all but one kind."""
    with tempfile.TemporaryDirectory(prefix="mcusim-") as name:
        folder = Path(name)
        graph = prune(network.load(_on_disk(model, folder))).graph
        schedule = parse_spec(_on_disk(spec, folder), graph, input_in, chip.sram.size, clock_hz)
        return image.load(build(graph, schedule, chip, out=folder / "firmware.elf").elf.read_bytes())


def _on_disk(given: Source, folder: Path) -> str:
    """The name by which ``given`` can be read here."""
    if given.content is None:
        return given.name
    path = folder / Path(given.name).name
    path.write_bytes(given.content)
    return str(path)


def _figures(document: trace.Trace) -> Figures:
    totals, memory = document.totals, document.memory
    return Figures(
        clock_hz=document.chip.clock_hz,
        wait_states=document.chip.wait_states,
        cycles=totals.cycles,
        cycles_low=totals.cycles_low,
        cycles_high=totals.cycles_high,
        seconds=totals.seconds,
        macs=totals.macs,
        sram_peak_bytes=memory.sram_peak_bytes,
        arena_bytes=memory.arena_bytes,
        scratch_bytes=memory.scratch_bytes,
        stack_bytes=memory.stack_bytes,
        flash_bytes=document.firmware.flash_bytes,
    )


def _result(point: Point, figures: Figures | None, refusal: str = "") -> Result:
    return Result(
        network=point.network.name,
        chip=point.chip.name,
        clock=point.clock.text,
        schedule=point.schedule.name,
        input_in=point.input_in,
        code=fingerprint(),
        figures=figures,
        refusal=refusal,
    )
