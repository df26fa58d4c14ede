"""Write small .tflite models, for tests that need one with just this operator or just that flaw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
import tflite
from numpy.typing import NDArray

INT8, UINT8 = tflite.TensorType.INT8, tflite.TensorType.UINT8
INT32, FLOAT32 = tflite.TensorType.INT32, tflite.TensorType.FLOAT32


@dataclass
class StoredTensor:
    """Per-channel scales belong to dimension ``axis``; ``data`` makes it a constant."""

    shape: tuple[int, ...]
    type: int = INT8
    scales: tuple[float, ...] = (0.5,)
    zero_points: tuple[int, ...] = (0,)
    data: NDArray[Any] | None = None
    axis: int = 0


@dataclass
class StoredOperator:
    """``options``: name of the options table and its fields, as tflite's builder functions call them."""

    code: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: tuple[str, dict[str, float]] | None = None


def _offsets(builder: Any, items: Sequence[int]) -> int:
    builder.StartVector(4, len(items), 4)
    for item in reversed(items):
        builder.PrependUOffsetTRelative(item)
    return builder.EndVector()


def _numbers(builder: Any, values: Sequence[float], dtype: str) -> int:
    return builder.CreateNumpyVector(np.array(values, dtype))


def _table(builder: Any, name: str, fields: dict[str, Any]) -> int:
    getattr(tflite, f"{name}Start")(builder)
    for field, value in fields.items():
        getattr(tflite, f"{name}Add{field}")(builder, value)
    return getattr(tflite, f"{name}End")(builder)


def _tensor(builder: Any, index: int, tensor: StoredTensor) -> int:
    scale = _numbers(builder, tensor.scales, "<f4")
    zero_point = _numbers(builder, tensor.zero_points, "<i8")
    quantisation = _table(
        builder,
        "QuantizationParameters",
        {"Scale": scale, "ZeroPoint": zero_point, "QuantizedDimension": tensor.axis},
    )
    fields = {
        "Shape": _numbers(builder, tensor.shape, "<i4"),
        "Type": tensor.type,
        "Buffer": 0 if tensor.data is None else index + 1,
        "Name": builder.CreateString(f"t{index}"),
        "Quantization": quantisation,
    }
    return _table(builder, "Tensor", fields)


def _operator(builder: Any, index: int, op: StoredOperator) -> int:
    fields: dict[str, Any] = {
        "OpcodeIndex": index,
        "Inputs": _numbers(builder, op.inputs, "<i4"),
        "Outputs": _numbers(builder, op.outputs, "<i4"),
    }
    if op.options is not None:
        name, values = op.options
        fields["BuiltinOptionsType"] = getattr(tflite.BuiltinOptions, name)
        fields["BuiltinOptions"] = _table(builder, name, values)
    return _table(builder, "Operator", fields)


def model(
    tensors: Sequence[StoredTensor],
    operators: Sequence[StoredOperator],
    inputs: Sequence[int],
    outputs: Sequence[int],
) -> bytes:
    """A .tflite file with one operator code per operator and one buffer per tensor."""
    builder = flatbuffers.Builder(1024)
    buffers = [_table(builder, "Buffer", {})]
    for tensor in tensors:
        raw = b"" if tensor.data is None else tensor.data.tobytes()
        buffers.append(_table(builder, "Buffer", {"Data": builder.CreateByteVector(raw)}))
    codes = [
        _table(builder, "OperatorCode", {"DeprecatedBuiltinCode": min(op.code, 127), "BuiltinCode": op.code})
        for op in operators
    ]
    subgraph = {
        "Tensors": _offsets(builder, [_tensor(builder, i, t) for i, t in enumerate(tensors)]),
        "Inputs": _numbers(builder, inputs, "<i4"),
        "Outputs": _numbers(builder, outputs, "<i4"),
        "Operators": _offsets(builder, [_operator(builder, i, op) for i, op in enumerate(operators)]),
    }
    fields = {
        "Version": 3,
        "OperatorCodes": _offsets(builder, codes),
        "Subgraphs": _offsets(builder, [_table(builder, "SubGraph", subgraph)]),
        "Buffers": _offsets(builder, buffers),
    }
    builder.Finish(_table(builder, "Model", fields), b"TFL3")
    return bytes(builder.Output())
