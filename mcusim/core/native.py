"""The native core: binds the C library to a Unicorn engine."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from ctypes import byref, c_int16, c_uint32, c_uint64, c_void_p
from dataclasses import replace
from typing import Any

import numpy as np
from unicorn import UC_HOOK_BLOCK, UC_HOOK_CODE, arm_const, unicorn_const
from unicorn.unicorn_py3 import unicorn as binding
from unicorn.unicorn_py3.unicorn import Uc

from mcusim.core import library as lib
from mcusim.core import registers
from mcusim.core.interface import (
    CallNode,
    CodeRegion,
    CoreSpec,
    Counts,
    FunctionRange,
    LayerRecord,
    MemoryCount,
    MemoryMap,
    RunCount,
    SramRegion,
    StackRecord,
    Stop,
    StopState,
    StrayRead,
    TrackedBank,
    live_over_time,
)
from mcusim.timing.flash import AHEAD, CacheShape, FlashTiming
from mcusim.timing.model import TimingModel


def _regions(regions: Sequence[CodeRegion] | Sequence[SramRegion]) -> ctypes.Array[lib.Region]:
    rows = []
    for region in regions:
        content = np.frombuffer(region.data, np.uint8)
        rows.append(lib.Region(content.ctypes.data, region.start, content.size))
    return (lib.Region * len(rows))(*rows)


def _functions(functions: Sequence[FunctionRange]) -> ctypes.Array[lib.Function]:
    rows = [lib.Function(f.start, f.end, int(f.watch)) for f in functions]
    return (lib.Function * len(rows))(*rows)


def _banks(tracked: Sequence[TrackedBank], code: Sequence[CodeRegion]) -> ctypes.Array[lib.Bank]:
    """SRAM at all its addresses, then the memory that only holds code; nothing if nothing is tracked."""
    rows: list[lib.Bank] = []
    first = 0
    for bank in tracked:
        content = np.frombuffer(bank.data, np.uint8)
        rows += [lib.Bank(content.ctypes.data, start, content.size, first, 1) for start in bank.starts]
        first += content.size
    known = {start for bank in tracked for start in bank.starts}
    for region in code if tracked else ():
        if region.start not in known:
            content = np.frombuffer(region.data, np.uint8)
            rows.append(lib.Bank(content.ctypes.data, region.start, content.size, 0, 0))
    return (lib.Bank * len(rows))(*rows)


_CORE_REGISTERS = (
    *range(arm_const.UC_ARM_REG_R0, arm_const.UC_ARM_REG_R0 + 13),
    arm_const.UC_ARM_REG_SP,
    arm_const.UC_ARM_REG_LR,
)
_FORGET_CODE = unicorn_const.UC_CTL_IO_WRITE << 30 | 2 << 26 | unicorn_const.UC_CTL_TB_REMOVE_CACHE
"""``uc_ctl_remove_cache`` as the macros of Unicorn's unicorn.h encode it: a write of two arguments."""


def _emulator(uc: Uc) -> lib.Emulator:
    """The engine's handle and functions; the binding keeps them under names of its own."""

    def address(function: Any) -> int | None:
        return ctypes.cast(function, c_void_p).value

    library = binding.uclib
    return lib.Emulator(
        engine=uc._uch,
        hook_add=address(library.uc_hook_add),
        hook_del=address(library.uc_hook_del),
        emu_stop=address(library.uc_emu_stop),
        reg_read=address(library.uc_reg_read),
        control=address(library.uc_ctl),
        registers=registers.find(uc),
        core_registers=_CORE_REGISTERS,
        status_register=arm_const.UC_ARM_REG_XPSR,
        control_register=arm_const.UC_ARM_REG_CONTROL,
        process_stack_register=arm_const.UC_ARM_REG_PSP,
        code_hook_kind=UC_HOOK_CODE,
        forget_code=ctypes.c_int32(_FORGET_CODE).value,
        block_hook_kind=UC_HOOK_BLOCK,
        stack_pointer_register=arm_const.UC_ARM_REG_SP,
    )


def _cache(shape: CacheShape) -> lib.Cache:
    return lib.Cache(shape.sets, shape.ways, shape.line_bytes)


def _flash(flash: FlashTiming | None) -> lib.Flash:
    if flash is None:
        return lib.Flash()
    starts = (c_uint32 * 2)(flash.starts[0], flash.starts[-1])
    code, data = _cache(flash.code), _cache(flash.data)
    return lib.Flash(starts, flash.size, flash.wait_states, code, data, flash.prefetch, flash.runs_ahead)


