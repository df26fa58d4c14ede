"""The Image: an executable as it lies in the chip's memory, with what it says of itself."""

from __future__ import annotations

import bisect
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

from mcusim.chips import Chip
from mcusim.errors import InputError
from mcusim.image.lines import LineTable
from mcusim.image.symbols import Function, Symbol, SymbolTable
from mcusim.layer_section import LayerSection, Location

STACK_TOP_SYMBOLS = ("__stack_top", "__StackTop", "_estack", "__stack")
STACK_LIMIT_SYMBOLS = ("__stack_limit", "__StackLimit", "_sstack", "__stack_start__")
HEAP_START_SYMBOLS = ("__heap_start", "__HeapBase", "__heap_start__", "_sheap")
HEAP_END_SYMBOLS = ("__heap_end", "__HeapLimit", "__heap_end__", "_eheap")
HEAP_ARRAYS = ("ucHeap",)
"""Arrays that an allocator gives memory from: FreeRTOS' heap_1, heap_2 and heap_4."""
STACK_AND_HEAP_SECTIONS = ("._user_heap_stack", ".stack", ".heap", ".stack_dummy", ".heap_dummy")
"""Sections by which common linker scripts only reserve room."""


@dataclass(frozen=True)
class Segment:
    """Bytes that a programmer writes to ``load_address``; the code expects them at ``address``."""

    load_address: int
    address: int
    data: bytes
    memory_size: int
    executable: bool


@dataclass(frozen=True)
class Section:
    """An allocated section; ``occupies_file`` is false for .bss and the like."""

    name: str
    address: int
    size: int
    executable: bool
    occupies_file: bool

    @property
    def is_reservation(self) -> bool:
        """Whether it only keeps room for stack or heap."""
        return self.name in STACK_AND_HEAP_SECTIONS


@dataclass(frozen=True)
class Boot:
    """What the core does at reset: reads the stack pointer and the first address from the table."""

    vector_table: int
    stack_pointer: int
    reset: int


@dataclass(frozen=True)
class Sizes:
    """Bytes. ``static_sram``: sections in SRAM without arena, scratch, stack and heap reservations."""

    text: int
    flash: int
    static_sram: int
    arena: int
    scratch: int


