"""The trace's hot instructions are those of the whole count, with their assembly and source lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcusim import image
from mcusim.cli.application import invoke
from mcusim.profile.hot import LEAST
from mcusim.simulate import SimulationResult, simulate


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SimulationResult]:
    elf = tmp_path_factory.mktemp("hot") / "tiny.elf"
    assert invoke(["build", "zoo:tiny", "-o", str(elf), "--quiet"]) == 0
    return elf, simulate(elf, "stm32f412zg")


def test_costs_are_those_of_all_instructions(ran: tuple[Path, SimulationResult]) -> None:
    _, result = ran
    costs = result.instruction_costs()
    hot = result.trace.hot_instructions
    assert len({entry.address for entry in hot}) == len(hot) > 50
    for entry in hot:
        cost = costs[entry.address]
        assert (entry.executions, entry.cycles) == (cost.executions, cost.cycles)


def test_they_make_up_most_of_their_functions(ran: tuple[Path, SimulationResult]) -> None:
    elf, result = ran
    loaded = image.load(elf)
    positions = sorted({entry.function for entry in result.trace.hot_instructions})
    assert positions[0] == 0
    for position in positions:
        function = result.trace.functions[position]
        entries = [entry for entry in result.trace.hot_instructions if entry.function == position]
        assert [entry.address for entry in entries] == sorted(entry.address for entry in entries)
        found = loaded.function_at(entries[0].address)
        assert found is not None
        assert found.name == function.name
        assert all(entry.cycles >= LEAST * function.cycles_self for entry in entries)
        assert sum(entry.cycles for entry in entries) > 0.7 * function.cycles_self


def test_they_have_assembly_and_lines(ran: tuple[Path, SimulationResult]) -> None:
    _, result = ran
    texts = [entry.text for entry in result.trace.hot_instructions]
    assert all(texts)
    assert not any(text.startswith(".byte") for text in texts)
    assert any(text.startswith("smlad") for text in texts)
    assert {Path(entry.file).suffix for entry in result.trace.hot_instructions} <= {".c", ".h", ".S"}
    without_line = sum(entry.line == 0 for entry in result.trace.hot_instructions)
    assert without_line < 0.1 * len(texts), "compilers mark only what no line is to blame for"


def test_the_page_has_the_kernels_source_beside_them(
    ran: tuple[Path, SimulationResult], tmp_path: Path
) -> None:
    elf, _ = ran
    kept, page = tmp_path / "run.json", tmp_path / "run.html"
    assert invoke(["run", str(elf), "-q", "-o", str(kept)]) == 0
    assert invoke(["report", str(kept), "--format", "html", "-o", str(page)]) == 0
    assert 'class="code">smlad' in page.read_text()
    assert "__asm__" in page.read_text()
