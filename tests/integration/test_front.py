"""The front of schedules: what is planned is what building and running it measures."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from mcusim import chips, network
from mcusim.cli.application import invoke
from mcusim.search import front

MODEL = "zoo:tiny"


def test_planned_is_measured() -> None:
    """Arenas to the byte, cycles within 5 %."""
    chip, graph = chips.load("stm32f412zg"), network.load(MODEL)
    points = front.plan_front(graph, chip, "flash")
    assert len(points) >= 3
    assert all(a.arena_bytes > b.arena_bytes for a, b in pairwise(points))
    verified = front.verify(graph, chip, points)
    assert [point.schedule for point in verified] == [point.schedule for point in points]
    for point in verified:
        assert point.arena_as_planned
        assert point.measured_cycles is not None
        assert point.cycles == pytest.approx(point.measured_cycles, rel=0.05)


def test_plan_shows_the_front(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["plan", MODEL, "--front"]) == 0
    text = capsys.readouterr().out
    sizes = [float(found) for found in re.findall(r"^ *([\d.]+) KiB", text, re.MULTILINE)]
    cycles = [float(found) for found in re.findall(r"\d\.\d{3}x +([\d.]+) ", text)]
    assert len(sizes) == len(cycles) >= 3
    assert sizes == sorted(sizes, reverse=True)
    assert cycles == sorted(cycles)
    assert "one by one" in text
