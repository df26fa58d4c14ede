"""Operators read from files: attributes, work, edges, and refusals in one sentence."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
import tflite
from hypothesis import given, settings
from hypothesis import strategies as st
from tflite_writer import FLOAT32, INT8, INT32, UINT8, StoredOperator, StoredTensor, model

from mcusim.compiler.program import lower_all
from mcusim.errors import InputError, UnsupportedError
from mcusim.network import executor, load, tflite_reader, validate
from mcusim.network.geometry import macs
from mcusim.network.graph import Graph, OpKind, Slice

BuiltinOperator = tflite.BuiltinOperator


def loaded(tmp_path: Path, raw: bytes, *, simplify: bool = True) -> Graph:
    path = tmp_path / "network.tflite"
    path.write_bytes(raw)
    return load(path, simplify=simplify)


def parameter(*values: int) -> StoredTensor:
    return StoredTensor((len(values),), INT32, (), (), np.array(values, "<i4"))


def weights(*shape: int) -> StoredTensor:
    return StoredTensor(shape, data=np.ones(shape, np.int8))


def sliced(shrunk: int = 0, stride: int = 2, batch_end: int = 1) -> bytes:
    """Every second row from the end of a 1 x 7 x 3 image, the columns 1 and 2 (or 1 alone)."""
    kept = (1, 4, 2) if not shrunk else (1, 4)
    tensors = [
        StoredTensor((1, 7, 3)),
        parameter(0, -1, 1),
        parameter(batch_end, -9, 9),
        parameter(1, -stride, 1),
        StoredTensor(kept),
    ]
    options = ("StridedSliceOptions", {"ShrinkAxisMask": shrunk})
    op = StoredOperator(BuiltinOperator.STRIDED_SLICE, (0, 1, 2, 3), (4,), options)
    return model(tensors, [op], [0], [4])


def transposed(height: int = 5) -> bytes:
    """A 3x3 transposed convolution of stride 2 from 2x2x1 to ``height`` x 5 x 2, VALID."""
    tensors = [parameter(1, height, 5, 2), weights(2, 3, 3, 1), StoredTensor((1, 2, 2, 1))]
    tensors.append(StoredTensor((1, height, 5, 2)))
    options = ("TransposeConvOptions", {"Padding": tflite.Padding.VALID, "StrideH": 2, "StrideW": 2})
    op = StoredOperator(BuiltinOperator.TRANSPOSE_CONV, (0, 1, 2), (3,), options)
    return model(tensors, [op], [2], [3])


def convolution(inputs: int, per_group: int, filters: int = 4) -> bytes:
    tensors = [StoredTensor((1, 4, 4, inputs)), weights(filters, 1, 1, per_group)]
    tensors.append(StoredTensor((1, 4, 4, filters)))
    options = {"Padding": tflite.Padding.VALID, "StrideH": 1, "StrideW": 1}
    options |= {"DilationHFactor": 1, "DilationWFactor": 1}
    op = StoredOperator(BuiltinOperator.CONV_2D, (0, 1), (2,), ("Conv2DOptions", options))
    return model(tensors, [op], [0], [2])


def dense(rows: int) -> bytes:
    tensors = [StoredTensor((1, rows, 3)), weights(2, 3), StoredTensor((1, rows, 2))]
    op = StoredOperator(BuiltinOperator.FULLY_CONNECTED, (0, 1), (2,), ("FullyConnectedOptions", {}))
    return model(tensors, [op], [0], [2])


def single(code: int, source: StoredTensor, result: StoredTensor) -> bytes:
    return model([source, result], [StoredOperator(code, (0,), (1,))], [0], [1])


def test_slices_are_resolved(tmp_path: Path) -> None:
    graph = loaded(tmp_path, sliced())
    assert graph.operators[0].attributes.slices == (Slice(0, 1), Slice(6, 4, -2), Slice(1, 2))
    image = np.arange(21, dtype=np.int8).reshape(1, 7, 3)
    np.testing.assert_array_equal(executor.outputs(graph, [image])[0], image[:, ::-2, 1:])
    dropped = loaded(tmp_path, sliced(shrunk=4))
    np.testing.assert_array_equal(executor.outputs(dropped, [image])[0], image[:, ::-2, 1])


def test_work_of_rows_groups_and_transposed_convolutions(tmp_path: Path) -> None:
    grouped = loaded(tmp_path, convolution(inputs=6, per_group=3))
    assert macs(grouped, grouped.operators[0]) == 4 * 4 * 4 * 3
    rows = loaded(tmp_path, dense(rows=4))
    assert macs(rows, rows.operators[0]) == 4 * 2 * 3
    graph = loaded(tmp_path, transposed())
    assert [graph.input_of(graph.operators[0], i).shape for i in (0, 1)] == [(1, 2, 2, 1), (2, 3, 3, 1)]
    assert macs(graph, graph.operators[0]) == 2 * 2 * 3 * 3 * 2
    # Weights of 1 on inputs of 1: each output counts the inputs whose window covers it.
    found = executor.outputs(graph, [np.full((1, 2, 2, 1), 1, np.int8)])[0][0, :, :, 0]
    covered = np.array([1, 1, 2, 1, 1])
    np.testing.assert_array_equal(found, np.round(np.outer(covered, covered) / 2 + 1e-9))


def test_uint8_edges_are_dropped_and_int8_ones_kept(tmp_path: Path) -> None:
    tensors = [
        StoredTensor((1, 8), UINT8, (0.5,), (128,)),
        StoredTensor((1, 8)),
        StoredTensor((1, 8), INT8, (0.25,), (3,)),
        StoredTensor((1, 8), UINT8, (0.25,), (131,)),
    ]
    operators = [StoredOperator(BuiltinOperator.QUANTIZE, (i,), (i + 1,)) for i in range(3)]
    raw = model(tensors, operators, [0], [3])
    graph = loaded(tmp_path, raw)
    assert [op.index for op in graph.operators] == [1]
    stored = loaded(tmp_path, raw, simplify=False)
    x = np.array([[0, 1, 100, 127, 128, 129, 200, 255]], np.uint8)
    inner = executor.outputs(graph, [(x ^ 0x80).view(np.int8)])[0]
    np.testing.assert_array_equal(executor.outputs(stored, [x])[0], inner.view(np.uint8) ^ 0x80)


def test_squeezing_and_expanding_are_reshapes(tmp_path: Path) -> None:
    tensors = [StoredTensor((1, 1, 3)), StoredTensor((1, 3)), parameter(2), StoredTensor((1, 3, 1))]
    operators = [
        StoredOperator(BuiltinOperator.SQUEEZE, (0,), (1,)),
        StoredOperator(BuiltinOperator.EXPAND_DIMS, (1, 2), (3,)),
    ]
    graph = loaded(tmp_path, model(tensors, operators, [0], [3]))
    assert [op.kind for op in graph.operators] == [OpKind.RESHAPE] * 2
    x = np.array([[[4, -5, 6]]], np.int8)
    np.testing.assert_array_equal(executor.outputs(graph, [x])[0], [[[4], [-5], [6]]])


def test_nearest_neighbours_of_odd_ratios_are_the_float_ones(tmp_path: Path) -> None:
    tensors = [StoredTensor((1, 15, 1, 1)), parameter(35, 1), StoredTensor((1, 35, 1, 1))]
    options = ("ResizeNearestNeighborOptions", {})
    op = StoredOperator(BuiltinOperator.RESIZE_NEAREST_NEIGHBOR, (0, 1), (2,), options)
    graph = loaded(tmp_path, model(tensors, [op], [0], [2]))
    rows = np.arange(15, dtype=np.int8).reshape(1, 15, 1, 1)
    scale = np.float32(15) / np.float32(35)
    expected = [int(np.float32(y) * scale) for y in range(35)]
    assert executor.outputs(graph, [rows])[0].reshape(-1).tolist() == expected


def split() -> bytes:
    tensors = [parameter(1), StoredTensor((1, 6)), StoredTensor((1, 3)), StoredTensor((1, 3))]
    op = StoredOperator(BuiltinOperator.SPLIT, (0, 1), (2, 3), ("SplitOptions", {"NumSplits": 2}))
    return model(tensors, [op], [1], [2, 3])


def joined() -> bytes:
    tensors = [StoredTensor((1, 3)), StoredTensor((1, 2)), StoredTensor((1, 5))]
    op = StoredOperator(BuiltinOperator.CONCATENATION, (0, 1), (2,), ("ConcatenationOptions", {"Axis": -1}))
    return model(tensors, [op], [0, 1], [2])


def resized() -> bytes:
    tensors = [StoredTensor((1, 2, 3, 2)), parameter(5, 4), StoredTensor((1, 5, 4, 2))]
    options = ("ResizeBilinearOptions", {"HalfPixelCenters": True})
    return model(tensors, [StoredOperator(BuiltinOperator.RESIZE_BILINEAR, (0, 1), (2,), options)], [0], [2])


def greatest() -> bytes:
    tensors = [StoredTensor((1, 2, 3, 2)), parameter(1, 2), StoredTensor((1, 2))]
    op = StoredOperator(BuiltinOperator.REDUCE_MAX, (0, 1), (2,), ("ReducerOptions", {"KeepDims": False}))
    return model(tensors, [op], [0], [2])


def logistic() -> bytes:
    result = StoredTensor((1, 4), scales=(1 / 256,), zero_points=(-128,))
    return single(BuiltinOperator.LOGISTIC, StoredTensor((1, 4)), result)


def leaky() -> bytes:
    tensors = [StoredTensor((1, 4)), StoredTensor((1, 4))]
    op = StoredOperator(BuiltinOperator.LEAKY_RELU, (0,), (1,), ("LeakyReluOptions", {"Alpha": 0.25}))
    return model(tensors, [op], [0], [1])


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_damaged_models_never_raise_anything_else(data: st.DataObject) -> None:
    whole = [sliced(), transposed(), convolution(6, 3), split(), joined(), resized(), greatest(), logistic()]
    raw = bytearray(data.draw(st.sampled_from([*whole, leaky()])))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(8, len(raw) - 1))] = data.draw(st.integers(0, 255))
    # Anything but an error on purpose fails the test by itself.
    with contextlib.suppress(InputError):
        graph = tflite_reader.parse(bytes(raw), "x", "x.tflite")
        validate.check(graph)
        inputs = [graph.tensors[i] for i in graph.inputs]
        if max(tensor.elements for tensor in graph.tensors.values()) < 1 << 20:
            executor.outputs(graph, [np.zeros(tensor.shape, tensor.dtype) for tensor in inputs])


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (sliced(stride=-8), "keeps nothing|yields the shape"),
        (sliced(batch_end=0), "batch dimension"),
        (sliced(shrunk=2), "drops dimension 1 with the stride -2"),
        (transposed(height=7), "cannot make"),
        (convolution(inputs=6, per_group=4), "weights for 4 channels"),
        (convolution(inputs=6, per_group=2), "weights for 2 channels"),
        (single(BuiltinOperator.LOGISTIC, StoredTensor((1, 4)), StoredTensor((1, 4))), "1/256 .* -128"),
        (single(BuiltinOperator.TANH, StoredTensor((1, 4)), StoredTensor((1, 4))), "1/128 .* 0"),
        (single(BuiltinOperator.LOG_SOFTMAX, StoredTensor((1, 4)), StoredTensor((1, 4))), "1/16 .* 127"),
        (
            single(BuiltinOperator.HARD_SWISH, StoredTensor((1, 4), UINT8), StoredTensor((1, 4), UINT8)),
            "uint8 into uint8",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(tmp_path: Path, raw: bytes, words: str) -> None:
    with pytest.raises(InputError, match=f"operator 0 .*({words})") as caught:
        loaded(tmp_path, raw)
    assert "\n" not in str(caught.value)


def test_operators_without_a_kernel_are_named(tmp_path: Path) -> None:
    # A float32 input with two readers cannot be replaced by either of the int8 tensors.
    tensors = [
        StoredTensor((1, 3), FLOAT32, (), ()),
        StoredTensor((1, 3)),
        StoredTensor((1, 3), scales=(0.25,)),
    ]
    operators = [StoredOperator(BuiltinOperator.QUANTIZE, (0,), (i,)) for i in (1, 2)]
    graph = loaded(tmp_path, model(tensors, operators, [0], [1, 2]))
    assert [op.index for op in graph.operators] == [0, 1]
    with pytest.raises(UnsupportedError, match=r"operator 0 \(QUANTIZE\)"):
        lower_all(graph)
