"""What a core is: the part that watches execution. The native library and the Python twin both are one.

A core is handed a Unicorn engine and counts. It cuts execution into linear runs [start, end), costs each
distinct run once, keeps counts per (start, end, next), a live cycle counter, a shadow call stack with a
call tree, and the deepest stack pointer. It stops emulation at watched functions and at limits.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mcusim.timing.flash import FlashTiming


class Stop(enum.IntEnum):
    """Why the core stopped emulation by itself; ``NONE`` if it did not."""

    NONE = 0
    ENTERED = 1  # about to execute the first instruction of a function marked ``stop``
    RETURNED = 2  # about to execute the instruction behind the call of that function
    CYCLES = 3  # the cycle limit is reached
    STACK = 4  # the stack pointer went below the limit
    UNDECODED = 5  # a run holds an instruction that the decoder does not know
    AGAIN = 6  # nothing happened: emulation just has to be started again
    NULL = 7  # an access through a null pointer
    UNALIGNED = 8  # an access to an address at which the core faults, as it is not aligned
    DEADLINE = 9  # the deadline that was set is reached, and nothing else stopped


class Watch(enum.IntFlag):
    """What the core does at a function's entry and return, beside counting."""

    NOTHING = 0
    STOP = 1
    LAYER = 2


@dataclass(frozen=True)
class FunctionRange:
    """A function's code [start, end), bit 0 of the address clear."""

    start: int
    end: int
    watch: Watch = Watch.NOTHING


@dataclass(frozen=True)
class CodeRegion:
    """Memory that may hold code: ``data`` shares memory with the emulator, so it is always current."""

    start: int
    data: memoryview


@dataclass(frozen=True)
class SramRegion:
    """A part of the SRAM whose high-water mark is told apart."""

    start: int
    data: memoryview


@dataclass(frozen=True)
class TrackedBank:
    """SRAM whose accesses are followed: ``data`` appears at each of ``starts``."""

    starts: tuple[int, ...]
    data: memoryview


@dataclass(frozen=True)
class CoreSpec:
    """Everything a core needs to know before the first instruction.

    ``model`` names a fetch and pipeline variant of ``mcusim.timing``. ``functions`` is sorted by start.
    ``stack_limit`` is the lowest address the stack pointer may have, 0 for none. Without ``tracked`` banks
    memory is not measured, and what depends on data is not charged: data that are not aligned, constants in
    flash, operands of divisions, loads and stores that were skipped. ``flash``: what its reads cost, None for
    nothing. ``surveyed``: flashes whose reads are counted beside that, without charging them. ``areas``:
    memory [start, end) that may be stacks, sorted and without overlap. ``hash_accesses``: see
    ``MemoryCount.stream_hash``. ``null_end``: accesses below this address, by an instruction whose address is
    not relative to itself, are taken for those of null pointers; they stop with ``null_stops``.
    """

    model: str
    code: Sequence[CodeRegion]
    sram: Sequence[SramRegion]
    functions: Sequence[FunctionRange]
    stack_limit: int = 0
    cycle_limit: int = 0
    tracked: Sequence[TrackedBank] = ()
    flash: FlashTiming | None = None
    surveyed: Sequence[FlashTiming] = ()
    areas: Sequence[tuple[int, int]] = ()
    hash_accesses: bool = False
    null_end: int = 0
    null_stops: bool = False


@dataclass(frozen=True)
class RunCount:
    """How often [start, end) ran as one linear run and was followed by ``next`` (0: no branch), in one node
    of the call tree (-1: before the first), with one ``outcome`` of what depends on data (see
    ``mcusim.timing.outcomes``; 0 where accesses were not followed)."""

    start: int
    end: int
    next: int
    count: int
    node: int = -1
    outcome: int = 0


@dataclass(frozen=True)
class CallNode:
    """A node of the call tree: ``function`` (its start address; of a target that no function range
    starts at, that target) called under ``parent`` (index of a node, -1 at the root)."""

    function: int
    parent: int
    calls: int
    cycles_self: int
    instructions_self: int


