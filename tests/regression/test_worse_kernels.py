"""The reference traces notice a kernel that got worse, and say where."""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path

import pytest

from mcusim.compiler import firmware
from mcusim.errors import BudgetError
from mcusim.testing import Bench

KERNELS = Path("runtime/kernels")


@pytest.fixture
def kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the kernels that builds use instead of the project's."""
    copy = tmp_path / "firmware"
    shutil.copytree(firmware.directory(), copy)
    monkeypatch.setattr(firmware, "directory", lambda: copy)
    return copy / KERNELS


def add_to(kernel: Path, statement: str, before: str = "") -> None:
    """Put ``statement`` where the function that the file is named after begins, and ``before`` in front."""
    text = kernel.read_text()
    name = f"void mcu_{kernel.stem}(const void *params, const mcu_rows *rows) {{"
    assert text.count(name) == 1
    kernel.write_text(text.replace(name, f"{before}\n{name}\n{statement}\n"))


def failure(bench: Bench) -> list[str]:
    """What comparing the network with its reference trace says; other tests must not see its image, and it
    must not become the reference."""
    settings = dataclasses.replace(bench.settings, update=False)
    bench = dataclasses.replace(bench, built={}, settings=settings)
    run = bench.run(bench.build("zoo:tiny", "layer"))
    with pytest.raises(BudgetError) as caught:
        bench.compare(run, "tiny-layer", cycles="0.5%", sram=0, flash="5%")
    return str(caught.value).splitlines()


def test_one_per_cent_more_cycles_are_told_with_layer_and_function(mcusim: Bench, kernels: Path) -> None:
    add_to(kernels / "depthwise_general.c", 'for (int i = 0; i < 150; ++i) { __asm__ volatile("nop"); }')
    first, second, *others = failure(mcusim)
    found = re.fullmatch(r"cycles went from .* more \(\+(.*) %\) where 0\.5 % is tolerated\.", first)
    assert found
    assert 0.5 < float(found[1]) < 5
    assert re.fullmatch(r"  #4 DEPTHWISE_CONV_2D +\+[0-9,]+", second)
    assert any(line.startswith("  cycles by function: mcu_depthwise_general +") for line in others)


def test_one_byte_more_of_sram_is_told_with_its_kind(mcusim: Bench, kernels: Path) -> None:
    add_to(kernels / "softmax.c", "one_more = 1;", "static volatile uint8_t one_more;")
    first, second, *_ = failure(mcusim)
    found = re.fullmatch(r"SRAM peak went from .*, ([0-9]+) bytes more .* where 0 % is tolerated\.", first)
    assert found
    assert 1 <= int(found[1]) <= 8  # what is aligned behind it moves
    assert re.fullmatch(rf"  static data +\+{found[1]} B", second)
