"""build, run, report and compare from the command line, on a small network and on what goes wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from mcusim import network, trace
from mcusim.cli.application import invoke
from mcusim.errors import CycleLimitError, InputError, UsageError
from mcusim.network import executor
from mcusim.report.sram_grid import PIECES, grid

MODEL = "zoo:tiny"


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("firmware") / "tiny.elf"
    assert invoke(["build", MODEL, "-o", str(path), "--quiet"]) == 0
    return path


def random_input(count: int = 1) -> np.ndarray:
    graph = network.load(MODEL)
    shape = graph.tensors[graph.inputs[0]].shape
    return np.random.default_rng(7).integers(-128, 128, (count, *shape[1:]), dtype=np.int8)


def test_run_writes_outputs_and_a_trace_that_is_valid(firmware: Path, tmp_path: Path) -> None:
    given, got, kept = tmp_path / "x.npy", tmp_path / "y.npy", tmp_path / "run.json"
    np.save(given, random_input())
    code = invoke(["run", str(firmware), "--input", str(given), "--output", str(got), "-o", str(kept), "-q"])
    assert code == 0
    expected = executor.outputs(network.load(MODEL), [random_input()])[0]
    assert np.array_equal(np.load(got), expected)
    jsonschema.validate(json.loads(kept.read_bytes()), trace.json_schema())
    document = trace.load(kept)
    assert sum(layer.macs for layer in document.layers) == document.totals.macs > 0
    assert document.firmware.network == "tiny"
    assert document.chip.sram_bytes == 256 << 10


def test_several_inputs_give_as_many_outputs(firmware: Path, tmp_path: Path) -> None:
    given, got = tmp_path / "x.npy", tmp_path / "y.npy"
    np.save(given, random_input(3))
    assert invoke(["run", str(firmware), "--input", str(given), "--output", str(got), "-q"]) == 0
    expected = executor.outputs(network.load(MODEL), [random_input(3)])[0]
    assert np.array_equal(np.load(got), expected)


def test_the_report_of_a_trace_is_the_report_of_the_run(
    firmware: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "run.json"
    assert invoke(["run", str(firmware), "-o", str(kept)]) == 0
    ran = capsys.readouterr().out
    assert invoke(["report", str(kept)]) == 0
    assert capsys.readouterr().out == ran
    assert "tiny @ layer" in ran


def test_two_runs_write_the_same_trace_but_for_the_host(firmware: Path, tmp_path: Path) -> None:
    documents = []
    for name in ("a.json", "b.json"):
        assert invoke(["run", str(firmware), "-q", "-o", str(tmp_path / name)]) == 0
        documents.append(json.loads((tmp_path / name).read_bytes()))
        del documents[-1]["host"]
    assert json.dumps(documents[0]) == json.dumps(documents[1])


def test_existing_files_are_overwritten_only_by_force(
    firmware: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "run.json"
    kept.write_text("mine")
    assert invoke(["run", str(firmware), "-q", "-o", str(kept)]) == UsageError.exit_code
    assert capsys.readouterr().err == f"mcusim: {kept} exists; -f overwrites it\n"
    assert kept.read_text() == "mine"
    assert invoke(["run", str(firmware), "-q", "-f", "-o", str(kept)]) == 0
    assert trace.load(kept).exit.reason == "exit"


def test_a_stopped_run_still_reports_and_keeps_its_trace(
    firmware: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "run.json"
    code = invoke(["run", str(firmware), "--max-cycles", "5000", "-o", str(kept)])
    assert code == CycleLimitError.exit_code
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "timeout" in captured.out
    assert trace.load(kept).exit == trace.Exit(reason="timeout", code=code)


def test_compare_shows_factors_and_that_outputs_agree(
    firmware: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "run.json"
    assert invoke(["run", str(firmware), "-q", "-o", str(kept)]) == 0
    assert invoke(["compare", str(firmware), f"{MODEL}@patch:2x2@2"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"MACs +[\d,]+ +[\d,]+ +1\.\d*[1-9]\d*x", text)
    assert text.rstrip().endswith("The outputs agree byte for byte.")
    assert invoke(["compare", str(kept), str(firmware)]) == 0
    assert "byte for byte" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (np.zeros((1, 3, 3, 1), np.int8), "shape"),
        (np.zeros((1, 20, 16, 3), np.float32), "float32"),
    ],
)
def test_wrong_inputs_are_one_sentence(
    array: np.ndarray, sentence: str, firmware: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = tmp_path / "x.npy"
    np.save(given, array)
    assert invoke(["run", str(firmware), "--input", str(given)]) == InputError.exit_code
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1


def test_more_output_files_than_outputs_are_refused(
    firmware: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = tmp_path / "x.npy"
    np.save(given, random_input())
    paths = [argument for name in "ab" for argument in ("--output", str(tmp_path / name))]
    assert invoke(["run", str(firmware), "-q", "--input", str(given), *paths]) == UsageError.exit_code
    assert "2 --output files" in capsys.readouterr().err


def test_the_demo_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["demo"]) == 0
    text = capsys.readouterr().out
    assert text.count("$ mcusim ") == 4
    assert "The outputs agree byte for byte." in text


def test_the_map_of_sram_knows_every_layer_and_all_live_bytes(firmware: Path, tmp_path: Path) -> None:
    kept, bare, picture = tmp_path / "kept.json", tmp_path / "bare.json", tmp_path / "map.svg"
    arguments = ["run", str(firmware), "-q", "-o"]
    assert invoke([*arguments, str(kept)]) == 0
    found = trace.load(kept)
    cells = grid(found)
    assert set(np.unique(cells.writers)) == {
        -2,
        -1,
        *(i for i, layer in enumerate(found.layers) if layer.op != "RESHAPE"),
    }
    assert (cells.columns - 1) * cells.column_cycles <= found.totals.cycles
    assert cells.columns * cells.column_cycles > found.totals.cycles
    in_a_column = cells.live.sum(axis=0, dtype=int) * cells.row_bytes // PIECES
    assert found.memory.live_peak_bytes <= in_a_column.max() <= found.memory.sram_peak_bytes
    highest = max(end for _, end in cells.spans)
    assert 0 <= highest - 0x2000_0000 - found.memory.regions[0].high_water_bytes < cells.row_bytes
    assert invoke(["report", str(kept), "--format", "map", "-o", str(picture)]) == 0
    assert picture.read_text().startswith("<svg")
    assert invoke([*arguments, str(bare), "--no-memory"]) == 0
    assert trace.load(bare).sram_map is None