@dataclass(frozen=True)
class LayerRecord:
    """Totals over all calls of the function marked LAYER that starts at ``function``, callees included.

    ``touched_bytes`` counts the distinct SRAM bytes read or written between entry and return of any call;
    ``stack_bytes`` is the deepest stack below the stack pointer at entry; ``live_peak_bytes`` the most SRAM
    bytes that at one moment of any call held a value still to be read, by the layer or after it;
    ``unread_bytes`` those that it wrote and nobody ever read, each time counted. A call that has not returned
    is not in the totals, but its bytes are.
    """

    function: int
    calls: int
    cycles: int
    instructions: int
    touched_bytes: int
    stack_bytes: int
    live_peak_bytes: int = 0
    unread_bytes: int = 0


@dataclass(frozen=True)
class StrayRead:
    """``pc`` read what it should not: ``count`` times, ``address`` was where first."""

    pc: int
    address: int
    count: int


@dataclass(frozen=True)
class MemoryCount:
    """What happened in SRAM since ``begin``; zeros where memory is not measured.

    ``touched_bytes``: distinct bytes read or written. ``live_peak_bytes``: the most bytes that at one moment
    held a value still to be read. ``unread_bytes``: bytes written whose value was never read, each time
    counted. ``unwritten``: reads of bytes never written, by instruction; ``null_reads``: accesses below
    ``CoreSpec.null_end`` that did not stop. ``lost_accesses``: accesses that
    could not be followed; all else is exact if there are none. ``stream_hash``: of every access that an
    instruction made to tracked memory, in their order (see mcusim.core.stream), 0 unless it is asked for.
    """

    touched_bytes: int = 0
    live_peak_bytes: int = 0
    unread_bytes: int = 0
    unwritten: tuple[StrayRead, ...] = ()
    null_reads: tuple[StrayRead, ...] = ()
    lost_accesses: int = 0
    stream_hash: int = 0
    region_live_peaks: tuple[int, ...] = ()
    """As ``live_peak_bytes``, for each of ``CoreSpec.sram`` by itself, without the heap."""
    heap_live_peak_bytes: int = 0
    """The same for what ``Core.set_heap`` named."""
    live: tuple[tuple[int, int], ...] = ()
    """Pairs of a cycle and the most bytes that were live from then to the next pair's cycle."""


def live_over_time(columns: Sequence[int], width: int) -> tuple[tuple[int, int], ...]:
    """``MemoryCount.live`` of the peaks in columns of ``width`` cycles; equal neighbours are one."""
    return tuple(
        (column * width, peak)
        for column, peak in enumerate(columns)
        if not column or peak != columns[column - 1]
    )


@dataclass(frozen=True)
class MemoryMap:
    """Who wrote what lies where in the tracked banks, one behind the other, and what of it is alive.

    A column is ``width`` cycles. A row is ``row_bytes`` bytes; ``rows`` are the numbers of those that were
    written. ``owners``: rows by columns of int16, who wrote there last in that column: 0 nobody, 1 code
    outside all layers, 2 + n the layer function ``layers[n]``. ``alive``: rows by columns of uint64, bit n
    set where at some time of the column the n-th 64th of the row held a value still to be read.
    """

    width: int
    columns: int
    row_bytes: int
    rows: tuple[int, ...]
    layers: tuple[int, ...]
    owners: bytes
    alive: bytes


@dataclass(frozen=True)
class StackRecord:
    """A stack, from ``top`` down to the ``lowest`` stack pointer seen, with the call chain of function
    starts, outermost first, at that moment. ``area`` is the one of ``CoreSpec.areas`` that it lies in; its
    pointer is PSP with ``is_process``, else MSP."""

    top: int
    lowest: int
    chain: Sequence[int]
    area: tuple[int, int] | None = None
    is_process: bool = False


