"""From a network and a schedule to a firmware image for a chip."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

import mcusim
from mcusim import layer_section
from mcusim.chips import Chip
from mcusim.compiler import emit, firmware, image_text, toolchains
from mcusim.compiler.candidates import advise
from mcusim.compiler.live_ranges import Sharing
from mcusim.compiler.lowering import EXACT_AND_FAST, Options
from mcusim.compiler.memory_plan import MemoryPlan
from mcusim.compiler.program import Program, make_program
from mcusim.compiler.schedule import InputIn, Schedule
from mcusim.compiler.section import layer_section as section_of
from mcusim.compiler.toolchains import Source, Toolchain
from mcusim.errors import FitError, InputError, ToolchainError, UsageError
from mcusim.network.graph import Graph

DEFAULT_STACK_BYTES = 2048
SMALL = "-Oz"
"""The level of both compilers for small code."""

SHOWN_ROOT = "network"
BOARD_ROOT = "board"
BOARD_FILE = "board.c"

_OVERFLOW = re.compile(r"\b(FLASH|SRAM)\b.*overflowed by (\d+) bytes")


@dataclass(frozen=True)
class BuildResult:
    """The image and what it was made from."""

    elf: Path
    plan: MemoryPlan
    schedule: Schedule
    section: layer_section.LayerSection


def build(
    graph: Graph,
    schedule: Schedule,
    chip: Chip,
    *,
    out: Path,
    input_in: InputIn | None = None,
    toolchain: str = "zig",
    sharing: Sharing = "rows",
    stack_bytes: int = DEFAULT_STACK_BYTES,
    embed_input: Sequence[NDArray[np.int8]] | None = None,
    print_crc: bool = False,
    camera: Path | None = None,
    provenance: Mapping[str, Any] | None = None,
    exact: bool = False,
    options: Options = EXACT_AND_FAST,
) -> BuildResult:
    """Build the image of ``graph`` under ``schedule`` for ``chip`` into the file ``out``.

    ``input_in`` overrides the schedule's. ``embed_input`` (one array per network input) and ``print_crc``
    make an image that tests itself: it brings its input and prints the CRC-32 of every output. ``camera``: a
    C file with a board's functions (``mcu_camera.h``) in place of the simulator's camera. ``provenance``
    is recorded in the image beside what is known of the build: how ``graph`` was made. ``options`` choose
    kernels; for size the compiler optimises for that too. ``exact``: see ``make_program``.
    Raises ScheduleError, UnsupportedError, FitError, ToolchainError, for an exact plan or functions of a
    camera that nothing calls UsageError, for ones that cannot be read InputError.
    """
    if input_in is not None:
        schedule = msgspec.structs.replace(schedule, input_in=input_in)
    compiler = toolchains.find(toolchain)
    if options.optimise == "size":
        compiler = replace(compiler, kernel_level=SMALL, glue_level=SMALL)
    program = make_program(graph, schedule, sharing, exact=exact, options=options)
    check_fit(program, chip, stack_bytes)
    record: dict[str, Any] = {"mcusim_version": mcusim.__version__, "chip": chip.name, **compiler.describe()}
    record |= {"sharing": sharing, "stack_bytes": stack_bytes}
    record |= {"optimise": options.optimise, "rounding": options.rounding}
    record |= {"exact": True} if exact else {}
    record |= provenance or {}
    section = section_of(program, schedule, record)
    with tempfile.TemporaryDirectory(prefix="mcusim-") as folder:
        work = Path(folder)
        generated = _write_sources(work, program, section, embed_input, print_crc)
        if camera is not None:
            generated = (*generated, _board_source(work, camera, schedule))
        script = work / "link.ld"
        template = firmware.directory() / "boot" / firmware.LINKER_TEMPLATE
        script.write_text(image_text.linker_script(template, chip, stack_bytes), encoding="utf-8")
        _compile_and_link(compiler, chip, work, generated, script, out, camera)
    return BuildResult(out, program.plan, schedule, section)


def check_fit(program: Program, chip: Chip, stack_bytes: int) -> None:
    """Raises FitError if arena, scratch and stack exceed the SRAM (naming a schedule that would fit, if
    there is one), or the constants the flash."""
    needed = program.plan.sram_bytes + stack_bytes
    if needed > chip.sram.size:
        advice = advise(program.graph, chip.sram.size - stack_bytes, program.lowered)
        hint = "no schedule that mcusim knows would fit"
        if advice is not None:
            hint = f"schedule {advice.name} would fit with {advice.needed_bytes / 1024:.1f} KiB"
        raise FitError(f"{_too_much(chip, 'SRAM', needed - chip.sram.size)}; {hint}")
    if program.constant_bytes > chip.flash.size:
        raise FitError(_too_much(chip, "flash", program.constant_bytes - chip.flash.size))


def _too_much(chip: Chip, memory: str, excess: int) -> str:
    return f"the network needs {excess / 1024:.1f} KiB more {memory} than {chip.name} has"


def _write_sources(
    work: Path,
    program: Program,
    section: layer_section.LayerSection,
    embed_input: Sequence[NDArray[np.int8]] | None,
    print_crc: bool,
) -> tuple[str, ...]:
    """Write the generated files and the binary files that they include; the answer names the sources."""
    constants, blob = emit.gather_constants(program)
    embedded = embed_input is not None
    binaries = {image_text.CONSTANTS_FILE: blob, image_text.SECTION_FILE: layer_section.encode(section)}
    for number, array in enumerate(_checked_inputs(program.graph, embed_input)):
        binaries[image_text.INPUT_FILE.format(number)] = array.tobytes()
    texts = {
        "network.c": emit.network_source(program, constants),
        "main.c": image_text.main_source(program, embed_input=embedded, print_crc=print_crc),
        "constants.S": image_text.constants_source(constants),
        "memory.S": image_text.memory_source(program, embedded),
    }
    for name, content in binaries.items():
        (work / name).write_bytes(content)
    for name, text in texts.items():
        (work / name).write_text(text, encoding="utf-8")
    return tuple(texts)


def _board_source(work: Path, camera: Path, schedule: Schedule) -> str:
    """The name of the copy of a board's functions, which finds other files where they lie."""
    if schedule.input_in != "camera":
        raise UsageError(f"{camera}: a camera is of use only to a network that takes its input from one")
    try:
        text = camera.read_bytes()
    except OSError as error:
        raise InputError(f"{camera}: {error.strerror}") from error
    (work / BOARD_FILE).write_bytes(text)
    return BOARD_FILE


