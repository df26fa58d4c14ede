"""The .tflite reader on small models written here, and on files that are none."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tflite
from hypothesis import given
from hypothesis import strategies as st
from tflite_writer import FLOAT32, INT32, StoredOperator, StoredTensor, model

from mcusim.errors import InputError, UnsupportedError, UsageError
from mcusim.network import executor, load, tflite_reader, validate
from mcusim.network.graph import Activation, OpKind, Padding

RESHAPE, SOFTMAX = tflite.BuiltinOperator.RESHAPE, tflite.BuiltinOperator.SOFTMAX


def convolution(padding: int, stride: int, size: int = 6) -> bytes:
    """A 3x3 convolution from one channel to two, without bias, with RELU."""
    outputs = -(-size // stride) if padding == tflite.Padding.SAME else (size - 3) // stride + 1
    weights = np.arange(-9, 9, dtype=np.int8).reshape(2, 3, 3, 1)
    options = {"Padding": padding, "StrideH": stride, "StrideW": stride, "FusedActivationFunction": 1}
    options |= {"DilationHFactor": 1, "DilationWFactor": 1}
    return model(
        [
            StoredTensor((1, size, size, 1), zero_points=(7,)),
            StoredTensor(weights.shape, scales=(0.25, 0.5), zero_points=(0, 0), data=weights),
            StoredTensor((1, outputs, outputs, 2)),
        ],
        [StoredOperator(tflite.BuiltinOperator.CONV_2D, (0, 1, -1), (2,), ("Conv2DOptions", options))],
        [0],
        [2],
    )


def one_operator(code: int, result: StoredTensor, options: tuple[str, dict[str, int]] | None = None) -> bytes:
    return model([StoredTensor((1, 4)), result], [StoredOperator(code, (0,), (1,), options)], [0], [1])


def loaded(tmp_path: Path, raw: bytes) -> Any:
    path = tmp_path / "network.tflite"
    path.write_bytes(raw)
    return load(path)


@pytest.mark.parametrize(
    ("size", "stride", "expected"),
    [(6, 2, Padding(0, 1, 0, 1)), (6, 1, Padding(1, 1, 1, 1)), (7, 2, Padding(1, 1, 1, 1))],
)
def test_same_padding_is_resolved(tmp_path: Path, size: int, stride: int, expected: Padding) -> None:
    graph = loaded(tmp_path, convolution(tflite.Padding.SAME, stride, size))
    op = graph.operators[0]
    assert op.kind is OpKind.CONV_2D
    assert op.attributes.activation is Activation.RELU
    assert op.attributes.window is not None
    assert op.attributes.window.padding == expected


def test_scales_are_per_channel_and_a_missing_bias_is_zero(tmp_path: Path) -> None:
    graph = loaded(tmp_path, convolution(tflite.Padding.VALID, 1))
    assert graph.tensors[1].quantisation.scales == (0.25, 0.5)
    x = np.full((1, 6, 6, 1), 9, np.int8)
    # Every tap sees 2 above the zero point: sums of -9..-1 and 0..8, doubled, times 0.5 * scale / 0.5.
    found = executor.outputs(graph, [x])[0]
    assert (found[..., 0] == 0).all()
    assert (found[..., 1] == 36).all()


def test_an_unsupported_operator_is_named_with_its_index(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="operator 0 is SPACE_TO_DEPTH"):
        loaded(tmp_path, one_operator(tflite.BuiltinOperator.SPACE_TO_DEPTH, StoredTensor((1, 4))))


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (one_operator(SOFTMAX, StoredTensor((1, 4))), "no options"),
        (
            one_operator(
                tflite.BuiltinOperator.SOFTMAX, StoredTensor((1, 4)), ("SoftmaxOptions", {"Beta": 1})
            ),
            "1/256",
        ),
        (one_operator(RESHAPE, StoredTensor((1, 5))), "cannot make"),
        (one_operator(RESHAPE, StoredTensor((1, 2, 2), scales=(1.0,))), "rescales"),
        (one_operator(RESHAPE, StoredTensor((4, 1))), "batch size 1"),
        (one_operator(RESHAPE, StoredTensor((1, 4), type=FLOAT32)), "float32"),
        (one_operator(RESHAPE, StoredTensor((1, 4), type=INT32)), "int32"),
        (one_operator(RESHAPE, StoredTensor((1, -4))), "unusable shape"),
        (convolution(tflite.Padding.VALID, 1)[:200], "truncated or damaged"),
        (b"\x00" * 64, "not a TensorFlow Lite model"),
        (b"", "not a TensorFlow Lite model"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(tmp_path: Path, raw: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        loaded(tmp_path, raw)
    assert "\n" not in str(caught.value)


def test_an_operator_that_reads_ahead_is_refused(tmp_path: Path) -> None:
    tensors = [StoredTensor((1, 4)) for _ in range(3)]
    operators = [StoredOperator(RESHAPE, (1,), (2,)), StoredOperator(RESHAPE, (0,), (1,))]
    with pytest.raises(InputError, match=r"operator 0 .* nothing has written"):
        loaded(tmp_path, model(tensors, operators, [0], [2]))


def test_missing_files_and_other_names(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        load(tmp_path / "absent.tflite")
    (tmp_path / "folder.tflite").mkdir()
    with pytest.raises(InputError, match="cannot read"):
        load(tmp_path / "folder.tflite")
    with pytest.raises(UsageError, match="neither"):
        load(tmp_path / "network.onnx")


@given(st.binary(max_size=200))
def test_random_bytes_behind_the_identifier_are_refused(garbage: bytes) -> None:
    with pytest.raises(InputError):
        validate.check(tflite_reader.parse(b"\x10\x00\x00\x00TFL3" + garbage, "x", "x.tflite"))


@given(st.data())
def test_damaged_models_never_raise_anything_else(data: st.DataObject) -> None:
    raw = bytearray(convolution(tflite.Padding.SAME, 2))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(8, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.sampled_from([len(raw), len(raw) // 2, len(raw) - 4]))
    # Anything but an error on purpose fails the test by itself.
    with contextlib.suppress(InputError):
        graph = tflite_reader.parse(bytes(raw[:cut]), "x", "x.tflite")
        validate.check(graph)
        inputs = [graph.tensors[i] for i in graph.inputs]
        executor.outputs(graph, [np.zeros(tensor.shape, tensor.dtype) for tensor in inputs])


def padded_convolution(pad_is_read_twice: bool) -> bytes:
    """QUANTIZE, PAD 1/2 and 0/1, a 2x2 convolution, DEQUANTIZE; the PAD may also be an output."""
    weights, amounts = np.arange(4, dtype=np.int8), np.array([[0, 0], [1, 2], [0, 1], [0, 0]], "<i4")
    options = {"Padding": tflite.Padding.VALID, "StrideH": 1, "StrideW": 1}
    options |= {"DilationHFactor": 1, "DilationWFactor": 1}
    tensors = [
        StoredTensor((1, 4, 4, 1), type=FLOAT32, scales=(), zero_points=()),
        StoredTensor((1, 4, 4, 1), zero_points=(3,)),
        StoredTensor((4, 2), type=INT32, data=amounts),
        StoredTensor((1, 7, 5, 1), zero_points=(3,)),
        StoredTensor((1, 2, 2, 1), data=weights),
        StoredTensor((1, 6, 4, 1), zero_points=(-9,)),
        StoredTensor((1, 6, 4, 1), type=FLOAT32, scales=(), zero_points=()),
    ]
    operators = [
        StoredOperator(tflite.BuiltinOperator.QUANTIZE, (0,), (1,)),
        StoredOperator(tflite.BuiltinOperator.PAD, (1, 2), (3,)),
        StoredOperator(tflite.BuiltinOperator.CONV_2D, (3, 4), (5,), ("Conv2DOptions", options)),
        StoredOperator(tflite.BuiltinOperator.DEQUANTIZE, (5,), (6,)),
    ]
    return model(tensors, operators, [0], [6, 3] if pad_is_read_twice else [6])


def test_simplification_keeps_numbers_and_results(tmp_path: Path) -> None:
    graph = loaded(tmp_path, padded_convolution(pad_is_read_twice=False))
    assert [op.index for op in graph.operators] == [2]
    assert (graph.inputs, graph.outputs) == ((1,), (5,))
    window = graph.operators[0].attributes.window
    assert window is not None
    assert window.padding == Padding(top=1, bottom=2, left=0, right=1)
    stored = load(tmp_path / "network.tflite", simplify=False)
    assert [op.index for op in stored.operators] == [0, 1, 2, 3]
    real = np.linspace(-40, 40, 16, dtype=np.float32).reshape(1, 4, 4, 1)
    every = executor.run(stored, [real])
    np.testing.assert_array_equal(executor.outputs(graph, [every[1]])[0], every[5])
    np.testing.assert_array_equal(every[6], (every[5].astype(np.float32) + 9) * np.float32(0.5))


def test_padding_that_is_an_output_itself_stays(tmp_path: Path) -> None:
    graph = loaded(tmp_path, padded_convolution(pad_is_read_twice=True))
    assert [op.kind for op in graph.operators] == [OpKind.PAD, OpKind.CONV_2D]


def test_wrong_inputs_are_told_in_one_sentence(tmp_path: Path) -> None:
    graph = loaded(tmp_path, convolution(tflite.Padding.VALID, 1))
    for wrong in (np.zeros((1, 6, 5, 1), np.int8), np.zeros((1, 6, 6, 1), np.uint8), np.zeros((), np.int8)):
        with pytest.raises(InputError, match=r"takes int8 \[1, 6, 6, 1\], not"):
            executor.run(graph, [wrong])
    with pytest.raises(InputError, match="has 1 inputs, not 2"):
        executor.run(graph, [np.zeros((1, 6, 6, 1), np.int8)] * 2)
