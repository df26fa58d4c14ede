"""docs/memory.md holds what the reference traces say of SRAM; ``MCUSIM_UPDATE=1`` writes it there."""

from __future__ import annotations

import os
from pathlib import Path

from mcusim import trace
from mcusim.report.memory_parts import sram_parts
from mcusim.timing.document import table
from mcusim.trace import Trace

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "memory.md"
NAMES = ("arena", "scratch", "stack", "static")


def _row(kept: Trace) -> tuple[str, ...]:
    memory = kept.memory
    parts = dict(sram_parts(memory))
    assert sum(parts.values()) == memory.sram_peak_bytes
    assert parts["heap"] == 0
    figures = (
        *(parts[name] for name in NAMES),
        memory.sram_peak_bytes,
        memory.live_peak_bytes,
        memory.sram_peak_bytes - memory.live_peak_bytes,
    )
    return (kept.firmware.network, f"`{kept.schedule['name']}`", *(f"{figure:,}" for figure in figures))


def test_the_table_is_that_of_the_reference_traces() -> None:
    rows = [_row(trace.load(path)) for path in sorted((ROOT / "traces").glob("*.json"))]
    content = table(("network", "schedule", *NAMES, "SRAM peak", "live at once", "dead then"), rows)
    first, last = "<!-- reference traces -->\n", "<!-- end of reference traces -->"
    before, rest = DOCUMENT.read_text().split(first)
    found, after = rest.split(last)
    if os.environ.get("MCUSIM_UPDATE"):
        DOCUMENT.write_text(before + first + content + last + after)
        found = content
    assert found == content, "MCUSIM_UPDATE=1 writes it again"
