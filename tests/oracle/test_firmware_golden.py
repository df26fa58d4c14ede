"""Whole firmware images on the simulated chip against the golden vectors and every operator's CRC-32."""

from __future__ import annotations

import csv
import zlib
from pathlib import Path

import numpy as np
import pytest
from memory_checks import check_memory
from moved import tensors_left
from numpy.typing import NDArray

from mcusim import chips, network
from mcusim.compiler.build import BuildResult, build
from mcusim.compiler.schedule import InputIn, parse_spec
from mcusim.network import executor, geometry
from mcusim.network.prune import prune
from mcusim.simulate import SimulationResult, simulate

CHIP = "stm32f412zg"
KINDS = ("rand", "ramp", "photo", "photo2")
LAYER_MODELS = (
    "vww_96_int8",
    "person_detect",
    "pretrainedResnet_quant",
    "kws_ref_model",
    "ad01_int8",
    "str_ww_ref_model",
    "micro_speech_quantized",
    "hello_world_int8",
    "mcunet_vww",
    "mcunet_detection",
)
PATCHED = [
    (name, f"patch:{grid}@{last}")
    for name, lasts in (
        ("vww_96_int8", (7, 5)),
        ("person_detect", (7, 3)),
        ("pretrainedResnet_quant", (7, 3)),
    )
    for grid, last in zip(("2x2", "3x3", "4x4", "3x2"), lasts * 2, strict=True)
] + [
    ("mcunet_vww", "patch:2x2@12"),
    ("mcunet_vww", "patch:3x2@17"),
    ("mcunet_detection", "patch:2x2@12"),
    ("mcunet_detection", "patch:4x3@8"),
    ("kws_ref_model", "patch:5x1@4"),
    ("kws_ref_model", "patch:2x3@8"),
    ("str_ww_ref_model", "patch:2x1@5"),
    ("str_ww_ref_model", "patch:4x1@3"),
]
LARGE_CHIP = "mps2-an386"


def image_of(models: Path, name: str, spec: str, folder: Path, input_in: InputIn = "sram") -> BuildResult:
    graph = network.load(models / f"{name}.tflite")
    schedule = parse_spec(spec, graph, input_in)
    return build(graph, schedule, chips.load(CHIP), out=folder / f"{name}.elf")


def golden_pairs(models: Path, name: str) -> dict[str, tuple[NDArray[np.int8], NDArray[np.int8]]]:
    inputs = {kind: models / f"{name}.{kind}.in.npy" for kind in KINDS}
    return {
        kind: (np.load(path), np.load(models / f"{name}.{kind}.out.npy"))
        for kind, path in inputs.items()
        if path.exists()
    }


def golden_outputs(models: Path, name: str, kind: str) -> list[NDArray[np.int8]]:
    """All outputs for one golden input, of networks with one or several."""
    return [np.load(path) for path in sorted(models.glob(f"{name}.{kind}.out*.npy"))]


def published_crcs(models: Path, name: str, kind: str) -> dict[int, str]:
    with (models / f"{name}.fused.csv").open(newline="") as table:
        return {int(row["op"]): row[f"crc32_{kind}"] for row in csv.DictReader(table)}


def check_against_goldens(models: Path, name: str, built: BuildResult, expected_layers: int) -> None:
    """Every golden pair, and the checksum of each of ``expected_layers`` whole outputs on the way."""
    kinds = [kind for kind in KINDS if (models / f"{name}.{kind}.in.npy").exists()]
    assert len(kinds) >= 2
    for kind in kinds:
        given = np.load(models / f"{name}.{kind}.in.npy")
        result = simulate(built.elf, CHIP, inputs=[given], capture=True)
        assert result.error is None
        check_memory(result.trace, built.plan.arena_bytes)
        for found, wanted in zip(result.outputs[0], golden_outputs(models, name, kind), strict=True):
            np.testing.assert_array_equal(found, wanted, err_msg=kind)
        check_crcs(models, name, kind, result, expected_layers)


