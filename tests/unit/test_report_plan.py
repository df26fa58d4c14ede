"""The plan of a network and the list of chips."""

from __future__ import annotations

import io
import re
from dataclasses import replace

from rich.console import Console

from mcusim.report import chips, plan
from mcusim.report.plan import PlannedLayer, PlannedSchedule, PlanSheet, PublishedFigure


def sheet(*, published: tuple[PublishedFigure, ...] = ()) -> PlanSheet:
    return PlanSheet(
        network="net",
        chip="stm32f412zg",
        sram_bytes=256 << 10,
        flash_bytes=1 << 20,
        layers=(
            PlannedLayer(0, "CONV_2D", (1, 8, 8, 16), 30_000, 448, 300_000, True),
            PlannedLayer(1, "FULLY_CONNECTED", (1, 10), 10_000, 1024, 1034, False),
            PlannedLayer(2, "SPLIT", (1, 5), 0, 0, 2048, False, free=True),
        ),
        schedules=(
            PlannedSchedule("layer", 300_000, 299_000, 2048, 40_000, False),
            PlannedSchedule("patch:2x2@0", 100_000, 100_000, 3072, 44_000, True, 2.5e6),
        ),
        published=published,
    )


def rendered(shown: PlanSheet) -> str:
    file = io.StringIO()
    plan.render(shown, Console(file=file, width=100, highlight=False, no_color=True))
    return file.getvalue()


def test_layers_schedules_and_stage_ends() -> None:
    text = rendered(sheet())
    assert "3 layers, 40,000 MACs, 1.4 KiB of weights and biases" in text
    assert re.search(r"0 +CONV_2D +8x8x16 +30,000 .* 448 B +293\.0 KiB .*@", text)
    assert re.search(r"layer +293\.0 KiB .* 292\.0 KiB +1,000 +2\.0 KiB +1\.000x +too big", text)
    assert re.search(r"patch:2x2@0 +97\.7 KiB .* 97\.7 KiB +0 +3\.0 KiB +1\.100x +2\.50 +fits", text)
    dense = next(line for line in text.splitlines() if " DENSE " in line)
    assert "@" not in dense


def test_a_large_network_fits_the_width() -> None:
    schedule = PlannedSchedule("auto:sram=1211785B", 1_210_920, 1_210_920, 2_073_395, 44_000, False, 458e6)
    text = rendered(replace(sheet(), schedules=(schedule,)))
    assert re.search(
        r"auto:sram=1211785B +1,182\.5 KiB .* 2,024\.8 KiB .* 458\.00 +too big$", text, re.MULTILINE
    )


def test_an_operator_that_moves_nothing_is_free() -> None:
    text = rendered(sheet())
    assert re.search(r"2 +SPLIT +5 .* 0 B +free *$", text, re.MULTILINE)
    assert "Free: nothing is moved" in text
    moving = replace(sheet(), layers=sheet().layers[:2])
    assert "free" not in rendered(moving).lower()


def test_published_figures_stand_beside_ours() -> None:
    figure = PublishedFigure("patch:4x4@12", 200_704, 176_400, 172, 1.0934, 1.1)
    text = rendered(sheet(published=(figure,)))
    assert re.search(r"patch:4x4@12 +200,704 +176,400 +172 KiB +1\.093x +1\.10x", text)
    assert "Published figures" not in rendered(sheet())


def test_chips_are_listed_with_their_memory() -> None:
    regions = (
        chips.RegionLine("sram", "sram", 0x2000_0000, 64 << 10, "a manual, 2.4"),
        chips.RegionLine("flash", "flash", 0x0800_0000, 512 << 10, "a manual, 3.1"),
    )
    chip = chips.ChipSheet("chip", "A Chip", "cortex-m4f", 64_000_000, "a manual, 1", 0, "chosen", regions)
    file = io.StringIO()
    console = Console(file=file, width=100, highlight=False, no_color=True)
    chips.render_list([chip], console)
    chips.render_sheet(chip, console)
    text = file.getvalue()
    assert re.search(r"chip +A Chip +64 MHz +0 +64\.0 KiB +512\.0 KiB", text)
    assert re.search(r"flash +0x08000000 +512\.0 KiB +a manual, 3\.1", text)
