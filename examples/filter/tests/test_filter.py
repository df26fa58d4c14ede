"""What the filter computes, what it may cost, and that it does not get slower unnoticed."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.mark.mcusim_limit(cycles="300k", stack="512 B", sram="1 KiB", flash="2 KiB")
def test_filter_fits_its_budget(mcusim, firmware: Path) -> None:
    run = mcusim.run(firmware, layers="filter_block")
    assert run.trace.exit.code == 0
    (block,) = run.trace.layers
    assert block.calls == 16


def test_filter_costs_what_it_did(mcusim, firmware: Path) -> None:
    mcusim.compare(mcusim.run(firmware, layers="filter_block"), "filter", cycles="1%", flash="64 B")
