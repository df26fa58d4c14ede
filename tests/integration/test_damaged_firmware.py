"""Firmware with flipped bytes: whatever it does, there is a verdict, and the books balance."""

from __future__ import annotations

from collections.abc import Callable

import demo_firmware
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcusim import image
from mcusim.simulate import simulate

Demo = Callable[[str], bytes]
CHIP = "stm32f412zg"
VECTORS = 8


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    demo=st.sampled_from(demo_firmware.DEMOS),
    flips=st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), min_size=1, max_size=5),
)
def test_books_balance_and_the_twin_agrees(demo_elf: Demo, demo: str, flips: list[tuple[int, int]]) -> None:
    raw = bytearray(demo_elf(demo))
    code = next(part for part in image.load(bytes(raw)).segments if part.executable)
    start = raw.index(code.data) + VECTORS
    for place, value in flips:
        raw[start + place % (len(code.data) - VECTORS)] = value
    native = simulate(bytes(raw), CHIP, max_cycles=3000)
    twin = simulate(bytes(raw), CHIP, max_cycles=3000, core="twin")
    assert native.profile.counts == twin.profile.counts
    assert str(native.error) == str(twin.error)
    total = native.trace.totals.cycles
    assert sum(cost.cycles for cost in native.instruction_costs().values()) == total
    assert sum(layer.cycles for layer in native.trace.layers) + native.profile.rest_cycles == total
    assert sum(function.cycles_self for function in native.trace.functions) == total