def _checked_inputs(graph: Graph, arrays: Sequence[NDArray[np.int8]] | None) -> list[NDArray[Any]]:
    if arrays is None:
        return []
    shapes = [graph.tensors[index].shape for index in graph.inputs]
    if [array.shape for array in arrays] != shapes or any(array.dtype != np.int8 for array in arrays):
        raise InputError(f"the inputs to embed must be int8 arrays of shapes {shapes}")
    return [np.ascontiguousarray(array) for array in arrays]


def _compile_and_link(
    compiler: Toolchain,
    chip: Chip,
    work: Path,
    generated: Sequence[str],
    script: Path,
    out: Path,
    camera: Path | None,
) -> None:
    board = () if camera is None else (camera.resolve().parent,)
    flags = (compiler.glue_level, *compiler.apart)
    sources = [
        Source(
            path=work / name,
            root=work,
            shown_root=SHOWN_ROOT,
            includes=(*firmware.include_directories(), *board),
            flags=flags if name.endswith(".c") else compiler.assembly,
            other_roots=((firmware.directory(), firmware.SHOWN_ROOT), *((b, BOARD_ROOT) for b in board)),
            generated=True,
        )
        for name in generated
    ]
    sources += firmware.sources(compiler)
    objects = toolchains.compile_all(compiler, sources)
    try:
        toolchains.link(compiler, objects, script, out)
    except ToolchainError as error:
        if match := _OVERFLOW.search(str(error)):
            memory = "flash" if match[1] == "FLASH" else "SRAM"
            raise FitError(_too_much(chip, memory, int(match[2]))) from error
        raise