@dataclass(frozen=True, eq=False)
class Image:
    """``functions`` is sorted by start; ``layers`` is None if the file has no layer section."""

    path: str
    sha256: str
    entry: int
    segments: tuple[Segment, ...]
    sections: tuple[Section, ...]
    functions: tuple[Function, ...]
    table: SymbolTable
    layers: LayerSection | None
    lines: LineTable = field(repr=False)
    heap_symbol: str = ""
    """An array that the user says to be an allocator's."""

    def symbol(self, name: str) -> Symbol | None:
        return self.table.by_name.get(name)

    def address_of(self, location: Location) -> int:
        """Address of a location of the layer section; raises InputError if its symbol is missing."""
        symbol = self.symbol(location.symbol)
        if symbol is None:
            raise InputError(f"{self.path}: the layer section names {location.symbol!r}, which is no symbol")
        return symbol.address + location.offset

    def start_of(self, name: str) -> int:
        """Address of a function that the layer section names; raises InputError if there is none."""
        symbol = self.symbol(name)
        if symbol is None:
            raise InputError(f"{self.path}: the layer section names {name!r}, which is no symbol")
        return symbol.address

    def function_at(self, address: int) -> Function | None:
        """The function whose code holds ``address``."""
        index = bisect.bisect_right(self.functions, address, key=lambda function: function.start) - 1
        if index < 0 or address >= self.functions[index].end:
            return None
        return self.functions[index]

    def function_named(self, name: str) -> Function | None:
        """The function of that name, None if there is none."""
        return next((function for function in self.functions if function.name == name), None)

    def object_at(self, address: int) -> Symbol | None:
        """The variable that holds ``address``."""
        inside = (s for s in self.table.symbols if s.address <= address < s.address + s.size)
        return next((symbol for symbol in inside if not symbol.is_function), None)

    def occupies(self, start: int, size: int) -> bool:
        """Whether the code expects anything of the image in [start, start + size)."""
        return any(
            segment.address < start + size and start < segment.address + segment.memory_size
            for segment in self.segments
        )

    @property
    def stack_top(self) -> int | None:
        return self._first(STACK_TOP_SYMBOLS)

    @property
    def stack_limit(self) -> int | None:
        """Lowest address the stack may use, if the image says so."""
        return self._first(STACK_LIMIT_SYMBOLS)

    @property
    def heap(self) -> tuple[int, int] | None:
        """[start, end) of the heap, if the image names both or has an allocator's array."""
        start, end = self._first(HEAP_START_SYMBOLS), self._first(HEAP_END_SYMBOLS)
        if start is not None and end is not None and start <= end:
            return start, end
        array = next((self.symbol(name) for name in self._heap_arrays() if self.symbol(name)), None)
        return (array.address, array.address + array.size) if array else None

    def _heap_arrays(self) -> tuple[str, ...]:
        return (self.heap_symbol,) if self.heap_symbol else HEAP_ARRAYS

    def _first(self, names: Iterable[str]) -> int | None:
        found = (self.table.by_name.get(name) for name in names)
        return next((symbol.address for symbol in found if symbol), None)

    def boot(self, chip: Chip) -> Boot:
        """Check that the image can start on ``chip`` and say how.

        Raises InputError if a segment lies outside the chip's memory or there is no vector table.
        """
        self._check_regions(chip)
        address = self._vector_table(chip)
        words = self._bytes_at(chip, address, 8)
        if words is None:
            raise InputError(f"{self.path}: no vector table, nothing is loaded at 0x{address:08x}")
        stack_pointer, reset = struct.unpack("<II", words)
        if not _is_stack_pointer(chip, stack_pointer):
            raise InputError(
                f"{self.path}: no vector table at 0x{address:08x}, its first word 0x{stack_pointer:08x} "
                f"is not a stack pointer into the SRAM of {chip.name}"
            )
        if not reset & 1:
            raise InputError(
                f"{self.path}: no vector table at 0x{address:08x}, its reset vector 0x{reset:08x} "
                "is not a Thumb address"
            )
        if self._bytes_at(chip, _without_alias(chip, reset & ~1), 2) is None:
            raise InputError(f"{self.path}: the reset vector 0x{reset:08x} points to no code of the image")
        return Boot(address, stack_pointer & ~3, reset)

    def sizes(self, chip: Chip) -> Sizes:
        """What the image occupies in the memories of ``chip``."""
        sram = [region for region in chip.regions if region.kind == "sram"]
        arena = self.layers.arena if self.layers else None
        arena_bytes = arena.bytes if arena else 0
        scratch_bytes = arena.scratch_bytes if arena else 0
        reserved = self._reserved()
        static = 0
        for section in self.sections:
            if section.is_reservation:
                continue
            if any(region.holds(section.address) for region in sram):
                static += section.size - _overlap(section, reserved)
        return Sizes(
            text=sum(section.size for section in self.sections if section.executable)
            or sum(len(segment.data) for segment in self.segments if segment.executable),
            flash=sum(len(segment.data) for segment in self.flash_segments(chip)),
            static_sram=static,
            arena=arena_bytes,
            scratch=scratch_bytes,
        )

    def flash_segments(self, chip: Chip) -> tuple[Segment, ...]:
        """What a programmer writes to the flash of ``chip``."""
        return tuple(segment for segment in self.segments if segment.data and _in_flash(chip, segment))

    def is_static(self, chip: Chip, address: int) -> bool:
        """Whether the byte counts among the static data."""
        if any(low <= address < high for low, high in self._reserved()):
            return False
        sram = [region for region in chip.regions if region.kind == "sram"]
        return any(
            section.address <= address < section.address + section.size
            and not section.is_reservation
            and any(region.holds(address) for region in sram)
            for section in self.sections
        )

    def _reserved(self) -> list[tuple[int, int]]:
        """Ranges in SRAM that are counted under a name of their own: arena, scratch, stack, heap."""
        ranges = []
        if self.layers:
            arena = self.layers.arena
            for name, size in ((arena.symbol, arena.bytes), (arena.scratch_symbol, arena.scratch_bytes)):
                symbol = self.symbol(name)
                if symbol and size:
                    ranges.append((symbol.address, symbol.address + size))
        limit, top = self.stack_limit, self.stack_top
        if limit is not None and top is not None and limit < top:
            ranges.append((limit, top))
        if self.heap:
            ranges.append(self.heap)
        return ranges

    def _check_regions(self, chip: Chip) -> None:
        for number, segment in enumerate(self.segments):
            spans = [(segment.address, segment.memory_size)]
            if segment.data:
                spans.append((segment.load_address, len(segment.data)))
            for start, size in spans:
                if size and chip.region_at(_without_alias(chip, start), size) is None:
                    raise InputError(
                        f"{self.path}: segment {number} (0x{start:08x} to 0x{start + size:08x}) "
                        f"lies outside the memory of {chip.name}"
                    )

    def _vector_table(self, chip: Chip) -> int:
        """Start of flash if something is loaded there, else the lowest address that is loaded."""
        start = chip.flash.start
        if self._bytes_at(chip, start, 8) is not None:
            return start
        loaded = [_without_alias(chip, segment.load_address) for segment in self.segments if segment.data]
        return min(loaded, default=start)

    def _bytes_at(self, chip: Chip, address: int, size: int) -> bytes | None:
        """What is loaded at an address that is no alias."""
        for segment in self.segments:
            for start in (segment.load_address, segment.address):
                offset = address - _without_alias(chip, start)
                if 0 <= offset <= len(segment.data) - size:
                    return segment.data[offset : offset + size]
        return None


def _is_stack_pointer(chip: Chip, value: int) -> bool:
    inside = any(region.start < value <= region.end for region in chip.regions if region.kind == "sram")
    return inside and value % 4 == 0


def _in_flash(chip: Chip, segment: Segment) -> bool:
    region = chip.region_at(_without_alias(chip, segment.load_address))
    return region is not None and region.kind == "flash"


def _without_alias(chip: Chip, address: int) -> int:
    """``address``, or what it is an alias of."""
    for region in chip.regions:
        for alias in region.aliases:
            if alias <= address < alias + region.size:
                return address - alias + region.start
    return address


def _overlap(section: Section, ranges: Iterable[tuple[int, int]]) -> int:
    """Bytes of the section inside ``ranges``, which do not overlap each other."""
    end = section.address + section.size
    return sum(max(0, min(end, high) - max(section.address, low)) for low, high in ranges)
