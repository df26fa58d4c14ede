"""Every operator of every shared model against the published CRC-32 of its output."""

from __future__ import annotations

import csv
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mcusim.network import executor, load
from mcusim.network.geometry import macs
from mcusim.network.graph import Graph
from mcusim.network.quantise import quantisation_of

MODELS = (
    "ad01_int8",
    "hello_world_int8",
    "kws_ref_model",
    "mcunet_detection",
    "mcunet_vww",
    "mcunetv2_large",
    "micro_speech_quantized",
    "person_detect",
    "pretrainedResnet_quant",
    "str_ww_ref_model",
    "vww_96_int8",
)
KINDS = ("rand", "ramp", "photo", "photo2")


def golden_inputs(models: Path, name: str) -> dict[str, NDArray[np.int8]]:
    paths = {kind: models / f"{name}.{kind}.in.npy" for kind in KINDS}
    return {kind: np.load(path) for kind, path in paths.items() if path.exists()}


def rows(models: Path, name: str, table: str) -> dict[int, dict[str, str]]:
    with (models / f"{name}.{table}.csv").open(newline="") as file:
        return {int(row["op"]): row for row in csv.DictReader(file)}


def wrong_operators(graph: Graph, inputs: NDArray[np.generic], expected: dict[int, str]) -> list[str]:
    values = executor.run(graph, [inputs])
    return [
        f"{op.index} ({op.kind})"
        for op in graph.operators
        if f"{zlib.crc32(values[op.outputs[0]].tobytes()):08x}" != expected[op.index]
    ]


@pytest.mark.parametrize("name", MODELS)
def test_every_operator_of_the_simplified_graph_is_bit_exact(models: Path, name: str) -> None:
    graph = load(models / f"{name}.tflite")
    table = rows(models, name, "fused")
    assert sorted(op.index for op in graph.operators) == sorted(table)
    inputs = golden_inputs(models, name)
    assert inputs
    for kind, x in inputs.items():
        crcs = {index: row[f"crc32_{kind}"] for index, row in table.items()}
        assert wrong_operators(graph, x, crcs) == [], kind


@pytest.mark.parametrize("name", MODELS)
def test_every_operator_of_the_graph_as_stored_is_bit_exact(models: Path, name: str) -> None:
    stored, simplified = load(models / f"{name}.tflite", simplify=False), load(models / f"{name}.tflite")
    table = rows(models, name, "layers")
    x = golden_inputs(models, name)["rand"]
    if stored.tensors[stored.inputs[0]].dtype == "float32":
        edge = quantisation_of(simplified.tensors[simplified.inputs[0]])
        x = (x.astype(np.int32) - edge.zero_point).astype(np.float32) * np.float32(edge.scale)
    crcs = {index: row["crc32_rand"] for index, row in table.items()}
    assert wrong_operators(stored, x, crcs) == []


@pytest.mark.parametrize("name", MODELS)
def test_outputs_equal_the_golden_files(models: Path, name: str) -> None:
    graph = load(models / f"{name}.tflite")
    for kind, x in golden_inputs(models, name).items():
        found = executor.outputs(graph, [x])
        suffixes = [""] if len(found) == 1 else [str(i) for i in range(len(found))]
        for suffix, output in zip(suffixes, found, strict=True):
            np.testing.assert_array_equal(output, np.load(models / f"{name}.{kind}.out{suffix}.npy"))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("table", ["fused", "layers"])
def test_macs_equal_the_published_ones(models: Path, name: str, table: str) -> None:
    graph = load(models / f"{name}.tflite", simplify=table == "fused")
    published = {index: int(row["macs"]) for index, row in rows(models, name, table).items()}
    assert {op.index: macs(graph, op) for op in graph.operators} == published


def test_a_batch_equals_its_members(models: Path, data: Path) -> None:
    graph = load(models / "kws_ref_model.tflite")
    x = np.load(data / "kws01.npz")["x"][:5]
    together = executor.outputs(graph, [x])[0]
    for i, member in enumerate(x):
        np.testing.assert_array_equal(executor.outputs(graph, [member[None]])[0][0], together[i])


def test_keyword_accuracy_over_the_labelled_inputs(models: Path, data: Path) -> None:
    labelled = np.load(data / "kws01.npz")
    scores = executor.outputs(load(models / "kws_ref_model.tflite"), [labelled["x"]])[0]
    # Reference figure of MLPerf Tiny for this model and these inputs: at least 90 %.
    assert (scores.argmax(axis=1) == labelled["y"]).mean() >= 0.9


def test_pictures_of_persons_are_told_from_others(models: Path) -> None:
    for name in ("person_detect", "vww_96_int8", "mcunet_vww"):
        graph, inputs = load(models / f"{name}.tflite"), golden_inputs(models, name)
        assert executor.outputs(graph, [inputs["photo"]])[0].argmax() == 1
        assert executor.outputs(graph, [inputs["photo2"]])[0].argmax() == 0
