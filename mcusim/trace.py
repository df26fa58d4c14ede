"""The Trace: the one versioned document that reports, diffs, exports and budgets read.

The simulator writes it, nothing changes it. Apart from ``host``, two runs of the same firmware with
the same inputs give byte-identical traces.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

from mcusim.errors import InputError

FORMAT = "mcusim.trace"
VERSION = 1


class FlashSymbol(msgspec.Struct, frozen=True, kw_only=True):
    """``bytes`` of flash that belong to a name; ``part`` is "text", "constants", "weights" or "initial"
    (first values of what lies in SRAM). A section's name in brackets stands for bytes in it that no symbol
    claims."""

    name: str
    part: str
    address: int
    bytes: int


class Flash(msgspec.Struct, frozen=True, kw_only=True):
    """The five sums add up to ``flash_bytes`` of the firmware, those of ``symbols`` to all but the padding.

    ``weight_bytes`` are constants that a network's layers own, 0 without a layer section. Symbols are sorted
    by address.
    """

    text_bytes: int
    constant_bytes: int
    weight_bytes: int
    initial_bytes: int
    padding_bytes: int
    symbols: tuple[FlashSymbol, ...] = ()


class Firmware(msgspec.Struct, frozen=True, kw_only=True):
    """``flash_bytes`` is everything the image occupies in flash; ``text_bytes`` the executable part;
    ``network`` the name of the network inside, empty without a layer section."""

    path: str
    sha256: str
    text_bytes: int
    flash_bytes: int
    static_sram_bytes: int
    build: dict[str, Any]
    network: str = ""
    flash: Flash | None = None


class ChipInfo(msgspec.Struct, frozen=True, kw_only=True):
    """``sram_bytes`` and ``flash_bytes`` are the sizes of all its regions of that kind."""

    name: str
    clock_hz: int
    wait_states: int
    sram_bytes: int = 0
    flash_bytes: int = 0


class TimingInfo(msgspec.Struct, frozen=True, kw_only=True):
    """``error`` says in words what is known of the model's error for this run."""

    model: str
    version: int
    error: str


class Exit(msgspec.Struct, frozen=True, kw_only=True):
    """``reason`` is "exit" for the firmware's own end, "returned" when the network call ended the run,
    else the ``reason`` of the error; ``code`` is the firmware's or the simulator's exit code."""

    reason: str
    code: int


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """``macs`` is 0 when the firmware carries no layer section. ``cycles_low`` and ``cycles_high``: with
    every rule of the timing model at the end of its range; 0 where they were not found."""

    cycles: int
    instructions: int
    seconds: float
    macs: int
    cycles_low: int = 0
    cycles_high: int = 0


class Region(msgspec.Struct, frozen=True, kw_only=True):
    """``high_water_bytes``: from the region's start to the end of the highest byte that was written."""

    name: str
    size: int
    high_water_bytes: int


class Stack(msgspec.Struct, frozen=True, kw_only=True):
    """A stack that was used. ``pointer`` is "msp" or "psp"; ``name`` the symbol that it lies in, "main" for
    that of reset. ``bytes`` is its deepest point, with the calls made there, outermost first.
    ``reserved_bytes`` is what static data or heap hold for it; 0 for a stack that counts by itself."""

    name: str
    pointer: str
    bytes: int
    reserved_bytes: int = 0
    chain: tuple[str, ...] = ()


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """sram_peak = static + arena + scratch + stack + heap. ``input_bytes`` lies inside ``arena_bytes``.

    Touched, live, dead and unread bytes are 0 where accesses were not followed. ``touched_bytes``: distinct
    SRAM bytes read or written; ``live_peak_bytes``: the most that at one moment held a value still to be
    read, and the same for arena and heap alone; ``dead_bytes``: the SRAM peak beyond that; ``unread_bytes``:
    bytes written whose value nobody read, each time counted. ``live``: pairs of a cycle and the most bytes
    that were live from then to the next pair's cycle. ``stack_chain``: the functions, outermost first, that
    were being called when the main stack was deepest. ``stacks`` tells all stacks apart; ``stack_bytes`` sums
    those outside the static data.
    """

    sram_peak_bytes: int
    static_bytes: int
    arena_bytes: int
    scratch_bytes: int
    stack_bytes: int
    heap_bytes: int
    input_bytes: int
    regions: tuple[Region, ...]
    arena_high_water_bytes: int = 0
    touched_bytes: int = 0
    live_peak_bytes: int = 0
    unread_bytes: int = 0
    stack_chain: tuple[str, ...] = ()
    stacks: tuple[Stack, ...] = ()
    dead_bytes: int = 0
    arena_live_peak_bytes: int = 0
    heap_live_peak_bytes: int = 0
    live: tuple[tuple[int, int], ...] = ()


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """``macs``: of the calls made. ``cycles_low``, ``cycles_high``: as of the totals. ``touched_bytes``:
    distinct SRAM bytes read or written, the stack's among them. ``live_peak_bytes``: the most SRAM bytes that
    at one moment held a value still to be read, by the layer or after it; ``dead_bytes``: those of the run's
    SRAM peak that at no moment of the layer did; ``unread_bytes``: bytes that it wrote and nobody read. All
    are 0 where accesses were not followed. ``stack_bytes``: below the layer's entry."""

    index: int
    name: str
    op: str
    symbol: str
    calls: int
    cycles: int
    instructions: int
    macs: int
    touched_bytes: int
    live_peak_bytes: int
    stack_bytes: int
    shape_in: tuple[int, ...]
    shape_out: tuple[int, ...]
    stage: int = 0
    cycles_low: int = 0
    cycles_high: int = 0
    dead_bytes: int = 0
    unread_bytes: int = 0


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """``cycles_total`` includes callees, counted once under recursion."""

    name: str
    file: str
    line: int
    calls: int
    cycles_self: int
    cycles_total: int
    instructions: int


