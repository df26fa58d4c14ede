"""The kernels, compiled for the host, against the published checksums of every operator."""

from __future__ import annotations

import csv
import zlib
from pathlib import Path

import numpy as np
import pytest
from host_kernels import run_operator

from mcusim import network
from mcusim.network import executor
from mcusim.network.graph import OpKind

MODELS = ("vww_96_int8", "person_detect", "pretrainedResnet_quant", "kws_ref_model", "ad01_int8")
KINDS = ("rand", "ramp", "photo", "photo2")


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_operator_matches_its_checksum(models: Path, name: str, kind: str) -> None:
    source = models / f"{name}.{kind}.in.npy"
    if not source.exists():
        pytest.skip(f"{name} has no golden input of kind {kind}")
    graph = network.load(models / f"{name}.tflite")
    tensors = {graph.inputs[0]: np.load(source)}
    with (models / f"{name}.fused.csv").open() as table:
        checksums = {int(row["op"]): row[f"crc32_{kind}"] for row in csv.DictReader(table)}
    for op in graph.operators:
        if op.kind is OpKind.RESHAPE:
            result = tensors[op.inputs[0]].reshape(graph.output_of(op).shape)
        else:
            result = run_operator(graph, op, tensors)[0]
        assert f"{zlib.crc32(result.tobytes()):08x}" == checksums[op.index], (
            f"operator {op.index} ({op.kind})"
        )
        tensors[op.outputs[0]] = result


OTHER_MODELS = (
    "str_ww_ref_model",
    "micro_speech_quantized",
    "hello_world_int8",
    "mcunet_vww",
    "mcunet_detection",
)


@pytest.mark.parametrize("name", OTHER_MODELS)
def test_operators_of_further_networks(models: Path, name: str) -> None:
    graph = network.load(models / f"{name}.tflite")
    source = np.load(models / f"{name}.rand.in.npy")
    tensors = executor.run(graph, [source])
    for op in graph.operators:
        if op.kind is not OpKind.RESHAPE:
            result = run_operator(graph, op, tensors)[0]
            np.testing.assert_array_equal(result, tensors[op.outputs[0]], err_msg=f"operator {op.index}")
