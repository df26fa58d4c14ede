"""Firmware for size, and with one rounding: what is chosen, what it computes, what is said of it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from mcusim import chips, network
from mcusim.cli.application import invoke
from mcusim.compiler.build import build
from mcusim.compiler.lowering import Options, lower
from mcusim.compiler.schedule import parse_spec
from mcusim.network import executor
from mcusim.network.graph import OpKind
from mcusim.simulate import SimulationResult, simulate
from mcusim.trace import Firmware

CHIP = "stm32f412zg"
MODEL = "zoo:ds_cnn"


def run(options: Options, folder: Path) -> SimulationResult:
    graph = network.load(MODEL)
    schedule = parse_spec("layer", graph)
    built = build(graph, schedule, chips.load(CHIP), out=folder / "network.elf", options=options)
    return simulate(built.elf, CHIP, inputs=[picture()], memory=False)


def picture() -> np.ndarray:
    graph = network.load(MODEL)
    shape = graph.tensors[graph.inputs[0]].shape
    return np.random.default_rng(0).integers(-128, 128, shape, dtype=np.int8)


def expected() -> np.ndarray:
    return executor.outputs(network.load(MODEL), [picture()])[0]


def firmware_of(result: SimulationResult) -> Firmware:
    assert result.error is None
    return result.trace.firmware


def test_size_takes_less_flash_and_gives_the_same_outputs(tmp_path: Path) -> None:
    fast, small = run(Options(), tmp_path), run(Options(optimise="size"), tmp_path)
    assert firmware_of(small).text_bytes < 0.95 * firmware_of(fast).text_bytes
    assert firmware_of(small).flash_bytes < 0.95 * firmware_of(fast).flash_bytes
    assert small.trace.totals.cycles > fast.trace.totals.cycles
    np.testing.assert_array_equal(small.outputs[0][0], expected())


def test_size_has_one_small_kernel_for_all_depthwise_layers() -> None:
    graph = network.load("zoo:mobilenet_v1?width=0.25&resolution=96")
    kernels = {
        lower(graph, op, Options(optimise="size")).kernel
        for op in graph.operators
        if op.kind is OpKind.DEPTHWISE_CONV_2D
    }
    assert kernels == {"mcu_depthwise_general"}


def test_one_rounding_is_nearly_exact_and_no_slower(tmp_path: Path) -> None:
    double, single = run(Options(), tmp_path), run(Options(rounding="single"), tmp_path)
    assert single.trace.totals.cycles <= double.trace.totals.cycles
    np.testing.assert_array_equal(double.outputs[0][0], expected())
    assert np.abs(single.outputs[0][0].astype(int) - expected()).max() <= 4


def test_what_one_rounding_does_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "network.elf"
    assert invoke(["build", MODEL, "--rounding", "single", "-o", str(out)]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert re.search(r"code [\d.]+ KiB of [\d.]+ KiB of flash", text)
    found = re.search(r"Rounded once, ([\d.]+)% of the outputs of 8 inferences on random inputs differ", text)
    assert found is not None
    assert float(found[1]) <= 100


def test_inputs_are_for_the_measurement_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.npy"
    np.save(path, picture())
    arguments = ["build", MODEL, "-o", str(tmp_path / "network.elf"), "--input", str(path)]
    assert invoke([*arguments, "--rounding", "single"]) == 0
    assert "1 inference on given inputs" in " ".join(capsys.readouterr().out.split())
    assert invoke([*arguments, "--force"]) == 2
    assert "--rounding single" in capsys.readouterr().err
