"""The comparison with published cycles: its arithmetic, its images, and the document that it writes.

``MCUSIM_PUBLISHED`` names a folder of checkouts, SOURCE/REVISION by the names in published.toml: then the
recorded figures are measured again. ``MCUSIM_UPDATE=1`` writes the document from the recorded figures.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import accuracy
import accuracy_document
import accuracy_images
import msgspec
import pytest
from accuracy_flat import TRM_REFILL, flat_cycles
from accuracy_models import CANDIDATES, HIGH, LOW, cross_validate, in_range, rms_by_source
from accuracy_table import (
    Figures,
    Record,
    Row,
    Source,
    Table,
    errors,
    errors_of_model,
    load_table,
    rows_of,
    summarise,
)
from assembler import ORIGIN, assemble
from micro_benchmarks import PUBLISHED

from mcusim.compiler import toolchains
from mcusim.errors import InputError
from mcusim.simulate import DEFAULT_MODEL
from mcusim.timing.model import MEASURED_RMS, MODEL_VERSION, WAITING_RMS

ROOT = Path(__file__).parents[2]

LOOP = """
.syntax unified
.thumb
.text
.balign 8
.global loop
.type loop, %function
loop:
    movs r0, #100
1:  ldr r1, [sp]
    subs r0, #1
    bne 1b
    bx lr
.size loop, . - loop
"""
HARNESS = """
#include "counted.h"
void loop(void);
int main(void) {
    start_counter();
    const uint32_t before = DWT_CYCCNT;
    loop();
    report_cycles(DWT_CYCCNT - before);
    return 0;
}
"""


def _record() -> Record:
    return msgspec.json.decode(accuracy.MEASURED.read_bytes(), type=Record)


def _still() -> Table:
    return rows_of(load_table(accuracy.TABLE), waiting=False)


def _row(**changes: str) -> Row:
    return Row(name="loop", source="here", cycles=500, functions=("loop",), **changes)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds loop.elf."""
    built = tmp_path_factory.mktemp("accuracy")
    (built / "loop.S").write_text(LOOP)
    (built / "main.c").write_text(HARNESS)
    zig = toolchains.find("zig")
    accuracy_images.build(zig, accuracy.CHIP, built, ("loop.S", "main.c"), None, {}, built / "loop.elf")
    return built


def test_summary() -> None:
    found = summarise([0.03, -0.04, 0.0, 0.0])
    assert (found.mean, found.rms, found.p95, found.worst) == (pytest.approx(-0.0025), 0.025, 0.04, 0.04)
    assert summarise([-0.5] + [0.01] * 19).p95 == 0.01
    with pytest.raises(ValueError, match="no rows"):
        summarise([])


def test_flat_table(tmp_path: Path) -> None:
    text = "ldr r0,[r1]\nstr r0,[r1]\nldm r2!,{r4-r7}\nmul r0,r1,r2\nudiv r0,r1,r2\nb.n .+8"
    code, _ = assemble(text, tmp_path)
    assert list(flat_cycles(code, ORIGIN, taken=True).values()) == [2, 2, 5, 1, 7, 1 + TRM_REFILL]
    assert list(flat_cycles(code, ORIGIN, taken=False).values())[-1] == 1


def test_figures_of_a_loop(folder: Path) -> None:
    inside = accuracy.measure(folder / "loop.elf", _row())
    assert inside.instructions == 1 + 3 * 100 + 1
    assert inside.flat == 1 + 100 * (2 + 1 + 1) + 99 * TRM_REFILL + 1 + TRM_REFILL
    assert 100 * 5 <= inside.model <= 100 * 5 + 6  # a load before arithmetic is 2, the branch back 2
    counted = accuracy.measure(folder / "loop.elf", _row(printed="cycles"))
    around = counted.model - inside.model
    assert 3 <= around <= 12
    assert inside.others[DEFAULT_MODEL] == inside.model
    waiting = accuracy.measure(folder / "loop.elf", _row(clock="168MHz"))
    assert not waiting.others
    assert inside.model <= waiting.model < inside.model + 50  # the loop comes out of the cache
    assert (counted.instructions - inside.instructions, counted.flat - inside.flat) == (around, around)


def test_what_an_image_must_have(folder: Path) -> None:
    with pytest.raises(InputError, match="did not print"):
        accuracy.measure(folder / "loop.elf", _row(printed="time"))
    with pytest.raises(InputError, match="the published one 99"):
        accuracy.measure(folder / "loop.elf", msgspec.structs.replace(_row(), code_bytes=99))
    with pytest.raises(InputError, match="absent"):
        accuracy.measure(folder / "loop.elf", msgspec.structs.replace(_row(), functions=("absent",)))