class NativeCore:
    """The Core protocol on the C library. Raises OSError if the library cannot be used."""

    def __init__(self, uc: Uc, spec: CoreSpec) -> None:
        self._handle: int | None = None
        self._library = lib.load()
        self._uc = uc
        self._timing = lib.timing_table(TimingModel(spec.model))
        code, sram, functions = _regions(spec.code), _regions(spec.sram), _functions(spec.functions)
        banks = _banks(spec.tracked, spec.code)
        surveyed = (lib.Flash * len(spec.surveyed))(*map(_flash, spec.surveyed))
        areas = (lib.Area * len(spec.areas))(*(lib.Area(*area) for area in spec.areas))
        self._kept = (spec, code, sram, functions, banks, surveyed, areas)
        native = lib.Spec(
            emulator=_emulator(uc),
            timing=ctypes.pointer(self._timing),
            flash=_flash(spec.flash),
            surveyed=surveyed,
            surveyed_count=len(surveyed),
            accesses=ctypes.pointer(lib.access_table()),
            banks=banks,
            bank_count=len(banks),
            tracked_bytes=sum(bank.data.nbytes for bank in spec.tracked),
            code=code,
            sram=sram,
            functions=functions,
            areas=areas,
            area_count=len(areas),
            code_count=len(code),
            sram_count=len(sram),
            function_count=len(functions),
            stack_limit=spec.stack_limit,
            hash_accesses=spec.hash_accesses,
            null_end=spec.null_end,
            null_stops=spec.null_stops,
            cycle_limit=spec.cycle_limit,
        )
        self._handle = self._library.mcusim_core_new(byref(native))
        if not self._handle:
            raise OSError("the emulator refused the block callback")

    @property
    def cycles(self) -> int:
        """Cycles up to the start of the pending run's last known block."""
        return int(self._library.mcusim_core_cycles(self._handle))

    @property
    def block(self) -> tuple[int, int]:
        """Start and end of the last known block."""
        start, end = c_uint32(), c_uint32()
        self._library.mcusim_core_block(self._handle, byref(start), byref(end))
        return start.value, end.value

    def cycles_at(self, address: int) -> int:
        """Cycles up to the first execute cycle of an instruction of the pending run."""
        return int(self._library.mcusim_core_cycles_at(self._handle, address))

    @property
    def call_chain(self) -> Sequence[int]:
        """Starts of the functions on the shadow call stack, outermost first."""
        totals = self._totals()
        return _chain(self._nodes(totals.nodes), totals.current_node)

    def begin(self, address: int, stack_pointer: int, return_address: int = 0, measure: bool = True) -> None:
        """Forget all counts and start at ``address``."""
        self._library.mcusim_core_begin(self._handle, address, stack_pointer, return_address, measure)

    def resume(self) -> None:
        """Clear the stop state."""
        self._library.mcusim_core_resume(self._handle)

    def pause(self, pc: int) -> None:
        """The engine came to rest at ``pc``."""
        self._library.mcusim_core_pause(self._handle, pc)

    def note(self, pc: int, address: int, size: int, store: bool) -> None:
        """An access that no instruction makes by itself."""
        self._library.mcusim_core_note(self._handle, pc, address, size, store)

    def set_heap(self, start: int, end: int) -> None:
        """Where the heap is."""
        self._library.mcusim_core_set_heap(self._handle, start, end)

    def set_stack_limit(self, limit: int) -> None:
        """The lowest address that the main stack may have."""
        self._library.mcusim_core_set_stack_limit(self._handle, limit)

    def set_deadline(self, cycles: int) -> None:
        """Stop at the end of the run, or before the block, that comes at ``cycles`` or later."""
        self._library.mcusim_core_set_deadline(self._handle, cycles)

    def trap_unaligned(self, traps: bool) -> None:
        """Whether every unaligned access stops."""
        self._library.mcusim_core_trap_unaligned(self._handle, traps)

    def jump(self, address: int, cycles: int) -> None:
        """The machine moves execution to ``address``."""
        self._library.mcusim_core_jump(self._handle, address, cycles)

    def finish(self, end: int) -> None:
        """Commit the pending run up to ``end``."""
        self._library.mcusim_core_finish(self._handle, end)

    def stop_state(self) -> StopState:
        """Why the core stopped the engine."""
        row = lib.StopRow()
        self._library.mcusim_core_stop_state(self._handle, byref(row))
        return StopState(Stop(row.stop), row.address, row.instruction)

    def counts(self) -> Counts:
        """Everything counted so far; runs sorted by address."""
        totals = self._totals()
        memory, waits = self._memory()
        memory_map = self._memory_map() if self._kept[4] else None
        if memory_map is not None:
            memory = self._with_live_peaks(memory, memory_map)
        nodes = self._nodes(totals.nodes)
        high_water = (c_uint32 * len(self._kept[2]))()
        self._library.mcusim_core_high_water(self._handle, high_water)
        return Counts(
            cycles=totals.cycles,
            instructions=totals.instructions,
            runs=self._runs(totals.runs),
            nodes=nodes,
            layers=self._layers(totals.layers),
            stacks=self._stacks(totals.stacks, nodes),
            high_water=tuple(high_water),
            memory=memory,
            waits=waits,
            flash_reads=[self._flash_reads(i, len(nodes)) for i in range(len(self._kept[0].surveyed))],
            memory_map=memory_map,
        )

    def close(self) -> None:
        """Remove the hook and free native memory; further calls do nothing."""
        if self._handle:
            self._library.mcusim_core_free(self._handle)
            self._handle = None

    def _totals(self) -> lib.Totals:
        totals = lib.Totals()
        self._library.mcusim_core_totals(self._handle, byref(totals))
        return totals

    def _runs(self, count: int) -> Sequence[RunCount]:
        rows = (lib.RunRow * count)()
        self._library.mcusim_core_runs(self._handle, rows)
        runs = [RunCount(r.start, r.end, r.next, r.count, r.node, r.outcome) for r in rows]
        return tuple(sorted(runs, key=lambda run: (run.start, run.end, run.next, run.node, run.outcome)))

    def _nodes(self, count: int) -> Sequence[CallNode]:
        rows = (lib.NodeRow * count)()
        self._library.mcusim_core_nodes(self._handle, rows)
        return tuple(CallNode(r.function, r.parent, r.calls, r.cycles, r.instructions) for r in rows)

    def _layers(self, count: int) -> Sequence[LayerRecord]:
        rows = (lib.LayerRow * count)()
        self._library.mcusim_core_layers(self._handle, rows)
        return tuple(
            LayerRecord(
                r.function,
                r.calls,
                r.cycles,
                r.instructions,
                r.touched_bytes,
                r.stack_bytes,
                r.live_peak_bytes,
                r.unread_bytes,
            )
            for r in rows
        )

    def _stacks(self, count: int, nodes: Sequence[CallNode]) -> tuple[StackRecord, ...]:
        rows, areas = (lib.StackRow * count)(), self._kept[0].areas
        self._library.mcusim_core_stacks(self._handle, rows)
        return tuple(
            StackRecord(
                top=row.top,
                lowest=row.lowest,
                chain=_chain(nodes, row.node),
                area=areas[row.area] if row.area >= 0 else None,
                is_process=bool(row.is_process),
            )
            for row in rows
        )

    def _memory_map(self) -> MemoryMap:
        found = lib.MapRow()
        self._library.mcusim_core_map(self._handle, byref(found))
        cells = found.rows * found.columns
        rows, owners, alive = (c_uint32 * found.rows)(), (c_int16 * cells)(), (c_uint64 * cells)()
        self._library.mcusim_core_map_rows(self._handle, rows, owners, alive)
        layers = self._layers(self._totals().layers)
        return MemoryMap(
            width=found.width,
            columns=found.columns,
            row_bytes=found.row_bytes,
            rows=tuple(rows),
            layers=tuple(layer.function for layer in layers),
            owners=bytes(owners),
            alive=bytes(alive),
        )

    def _memory(self) -> tuple[MemoryCount, dict[int, int]]:
        totals = lib.MemoryRow()
        self._library.mcusim_core_memory(self._handle, byref(totals))
        unwritten = (lib.StrayRow * totals.unwritten)()
        self._library.mcusim_core_unwritten(self._handle, unwritten)
        null_reads = (lib.StrayRow * totals.null_reads)()
        self._library.mcusim_core_null_reads(self._handle, null_reads)
        memory = MemoryCount(
            touched_bytes=totals.touched_bytes,
            live_peak_bytes=totals.live_peak_bytes,
            heap_live_peak_bytes=totals.heap_live_peak_bytes,
            unread_bytes=totals.unread_bytes,
            unwritten=tuple(StrayRead(r.pc, r.address, r.count) for r in unwritten),
            null_reads=tuple(StrayRead(r.pc, r.address, r.count) for r in null_reads),
            lost_accesses=totals.lost_accesses,
            stream_hash=totals.stream_hash,
        )
        waits = (lib.WaitRow * totals.waits)()
        self._library.mcusim_core_waits(self._handle, waits)
        return memory, dict(sorted((row.pc, row.cycles) for row in waits))

    def _with_live_peaks(self, memory: MemoryCount, memory_map: MemoryMap) -> MemoryCount:
        regions = (c_uint32 * len(self._kept[2]))()
        columns = (c_uint32 * memory_map.columns)()
        self._library.mcusim_core_live_peaks(self._handle, regions, columns)
        return replace(
            memory, region_live_peaks=tuple(regions), live=live_over_time(tuple(columns), memory_map.width)
        )

    def _flash_reads(self, flash: int, nodes: int) -> list[tuple[int, ...]]:
        counts = (c_uint64 * (nodes * AHEAD))()
        self._library.mcusim_core_flash_reads(self._handle, flash, counts)
        return [tuple(counts[node * AHEAD : (node + 1) * AHEAD]) for node in range(nodes)]


def _chain(nodes: Sequence[CallNode], node: int) -> tuple[int, ...]:
    """Functions from the root to ``node``."""
    chain = []
    while node >= 0:
        chain.append(nodes[node].function)
        node = nodes[node].parent
    return tuple(reversed(chain))
