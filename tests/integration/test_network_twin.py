"""Both cores count a reference network alike, as far as the Python twin comes in short time."""

from __future__ import annotations

from pathlib import Path

from mcusim import chips, network
from mcusim.compiler.build import build
from mcusim.compiler.schedule import parse_spec
from mcusim.simulate import simulate

CHIP = "stm32f412zg"
CYCLES = 50_000


def test_both_cores_count_the_first_patches_alike(models: Path, tmp_path: Path) -> None:
    """Small patches: all layers of the stage have run when the first one is over."""
    graph = network.load(str(models / "vww_96_int8.tflite"))
    schedule = parse_spec("patch:12x12@4", graph)
    elf = build(graph, schedule, chips.load(CHIP), out=tmp_path / "vww.elf").elf
    native = simulate(elf, CHIP, max_cycles=CYCLES, core="native")
    twin = simulate(elf, CHIP, max_cycles=CYCLES, core="twin")
    assert [layer.index for layer in native.trace.layers if layer.calls] == [0, 1, 2, 3, 4]
    assert native.profile.counts == twin.profile.counts
    assert native.trace.memory == twin.trace.memory