@dataclass(frozen=True)
class Counts:
    """What a core knows when it is asked. ``stacks``: in the order in which they were taken up, that of reset
    first."""

    cycles: int
    instructions: int
    runs: Sequence[RunCount]
    nodes: Sequence[CallNode]
    layers: Sequence[LayerRecord]
    stacks: Sequence[StackRecord]
    high_water: Sequence[int] = field(default_factory=tuple)
    """Per SRAM region: end of the highest written byte, relative to the region's start."""
    memory: MemoryCount = field(default_factory=MemoryCount)
    waits: Mapping[int, int] = field(default_factory=dict)
    """Cycles beyond those of the runs, by instruction: data that are not aligned, constants in flash, and,
    at the start of a run, its code."""
    flash_reads: Sequence[Sequence[Sequence[int]]] = ()
    """Per surveyed flash and node of the call tree: reads that wait, by the cycles of each that prefetch did
    before it is wanted (``timing.flash.AHEAD`` counters, the last for as many or more)."""
    memory_map: MemoryMap | None = None
    """None where memory is not tracked."""


@dataclass(frozen=True)
class StopState:
    """``address``: of the function (ENTERED, RETURNED), the stack pointer (STACK), the data (NULL, UNALIGNED)
    or the instruction (UNDECODED); ``instruction``: address of the one to blame, 0 if there is none."""

    stop: Stop
    address: int = 0
    instruction: int = 0


class Core(Protocol):
    """Watches one engine from construction on."""

    @property
    def cycles(self) -> int:
        """Cycles up to the start of the current linear run's last known block; live."""

    @property
    def block(self) -> tuple[int, int]:
        """Start and end of the last known block, which runs now."""

    def cycles_at(self, address: int) -> int:
        """Cycles up to the first execute cycle of the instruction at ``address``, which lies in the pending
        run; live, so it may be asked while the instruction accesses a device."""

    @property
    def call_chain(self) -> Sequence[int]:
        """Starts of the functions on the shadow call stack, outermost first."""

    def begin(self, address: int, stack_pointer: int, return_address: int = 0, measure: bool = True) -> None:
        """Forget all counts; execution starts at ``address`` with a taken branch.

        With a ``return_address`` the first frame is a call: reaching that address by a return stops with
        ``RETURNED``, which serves batches that enter a function again. A stop on entry does not apply to
        ``address`` itself. All SRAM counts as never written; without ``measure`` accesses only cost.
        """

    def resume(self) -> None:
        """Clear the stop state; the engine goes on where it stopped."""

    def pause(self, pc: int) -> None:
        """The engine came to rest at ``pc``; to be called before the machine changes registers."""

    def note(self, pc: int, address: int, size: int, store: bool) -> None:
        """``size`` bytes are read or written that no instruction accesses by itself: inputs, exception
        frames, segments loaded to SRAM. ``pc`` is the instruction to blame, 0 for none."""

    def set_heap(self, start: int, end: int) -> None:
        """Bytes [start, end) of one bank of SRAM are the heap, and so is what was before; forgotten by
        ``begin``. Values that ended earlier count where they were."""

    def set_stack_limit(self, limit: int) -> None:
        """The lowest address that the main stack may have, from now on; 0 for none."""

    def trap_unaligned(self, traps: bool) -> None:
        """Whether every access to an address that is not aligned stops (CCR.UNALIGN_TRP), not only those
        that always fault."""

    def set_deadline(self, cycles: int) -> None:
        """Stop with ``DEADLINE`` at the first end of a run at ``cycles`` or later, at the next block if that
        is over; again and again until another deadline is set."""

    def jump(self, address: int, cycles: int) -> None:
        """The machine (not a branch) moves execution to ``address``, charging ``cycles``: exceptions.

        The registers are those behind it; the stack pointer may be that of another stack, or lie below a
        frame of registers. A jump to the innermost return address is that return. Else, in an exception
        (xPSR), one to a function's start enters its handler, to come back to where execution was, or to where
        the handler before it would have, if nothing was unstacked in between. Else it leaves the exception
        that was entered last, perhaps for another thread; if there is none, it calls the function that starts
        there, or returns to an address on the shadow call stack.
        """

    def finish(self, end: int) -> None:
        """Commit the pending run up to ``end``, the address behind the last executed instruction.

        An address outside the pending run says that it was left by a jump: all of it ran.
        """

    def stop_state(self) -> StopState:
        """Why the engine stopped."""

    def counts(self) -> Counts:
        """Everything counted so far."""

    def close(self) -> None:
        """Remove the hooks and free native memory."""
