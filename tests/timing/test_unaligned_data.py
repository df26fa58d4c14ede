"""Rule 14 on the whole simulator: what data that are not aligned add, in every addressing mode."""

from __future__ import annotations

from pathlib import Path

import pytest
from core_bench import SRAM, Bench, Prefer, build

SIZES = {"ldr": 4, "str": 4, "ldrh": 2, "strh": 2, "ldrsh": 2, "ldrb": 1, "strb": 1, "ldrsb": 1}
MODES = {
    "base": "[r1]",
    "narrow": "[r4,#4]",
    "wide": "[r1,#100]",
    "below": "[r1,#-4]",
    "index": "[r1,r3]",
    "shifted": "[r1,r3,lsl #2]",
    "before": "[r1,#8]!",
    "behind": "[r1],#-8",
}
PLACES = dict(zip(MODES, (0, 4, 100, -4, 8, 32, 8, 0), strict=True))
"""Of the access, from the address in R1; R3 is 8."""

WIDE_ONLY = ("ldrsh", "ldrsb")


def _name(operation: str, mode: str) -> str:
    return f"{operation}_{mode}"


def _function(operation: str, mode: str) -> str:
    """R0 goes to R1 and R4; nothing if there is no such encoding."""
    if operation in WIDE_ONLY and mode == "narrow":
        return ""
    return (
        f"{_name(operation, mode)}: push {{r4,lr}}\nmov r1,r0\nmov r4,r0\nmovs r3,#8\nmovs r2,#1\n"
        f"{operation} r2,{MODES[mode]}\nnop\nnop\npop {{r4,pc}}\n"
    )


@pytest.fixture(scope="module", params=["native", "twin"])
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    prefer: Prefer = "native" if request.param == "native" else "twin"
    text = "".join(_function(operation, mode) for operation in SIZES for mode in MODES)
    return Bench(build(text, tmp_path_factory.mktemp("unaligned")), prefer)


def _cycles(bench: Bench, name: str, address: int) -> int:
    bench.call(name, address)
    return bench.core.counts().cycles


def _extra(size: int, place: int) -> int:
    """A halfword or word at an odd halfword costs one cycle, a word at an odd address two (TRM)."""
    if size == 4 and place % 2:
        return 2
    return 1 if place % size else 0


@pytest.mark.parametrize(
    ("operation", "mode"),
    [(operation, mode) for operation in SIZES for mode in MODES if _function(operation, mode)],
)
def test_extra_cycles_by_address(bench: Bench, operation: str, mode: str) -> None:
    name = _name(operation, mode)
    aligned = SRAM + 0x400 - PLACES[mode]
    base = _cycles(bench, name, aligned)
    found = [_cycles(bench, name, aligned + place) - base for place in range(5)]
    assert found == [_extra(SIZES[operation], place) for place in range(5)]


def test_a_skipped_access_has_no_alignment(tmp_path: Path) -> None:
    text = "f: cmp r1,#0\nit ne\nldrne r2,[r0]\nbx lr\n"
    bench = Bench(build(text, tmp_path), "native")
    bench.call("f", SRAM + 1, 0)
    skipped = bench.core.counts().cycles
    bench.call("f", SRAM + 1, 1)
    assert bench.core.counts().cycles - skipped == 1 + 2