class CallTreeNode(msgspec.Struct, frozen=True, kw_only=True):
    """``functions[function]`` as called under the node ``parent`` (-1 at the root), which comes before it;
    cycles and instructions of its own. Siblings stand in the order of their first calls, and recursion is
    folded into the outermost call."""

    function: int
    parent: int
    calls: int
    cycles: int
    instructions: int


class HotInstruction(msgspec.Struct, frozen=True, kw_only=True):
    """An instruction in ``functions[function]``; ``executions`` counts passes in which a condition skipped
    it too. ``text`` is its assembly, ``file`` and ``line`` are where it is from, "" and 0 if unknown."""

    function: int
    address: int
    text: str
    file: str
    line: int
    executions: int
    cycles: int


class SramPart(msgspec.Struct, frozen=True, kw_only=True):
    """Where a part of the SRAM peak lies: arena, scratch, stack as deep as it went, or heap."""

    name: str
    address: int
    bytes: int


class SramMap(msgspec.Struct, frozen=True, kw_only=True):
    """SRAM over time as a grid of ``columns`` of ``column_cycles`` cycles by rows of ``row_bytes`` bytes.

    ``spans``: pairs of an address and the number of rows that follow from there; rows that were never
    written are left out. Packed (base64 of zlib) are, row by row: ``writers``, int16, the position in
    ``layers`` of who wrote what lies there (the last one in that column; -1: code outside all layers, -2:
    nobody yet), and ``live``, uint8, how many 64ths of the row at some time of the column held a value still
    to be read.
    """

    column_cycles: int
    columns: int
    row_bytes: int
    spans: tuple[tuple[int, int], ...]
    writers: str
    live: str
    parts: tuple[SramPart, ...] = ()


class Inferences(msgspec.Struct, frozen=True, kw_only=True):
    """Inputs run through one image; the rest of the trace is of the first one."""

    count: int
    cycles_min: int
    cycles_max: int
    cycles_mean: float


class FlashReads(msgspec.Struct, frozen=True, kw_only=True):
    """How often a kind of flash would be read, so that its wait states can be charged afterwards: where it
    appears, lines, ways and bytes a line of its caches of ``code`` and ``data``, and whether it has
    a ``prefetch``; the rest is as in ``mcusim.timing.flash.FlashTiming``. ``reads`` is packed, see
    ``mcusim.profile.flash_reads``."""

    starts: tuple[int, ...]
    code: tuple[int, int, int]
    data: tuple[int, int, int]
    prefetch: bool
    reads: str
    runs_ahead: bool = True


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """What ran, for costing it again. ``code`` and ``runs`` are packed (see mcusim.profile.execution): the
    code, and how often every linear run of it was executed in each place. ``places``: pairs of a node of the
    call tree and the layer it worked for (its position, -1 for none). ``other``: place, and low, best and
    high cycles spent there beside those of the runs. ``network_call``: function that is the network's.
    ``flashes``: the chip's own, as it most
    likely is, at its fastest and at its slowest, then others; empty where they were not surveyed."""

    code: str
    runs: str
    places: tuple[tuple[int, int], ...]
    other: tuple[tuple[int, int, int, int], ...] = ()
    network_call: int = -1
    flashes: tuple[FlashReads, ...] = ()


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """``seconds`` is emulation alone, on the host."""

    seconds: float
    mcusim_version: str


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    format: Literal["mcusim.trace"] = "mcusim.trace"
    version: Literal[1] = 1
    firmware: Firmware
    chip: ChipInfo
    timing: TimingInfo
    exit: Exit
    totals: Totals
    memory: Memory
    layers: tuple[Layer, ...]
    functions: tuple[Function, ...]
    call_tree: tuple[CallTreeNode, ...] = ()
    hot_instructions: tuple[HotInstruction, ...] = ()
    sram_map: SramMap | None = None
    schedule: dict[str, Any]
    inferences: Inferences | None = None
    execution: Execution | None = None
    warnings: tuple[str, ...] = ()
    host: Host


def dump(trace: Trace) -> bytes:
    """Indented JSON, one trailing newline."""
    return msgspec.json.format(msgspec.json.encode(trace), indent=2) + b"\n"


def load(path: Path) -> Trace:
    """Raises InputError if ``path`` cannot be read or is not a trace of a known version."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Trace)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not an mcusim trace of version {VERSION} ({error})") from error


def json_schema() -> dict[str, Any]:
    """The published JSON Schema (draft 2020-12) of the document."""
    schema = msgspec.json.schema(Trace)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "mcusim trace", **schema}