def check_crcs(models: Path, name: str, kind: str, result: SimulationResult, expected_layers: int) -> None:
    published = published_crcs(models, name, kind)
    graph = network.load(str(models / f"{name}.tflite"))
    makers = {op.outputs[0]: op.index for op in graph.operators}
    left = tensors_left(graph, result.trace.layers)
    found = {index: f"{zlib.crc32(content):08x}" for index, content in result.captured.items()}
    assert len(found) == expected_layers
    assert found == {index: published[makers[left[index]]] for index in found}, kind


@pytest.mark.parametrize("name", LAYER_MODELS)
def test_layer_by_layer_every_operator_is_bit_exact(models: Path, tmp_path: Path, name: str) -> None:
    built = image_of(models, name, "layer", tmp_path)
    layers = [entry for entry in built.section.layers if entry.output is not None and entry.symbol]
    assert len(layers) == len([e for e in built.section.layers if e.op != "RESHAPE"])
    check_against_goldens(models, name, built, len(layers))


@pytest.mark.parametrize(("name", "spec"), PATCHED)
def test_patches_leave_the_same_tensors(models: Path, tmp_path: Path, name: str, spec: str) -> None:
    built = image_of(models, name, spec, tmp_path)
    stage_end = int(spec.rpartition("@")[2])
    behind = [e for e in built.section.layers if e.index >= stage_end and e.op != "RESHAPE"]
    check_against_goldens(models, name, built, len(behind))


@pytest.mark.parametrize("name", LAYER_MODELS)
@pytest.mark.parametrize("input_in", ["sram", "flash"])
def test_streams_leave_the_same_tensors(models: Path, tmp_path: Path, name: str, input_in: InputIn) -> None:
    built = image_of(models, name, "stream", tmp_path, input_in)
    whole = [entry for entry in built.section.layers if entry.output is not None]
    check_against_goldens(models, name, built, len(whole))


@pytest.mark.parametrize(
    ("name", "kibibytes"),
    [("vww_96_int8", 17), ("person_detect", 17), ("mcunet_vww", 18.5), ("mcunet_detection", 33)],
)
def test_lines_of_a_camera_leave_the_same_tensors(
    models: Path, tmp_path: Path, name: str, kibibytes: float
) -> None:
    """In as much SRAM as with the image in flash, and that of the lines."""
    built = image_of(models, name, "stream", tmp_path, "camera")
    whole = [entry for entry in built.section.layers if entry.output is not None]
    given = np.load(models / f"{name}.rand.in.npy")
    result = simulate(built.elf, CHIP, inputs=[given], capture=True)
    check_memory(result.trace, built.plan.arena_bytes)
    check_crcs(models, name, "rand", result, len(whole))
    assert result.trace.memory.sram_peak_bytes <= kibibytes * 1024 + built.plan.input_bytes


