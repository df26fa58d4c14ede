"""What must hold of the memory of every run of a network that mcusim built."""

from __future__ import annotations

from mcusim.report import waste
from mcusim.report.sram_grid import grid
from mcusim.trace import Trace

STACK_BYTES = 700
"""More than the stack of any network may need, under any schedule."""


def check_memory(trace: Trace, planned_arena: int | None = None) -> None:
    """The parts add up to the peak, the arena is used to the last planned byte, what was live at one moment
    fits into what is needed, the map shows as much, part by part, and the stack is small."""
    memory = trace.memory
    parts = memory.static_bytes + memory.arena_bytes + memory.scratch_bytes
    assert memory.sram_peak_bytes == parts + memory.stack_bytes + memory.heap_bytes
    assert memory.arena_high_water_bytes == memory.arena_bytes
    assert 0 < memory.stack_bytes < STACK_BYTES
    assert planned_arena in {None, memory.arena_bytes}
    assert 0 < memory.live_peak_bytes <= memory.touched_bytes <= memory.sram_peak_bytes
    assert memory.live_peak_bytes == max(layer.live_peak_bytes for layer in trace.layers)
    uses = waste.at_the_fullest(trace)
    assert sum(use.bytes for use in uses) == memory.sram_peak_bytes
    assert all(0 <= use.live_bytes <= use.bytes for use in uses)
    shared_rows = 2 * len(uses) * grid(trace).row_bytes
    live = sum(use.live_bytes for use in uses)
    assert memory.live_peak_bytes - shared_rows <= live <= memory.sram_peak_bytes
