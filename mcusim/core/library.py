"""The native library as ctypes sees it; mirrors native/mcusim_core.h."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Sequence
from ctypes import (
    POINTER,
    Structure,
    c_int16,
    c_int32,
    c_uint8,
    c_uint16,
    c_uint32,
    c_uint64,
    c_void_p,
)
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from mcusim.timing.decode import ENCODINGS16, ENCODINGS32
from mcusim.timing.isa import Encoding
from mcusim.timing.model import TimingModel
from mcusim.timing.rules import CLASS_CYCLES

if TYPE_CHECKING:
    from mcusim.timing.addressing import AccessEncoding

ABI = 16
_PARAMETERS, _KINDS = 64, 32


class EncodingRow(Structure):
    """mcusim_encoding"""

    _fields_ = (
        ("mask", c_uint32),
        ("value", c_uint32),
        ("flags", c_uint16),
        ("kind", c_uint8),
        ("address", c_uint8 * 2),
        ("write", c_uint8 * 2),
        ("fp_read", c_uint8 * 3),
        ("fp_write", c_uint8),
        ("registers", c_uint8),
        ("write_back", c_uint8),
        ("offset", c_uint8),
        ("branch", c_uint8),
    )


class Timing(Structure):
    """mcusim_timing"""

    _fields_ = (
        ("narrow", POINTER(EncodingRow)),
        ("wide", POINTER(EncodingRow)),
        ("narrow_count", c_uint32),
        ("wide_count", c_uint32),
        ("parameters", c_int32 * _PARAMETERS),
        ("kind_cycles", c_uint8 * _KINDS),
        ("kind_word_cycles", c_uint8 * _KINDS),
        ("fetch_words", c_int32),
        ("fetch_free_delay", c_int32),
        ("fetch_sticky", c_int32),
        ("fetch_blocked", c_int32),
    )


class AccessRow(Structure):
    """mcusim_access_encoding"""

    _fields_ = (
        ("mask", c_uint32),
        ("value", c_uint32),
        ("store", c_uint8),
        ("unit", c_uint8),
        ("form", c_uint8),
        ("base", c_uint8),
        ("index", c_uint8),
        ("targets", c_uint8 * 2),
        ("count", c_uint8),
        ("registers", c_uint8),
        ("is_signed", c_uint8),
        ("exclusive", c_uint8),
        ("aligned", c_uint8),
    )


class AccessTable(Structure):
    """mcusim_access_table"""

    _fields_ = (
        ("narrow", POINTER(AccessRow)),
        ("wide", POINTER(AccessRow)),
        ("narrow_count", c_uint32),
        ("wide_count", c_uint32),
    )


class Region(Structure):
    """mcusim_region"""

    _fields_ = (("data", c_void_p), ("start", c_uint32), ("size", c_uint32))


class Bank(Structure):
    """mcusim_bank"""

    _fields_ = (
        ("data", c_void_p),
        ("start", c_uint32),
        ("size", c_uint32),
        ("first", c_uint32),
        ("is_tracked", c_uint32),
    )


class Cache(Structure):
    """mcusim_cache"""

    _fields_ = (("sets", c_uint32), ("ways", c_uint32), ("line_bytes", c_uint32))


class Flash(Structure):
    """mcusim_flash"""

    _fields_ = (
        ("starts", c_uint32 * 2),
        ("size", c_uint32),
        ("wait_states", c_uint32),
        ("code", Cache),
        ("data", Cache),
        ("prefetch", c_uint32),
        ("runs_ahead", c_uint32),
    )


class Function(Structure):
    """mcusim_function"""

    _fields_ = (("start", c_uint32), ("end", c_uint32), ("watch", c_uint32))


class Area(Structure):
    """mcusim_area"""

    _fields_ = (("start", c_uint32), ("end", c_uint32))


class Emulator(Structure):
    """mcusim_emulator"""

    _fields_ = (
        ("engine", c_void_p),
        ("hook_add", c_void_p),
        ("hook_del", c_void_p),
        ("emu_stop", c_void_p),
        ("reg_read", c_void_p),
        ("control", c_void_p),
        ("registers", c_void_p),
        ("core_registers", c_int32 * 15),
        ("status_register", c_int32),
        ("control_register", c_int32),
        ("process_stack_register", c_int32),
        ("block_hook_kind", c_int32),
        ("code_hook_kind", c_int32),
        ("forget_code", c_int32),
        ("stack_pointer_register", c_int32),
    )


class Spec(Structure):
    """mcusim_spec"""

    _fields_ = (
        ("emulator", Emulator),
        ("timing", POINTER(Timing)),
        ("flash", Flash),
        ("surveyed", POINTER(Flash)),
        ("accesses", POINTER(AccessTable)),
        ("banks", POINTER(Bank)),
        ("code", POINTER(Region)),
        ("sram", POINTER(Region)),
        ("functions", POINTER(Function)),
        ("areas", POINTER(Area)),
        ("area_count", c_uint32),
        ("surveyed_count", c_uint32),
        ("bank_count", c_uint32),
        ("tracked_bytes", c_uint32),
        ("code_count", c_uint32),
        ("sram_count", c_uint32),
        ("function_count", c_uint32),
        ("stack_limit", c_uint32),
        ("hash_accesses", c_uint32),
        ("null_end", c_uint32),
        ("null_stops", c_uint32),
        ("cycle_limit", c_uint64),
    )


class RunRow(Structure):
    """mcusim_run_count"""

    _fields_ = (
        ("count", c_uint64),
        ("start", c_uint32),
        ("end", c_uint32),
        ("next", c_uint32),
        ("node", c_int32),
        ("outcome", c_uint32),
        ("unused", c_uint32),
    )


class NodeRow(Structure):
    """mcusim_call_node"""

    _fields_ = (
        ("calls", c_uint64),
        ("cycles", c_uint64),
        ("instructions", c_uint64),
        ("function", c_uint32),
        ("parent", c_int32),
    )


class LayerRow(Structure):
    """mcusim_layer_record"""

    _fields_ = (
        ("calls", c_uint64),
        ("cycles", c_uint64),
        ("instructions", c_uint64),
        ("touched_bytes", c_uint64),
        ("function", c_uint32),
        ("stack_bytes", c_uint32),
        ("live_peak_bytes", c_uint32),
        ("unused", c_uint32),
        ("unread_bytes", c_uint64),
    )


class StrayRow(Structure):
    """mcusim_stray_read"""

    _fields_ = (("count", c_uint64), ("pc", c_uint32), ("address", c_uint32))


class WaitRow(Structure):
    """mcusim_wait"""

    _fields_ = (("cycles", c_uint64), ("pc", c_uint32), ("unused", c_uint32))


class Totals(Structure):
    """mcusim_totals"""

    _fields_ = (
        ("cycles", c_uint64),
        ("instructions", c_uint64),
        ("runs", c_uint32),
        ("nodes", c_uint32),
        ("layers", c_uint32),
        ("stacks", c_uint32),
        ("current_node", c_int32),
    )


class StackRow(Structure):
    """mcusim_stack_record"""

    _fields_ = (
        ("top", c_uint32),
        ("lowest", c_uint32),
        ("limit", c_uint32),
        ("node", c_int32),
        ("area", c_int32),
        ("is_process", c_uint32),
    )


class MemoryRow(Structure):
    """mcusim_memory_count"""

    _fields_ = (
        ("touched_bytes", c_uint64),
        ("unread_bytes", c_uint64),
        ("lost_accesses", c_uint64),
        ("stream_hash", c_uint64),
        ("live_peak_bytes", c_uint32),
        ("heap_live_peak_bytes", c_uint32),
        ("unused", c_uint32),
        ("unwritten", c_uint32),
        ("null_reads", c_uint32),
        ("waits", c_uint32),
    )


class MapRow(Structure):
    """mcusim_memory_map"""

    _fields_ = (
        ("width", c_uint64),
        ("columns", c_uint32),
        ("rows", c_uint32),
        ("row_bytes", c_uint32),
        ("unused", c_uint32),
    )


class StopRow(Structure):
    """mcusim_stop_state"""

    _fields_ = (("stop", c_uint32), ("address", c_uint32), ("instruction", c_uint32))


class InstructionRow(Structure):
    """mcusim_instruction"""

    _fields_ = (
        ("address", c_uint32),
        ("address_registers", c_uint32),
        ("writes", c_uint32),
        ("fp_reads", c_uint32),
        ("fp_writes", c_uint32),
        ("sp_delta", c_int32),
        ("base", c_int16),
        ("flags", c_uint16),
        ("size", c_uint8),
        ("kind", c_uint8),
        ("count", c_uint8),
        ("branch", c_uint8),
        ("it_length", c_uint8),
        ("outcome", c_uint8),
    )


class CostRow(Structure):
    """mcusim_instruction_cost"""

    _fields_ = (("address", c_uint32), ("cycles", c_uint32))


def _library_path() -> Path:
    suffix = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
    return Path(__file__).parent / f"libmcusim_core{suffix}"


_CORE = c_void_p
_SIGNATURES: dict[str, tuple[type | None, tuple[type, ...]]] = {
    "mcusim_core_new": (_CORE, (POINTER(Spec),)),
    "mcusim_core_free": (None, (_CORE,)),
    "mcusim_core_begin": (None, (_CORE, c_uint32, c_uint32, c_uint32, c_int32)),
    "mcusim_core_resume": (None, (_CORE,)),
    "mcusim_core_pause": (None, (_CORE, c_uint32)),
    "mcusim_core_note": (None, (_CORE, c_uint32, c_uint32, c_uint32, c_int32)),
    "mcusim_core_set_heap": (None, (_CORE, c_uint32, c_uint32)),
    "mcusim_core_set_deadline": (None, (_CORE, c_uint64)),
    "mcusim_core_set_stack_limit": (None, (_CORE, c_uint32)),
    "mcusim_core_trap_unaligned": (None, (_CORE, c_int32)),
    "mcusim_core_jump": (None, (_CORE, c_uint32, c_uint64)),
    "mcusim_core_finish": (None, (_CORE, c_uint32)),
    "mcusim_core_cycles": (c_uint64, (_CORE,)),
    "mcusim_core_cycles_at": (c_uint64, (_CORE, c_uint32)),
    "mcusim_core_block": (None, (_CORE, POINTER(c_uint32), POINTER(c_uint32))),
    "mcusim_core_stop_state": (None, (_CORE, POINTER(StopRow))),
    "mcusim_core_totals": (None, (_CORE, POINTER(Totals))),
    "mcusim_core_runs": (None, (_CORE, POINTER(RunRow))),
    "mcusim_core_nodes": (None, (_CORE, POINTER(NodeRow))),
    "mcusim_core_stacks": (None, (_CORE, POINTER(StackRow))),
    "mcusim_core_layers": (None, (_CORE, POINTER(LayerRow))),
    "mcusim_core_high_water": (None, (_CORE, POINTER(c_uint32))),
    "mcusim_core_memory": (None, (_CORE, POINTER(MemoryRow))),
    "mcusim_core_live_peaks": (None, (_CORE, POINTER(c_uint32), POINTER(c_uint32))),
    "mcusim_core_map": (None, (_CORE, POINTER(MapRow))),
    "mcusim_core_map_rows": (None, (_CORE, POINTER(c_uint32), POINTER(c_int16), POINTER(c_uint64))),
    "mcusim_core_unwritten": (None, (_CORE, POINTER(StrayRow))),
    "mcusim_core_null_reads": (None, (_CORE, POINTER(StrayRow))),
    "mcusim_core_waits": (None, (_CORE, POINTER(WaitRow))),
    "mcusim_core_flash_reads": (None, (_CORE, c_uint32, POINTER(c_uint64))),
    "mcusim_decode": (None, (POINTER(Timing), ctypes.c_char_p, c_uint32, c_int32, POINTER(InstructionRow))),
    "mcusim_cost": (c_uint64, (POINTER(Timing), ctypes.c_char_p, c_uint32, c_uint32, c_int32, c_uint32)),
    "mcusim_cost_each": (
        c_uint32,
        (POINTER(Timing), ctypes.c_char_p, c_uint32, c_uint32, c_int32, c_uint32, POINTER(CostRow)),
    ),
}


@cache
def load() -> ctypes.CDLL:
    """The native library with its functions declared.

    Raises OSError if it is not there, cannot be loaded, or is of another version.
    """
    path = _library_path()
    if not path.exists():
        raise OSError(f"{path.name} is not built")
    library = ctypes.CDLL(str(path))
    library.mcusim_core_abi.restype = c_uint32
    if library.mcusim_core_abi() != ABI:
        raise OSError(f"{path.name} is of another version")
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    return library


def _padded(values: Sequence[int], size: int) -> tuple[int, ...]:
    return (*values, *[0] * (size - len(values)))


def _row(encoding: Encoding) -> EncodingRow:
    row = EncodingRow()
    for name in ("mask", "value", "flags", "kind", "registers", "write_back", "offset", "branch"):
        setattr(row, name, int(getattr(encoding, name)))
    row.address[:] = _padded(encoding.address, 2)
    row.write[:] = _padded(encoding.write, 2)
    row.fp_read[:] = _padded(encoding.fp_read, 3)
    row.fp_write = _padded(encoding.fp_write, 1)[0]
    return row


@cache
def _tables() -> tuple[ctypes.Array[EncodingRow], ctypes.Array[EncodingRow]]:
    narrow, wide = [_row(e) for e in ENCODINGS16], [_row(e) for e in ENCODINGS32]
    return (EncodingRow * len(narrow))(*narrow), (EncodingRow * len(wide))(*wide)


def _access_row(encoding: AccessEncoding) -> AccessRow:
    row = AccessRow()
    for name in (
        "mask",
        "value",
        "store",
        "unit",
        "form",
        "base",
        "index",
        "count",
        "registers",
        "exclusive",
        "aligned",
    ):
        setattr(row, name, int(getattr(encoding, name)))
    row.targets[:] = _padded(encoding.targets, 2)
    row.is_signed = encoding.signed
    return row


@cache
def access_table() -> AccessTable:
    """The decoder of memory accesses in native form."""
    from mcusim.timing.addressing import ACCESSES16, ACCESSES32

    narrow, wide = [_access_row(e) for e in ACCESSES16], [_access_row(e) for e in ACCESSES32]
    return AccessTable(
        (AccessRow * len(narrow))(*narrow), (AccessRow * len(wide))(*wide), len(narrow), len(wide)
    )


def timing_table(model: TimingModel) -> Timing:
    """The model's rules and the decoder's tables in native form."""
    narrow, wide = _tables()
    timing = Timing(narrow=narrow, wide=wide, narrow_count=len(narrow), wide_count=len(wide))
    timing.parameters[:] = _padded(model.parameters, _PARAMETERS)
    for kind, (fixed, per_word) in CLASS_CYCLES.items():
        timing.kind_cycles[kind] = fixed
        timing.kind_word_cycles[kind] = per_word
    timing.fetch_words = model.variant.words
    timing.fetch_free_delay = model.variant.free_delay
    timing.fetch_sticky = model.variant.sticky
    timing.fetch_blocked = model.variant.blocked
    return timing