@pytest.mark.parametrize(
    ("name", "spec", "input_in", "kibibytes", "factor"),
    [
        ("vww_96_int8", "stream", "flash", 17, 1),
        ("person_detect", "stream", "flash", 17, 1),
        ("person_detect", "stream", "sram", 17.5, 1),
        ("mcunet_vww", "stream", "flash", 18.5, 1),
        ("mcunet_vww", "stream", "sram", 24, 1),
        ("vww_96_int8", "bands:2@7", "flash", 13, 1.05),
        ("person_detect", "bands:2@7", "flash", 12, 1.05),
        ("mcunet_detection", "bands:3@12", "flash", 20, 1.05),
        ("person_detect", "patch:4x4@7", "sram", 22, 1.35),
        ("mcunet_vww", "patch:5x5@7", "sram", 34, 1.35),
        ("vww_96_int8", "patch:2x2@7", "flash", 21, 1.35),
        ("mcunet_detection", "patch:6x4@12", "sram", 79, 1.35),
        ("mcunet_detection", "patch:3x3@12", "flash", 42, 1.35),
        ("vww_96_int8", "layer", "sram", 56, 1),
        ("pretrainedResnet_quant", "layer", "sram", 50, 1),
        ("kws_ref_model", "layer", "sram", 17, 1),
        ("mcunet_vww", "layer", "sram", 92, 1),
        ("ad01_int8", "layer", "sram", 3, 1),
    ],
)
def test_measured_peak(
    models: Path, tmp_path: Path, name: str, spec: str, input_in: InputIn, kibibytes: float, factor: float
) -> None:
    """Arena, scratch, stack and statics together, at not more than ``factor`` times the MACs of ``layer``."""
    built = image_of(models, name, spec, tmp_path, input_in)
    given = np.load(models / f"{name}.rand.in.npy")
    result = simulate(built.elf, CHIP, inputs=[given])
    for found, wanted in zip(result.outputs[0], golden_outputs(models, name, "rand"), strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert result.trace.memory.sram_peak_bytes <= kibibytes * 1024
    assert result.trace.memory.arena_high_water_bytes == built.plan.arena_bytes
    least = geometry.total_macs(network.load(models / f"{name}.tflite"))
    assert result.trace.totals.macs <= factor * least


@pytest.mark.parametrize("spec", ["layer", "patch:2x2@11", "patch:4x4@8", "patch:3x4@10"])
def test_the_largest_network(models: Path, tmp_path: Path, spec: str) -> None:
    """Its weights are random and its output is the same for every input: the checksums are the proof."""
    name = "mcunetv2_large"
    graph = network.load(models / f"{name}.tflite")
    built = build(graph, parse_spec(spec, graph), chips.load(LARGE_CHIP), out=tmp_path / "firmware.elf")
    stage_end = int(spec.rpartition("@")[2]) if "@" in spec else 0
    expected = [op for op in graph.operators if op.index >= stage_end]
    kind = "photo" if stage_end else "rand"
    result = simulate(built.elf, LARGE_CHIP, inputs=[np.load(models / f"{name}.{kind}.in.npy")], capture=True)
    assert result.error is None
    check_crcs(models, name, kind, result, len(expected))


@pytest.mark.parametrize("spec", ["layer", "patch:3x3@7"])
def test_an_image_in_flash_gives_the_same_result(models: Path, tmp_path: Path, spec: str) -> None:
    built = image_of(models, "vww_96_int8", spec, tmp_path, "flash")
    given, wanted = golden_pairs(models, "vww_96_int8")["photo"]
    result = simulate(built.elf, CHIP, inputs=[given])
    assert result.error is None
    np.testing.assert_array_equal(result.outputs[0][0], wanted)
    assert result.trace.memory.input_bytes == 0


def test_keyword_accuracy_of_the_firmware_itself(models: Path, data: Path, tmp_path: Path) -> None:
    """One image, a thousand inputs poked in turn: the firmware's answers are the executor's."""
    built = image_of(models, "kws_ref_model", "layer", tmp_path)
    labelled = np.load(data / "kws01.npz")
    result = simulate(built.elf, CHIP, inputs=list(labelled["x"][:, None]))
    assert result.error is None
    found = np.concatenate([outputs[0] for outputs in result.outputs])
    wanted = executor.outputs(network.load(models / "kws_ref_model.tflite"), [labelled["x"]])[0]
    np.testing.assert_array_equal(found, wanted)
    assert (found.argmax(axis=1) == labelled["y"]).mean() >= 0.9


def test_pictures_through_the_resnet_firmware(models: Path, data: Path, tmp_path: Path) -> None:
    """Two pictures of each class, as the network takes them."""
    name = "pretrainedResnet_quant"
    built = image_of(models, name, "layer", tmp_path)
    pictures = (np.load(data / "cifar10_test500.npz")["x"][::25].astype(np.int16) - 128).astype(np.int8)
    assert len(pictures) == 20
    result = simulate(built.elf, CHIP, inputs=list(pictures[:, None]))
    assert result.error is None
    found = np.concatenate([outputs[0] for outputs in result.outputs])
    expected = executor.outputs(network.load(models / f"{name}.tflite"), [pictures])[0]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", ["vww_96_int8", "mcunet_vww"])
def test_firmware_without_dead_channels_gives_the_golden_outputs(
    name: str, models: Path, tmp_path: Path
) -> None:
    pruned = prune(network.load(models / f"{name}.tflite"))
    assert pruned.channels > 0
    schedule = parse_spec("stream", pruned.graph)
    built = build(pruned.graph, schedule, chips.load(CHIP), out=tmp_path / f"{name}.elf")
    for inputs, wanted in golden_pairs(models, name).values():
        (outputs,) = simulate(built.elf, CHIP, inputs=[inputs]).outputs
        np.testing.assert_array_equal(outputs[0], wanted)