def test_command(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "table.toml"
    source = "".join(f'{field} = "x"\n' for field in Source.__struct_fields__ if field != "toolchain")
    row = 'name = "loop"\nsource = "here"\ncycles = 400\nfunctions = ["loop"]\n'
    table.write_text(f"[sources.here]\n{source}[[rows]]\n{row}")
    assert accuracy.main(["--elfs", str(folder), "--table", str(table)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[:2] == ["loop", "400"]
    assert [line.split()[0] for line in lines[2:]] == ["mean", "rms", "p95", "worst"]
    assert accuracy.main(["--elfs", str(tmp_path), "--table", str(table)]) == 2
    with pytest.raises(SystemExit):
        accuracy.main(["--elfs", str(folder), "--table", str(table), "--record"])
    table.write_text('[[rows]]\nname = "loop"\ncycles = 400\nfunctions = ["loop"]\n')
    capsys.readouterr()
    assert accuracy.main(["--elfs", str(folder), "--table", str(table), "--chip", "stm32l4r5"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == lines[1:]
    table.write_text(f"[sources.there]\n{source}[[rows]]\n{row}")
    with pytest.raises(InputError, match="unknown source"):
        load_table(table)


def test_signed_errors() -> None:
    table = Table(sources={}, rows=(_row(),))
    figures = {"loop": Figures(model=550, instructions=300, flat=600)}
    found = [errors(table, figures, column)["loop"] for column in accuracy.COLUMNS]
    assert found == pytest.approx([0.1, -0.4, 0.2])


def test_document_is_current() -> None:
    text = accuracy_document.document(load_table(accuracy.TABLE), _record())
    if os.environ.get("MCUSIM_UPDATE"):
        accuracy.DOCUMENT.write_text(text)
    assert accuracy.DOCUMENT.read_text() == text, "MCUSIM_UPDATE=1 writes it again"


def test_readme_quotes_the_document() -> None:
    table, record = _still(), _record()
    readme = " ".join((ROOT / "README.md").read_text().split())
    rms = [summarise(list(errors(table, record.rows, column).values())).rms for column in accuracy.COLUMNS]
    exact = sum(benchmark.expected == benchmark.cycles for benchmark in PUBLISHED)
    assert re.search(
        rf"of {len(PUBLISHED)} published sequences of a few instructions, [a-z ]+, {exact} ", readme
    )
    assert f"{rms[0]:.1%} rms".replace("%", " %") in readme
    assert f"{rms[1]:.0%} and {rms[2]:.0%}".replace("%", " %") in readme
    assert f"{len(table.rows)} published counts" in readme
    waiting = rows_of(load_table(accuracy.TABLE), waiting=True)
    error = summarise(list(errors(waiting, record.rows, "mcusim").values()))
    assert f"{error.rms:.1%} rms on {len(waiting.rows)} counts".replace("%", " %") in readme


def test_reports_quote_the_document() -> None:
    still, record = _still(), _record()
    for model, rms in MEASURED_RMS.items():
        assert rms == round(100 * summarise(list(errors_of_model(still, record.rows, model).values())).rms, 1)
    default = summarise(list(errors(still, record.rows, "mcusim").values())).rms
    assert MEASURED_RMS[record.model] == round(100 * default, 1)
    waiting = rows_of(load_table(accuracy.TABLE), waiting=True)
    assert round(100 * summarise(list(errors(waiting, record.rows, "mcusim").values())).rms, 1) == WAITING_RMS


def test_the_default_is_the_best_and_was_measured() -> None:
    still, record = _still(), _record()
    rms = {
        model: summarise(list(errors_of_model(still, record.rows, model).values())).rms
        for model in CANDIDATES
    }
    assert min(rms, key=rms.__getitem__) == record.model == DEFAULT_MODEL
    assert record.model_version == MODEL_VERSION


def test_cross_validation_leaves_the_project_out() -> None:
    rows = tuple(
        Row(name=name, source=source, cycles=100, functions=("f",))
        for name, source in (("a", "one"), ("b", "one"), ("c", "two"))
    )
    table = Table(sources={}, rows=rows)
    good, bad = dict.fromkeys(CANDIDATES, 130.0), dict.fromkeys(CANDIDATES, 130.0)
    good["m1"], bad["m2"] = 100.0, 110.0  # m1 is right in project one, m2 better in project two
    figures = {
        name: Figures(model=100, instructions=1, flat=1, others=others)
        for name, others in (("a", good), ("b", good), ("c", bad))
    }
    assert rms_by_source(table, figures, "m1") == pytest.approx({"one": 0.0, "two": 0.3})
    one, two = cross_validate(table, figures)
    assert (one.chosen, one.rows, one.rms) == ("m2", 2, pytest.approx(0.3))
    assert (two.chosen, two.rows, two.rms) == ("m1", 1, pytest.approx(0.3))


def test_counts_inside_and_outside_the_range() -> None:
    ends = {"in": (99.0, 101.0), "below": (104.0, 106.0), "above": (90.0, 98.0)}
    rows = tuple(Row(name=name, cycles=100, functions=("f",)) for name in ends)
    figures = {
        name: Figures(model=low, instructions=1, flat=1, others={LOW: low, HIGH: high})
        for name, (low, high) in ends.items()
    }
    found = in_range(Table(rows=rows), figures)
    assert (found.inside, found.rows) == (1, 3)
    assert (found.beyond, found.width) == (pytest.approx(0.04), pytest.approx(0.08))


def test_every_row_was_measured() -> None:
    table = load_table(accuracy.TABLE)
    assert {row.name for row in table.rows} == set(_record().rows)


def test_recorded_figures(tmp_path: Path) -> None:
    checkouts = os.environ.get("MCUSIM_PUBLISHED")
    if not checkouts:
        pytest.skip("MCUSIM_PUBLISHED does not name a folder of checkouts")
    table = load_table(accuracy.TABLE)
    accuracy.build_all(table, Path(checkouts), tmp_path)
    found = accuracy.measure_all(table, tmp_path)
    assert found
    assert found == {name: _record().rows[name] for name in found}
