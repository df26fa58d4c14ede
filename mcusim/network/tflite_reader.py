"""Read a .tflite file into a Graph, exactly as stored.

Only the container is judged here (is it a flatbuffer, do indices point somewhere, is every operator one
that mcusim has); whether the operators make sense together is checked by ``validate``.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcusim.errors import InputError, UnsupportedError
from mcusim.network.geometry import same_padding
from mcusim.network.graph import (
    Activation,
    Attributes,
    Graph,
    Operator,
    OpKind,
    Padding,
    Quantisation,
    Tensor,
    Window,
)

FILE_IDENTIFIER = b"TFL3"
MAX_TENSOR_BYTES = 1 << 31
MAX_RANK = 8
CUSTOM = 32
"""Builtin code of an operator that only its own name tells."""

_DTYPES = {0: "float32", 2: "int32", 3: "uint8", 4: "int64", 6: "bool", 7: "int16", 9: "int8"}
_ACTIVATIONS = {
    0: Activation.NONE,
    1: Activation.RELU,
    2: Activation.RELU_N1_TO_1,
    3: Activation.RELU6,
}
_PADDING_SAME = 0

# What the flatbuffers runtime and numpy raise on bytes that are no model.
_MALFORMED = (
    struct.error,
    IndexError,
    ValueError,
    TypeError,
    AttributeError,
    KeyError,
    OverflowError,
    MemoryError,
)


def read(path: Path) -> Graph:
    """The network in the file ``path``, float32 edges and PAD operators included.

    Raises InputError if the file cannot be read or is not a well-formed model, UnsupportedError if it
    uses an operator, a type or an option that mcusim does not have.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    return parse(raw, path.stem, str(path))


def parse(raw: bytes, name: str, source: str) -> Graph:
    """The network in the bytes ``raw``; ``source`` stands for the file in error messages."""
    if len(raw) < 8 or raw[4:8] != FILE_IDENTIFIER:
        raise InputError(
            f"{source} is not a TensorFlow Lite model (no {FILE_IDENTIFIER.decode()} identifier)"
        )
    try:
        return _Reader(raw, source).graph(name)
    except _MALFORMED as error:
        raise InputError(f"{source} is truncated or damaged: its tables do not parse") from error


class _Reader:
    """One pass over one file."""

    def __init__(self, raw: bytes, source: str) -> None:
        # A tenth of a second, paid only by those who read models.
        import tflite

        self.tflite: Any = tflite
        self.source = source
        self.raw = raw
        self.model = tflite.Model.GetRootAs(raw, 0)

    def graph(self, name: str) -> Graph:
        if self.model.SubgraphsLength() != 1:
            raise UnsupportedError(f"{self.source} has {self.model.SubgraphsLength()} subgraphs, not one")
        subgraph = self.model.Subgraphs(0)
        tensors = {i: self._tensor(i, subgraph.Tensors(i)) for i in range(subgraph.TensorsLength())}
        operators = tuple(
            self._operator(i, subgraph.Operators(i), tensors) for i in range(subgraph.OperatorsLength())
        )
        return Graph(
            name=name,
            tensors=tensors,
            operators=operators,
            inputs=self._indices(subgraph.InputsAsNumpy(), tensors),
            outputs=self._indices(subgraph.OutputsAsNumpy(), tensors),
        )

    def _indices(self, stored: Any, tensors: dict[int, Tensor]) -> tuple[int, ...]:
        indices = tuple(int(i) for i in np.atleast_1d(stored))
        if any(i not in tensors for i in indices):
            raise InputError(f"{self.source} is damaged: it refers to a tensor that does not exist")
        return indices

    def _tensor(self, index: int, stored: Any) -> Tensor:
        dtype = _DTYPES.get(stored.Type())
        if dtype is None:
            raise UnsupportedError(f"tensor {index} has type {stored.Type()}, which mcusim lacks")
        if stored.ShapeLength() > MAX_RANK:
            raise UnsupportedError(f"tensor {index} has {stored.ShapeLength()} dimensions")
        shape = tuple(int(n) for n in np.atleast_1d(stored.ShapeAsNumpy())) if stored.ShapeLength() else ()
        size = math.prod(shape) * np.dtype(dtype).itemsize
        if any(n < 1 for n in shape) or size > MAX_TENSOR_BYTES:
            raise UnsupportedError(f"tensor {index} has the unusable shape {list(shape)}")
        return Tensor(
            index=index,
            name=_printable(stored.Name()),
            shape=shape,
            dtype=dtype,
            quantisation=_quantisation(stored.Quantization(), len(shape)),
            data=self._constant(stored.Buffer(), shape, dtype),
        )

    def _constant(self, buffer: int, shape: tuple[int, ...], dtype: str) -> NDArray[np.generic] | None:
        """A view of the constant's bytes in the file, or None for an activation."""
        if buffer >= self.model.BuffersLength():
            raise InputError(f"{self.source} is damaged: it refers to a buffer that does not exist")
        stored = self.model.Buffers(buffer)
        if stored.DataLength() == 0:
            return None
        return np.asarray(stored.DataAsNumpy()).view(dtype).reshape(shape)

    def _operator(self, index: int, stored: Any, tensors: dict[int, Tensor]) -> Operator:
        kind = self._kind(index, stored.OpcodeIndex())
        # -1 is an optional tensor that is absent: a bias, and then the last one.
        present = [int(i) for i in np.atleast_1d(stored.InputsAsNumpy()) if i != -1]
        inputs = self._indices(present, tensors)
        outputs = self._indices(stored.OutputsAsNumpy(), tensors)
        if not inputs or len(outputs) != 1:
            raise UnsupportedError(
                f"operator {index} ({kind}) has {len(inputs)} inputs and {len(outputs)} outputs"
            )
        attributes = self._attributes(index, kind, stored, [tensors[i] for i in (*inputs, *outputs)])
        # Parameters that became attributes (axes, paddings, shapes) are no operands any more.
        operands = inputs[: _OPERANDS.get(kind, 1)]
        return Operator(index=index, kind=kind, inputs=operands, outputs=outputs, attributes=attributes)

    def _kind(self, index: int, opcode: int) -> OpKind:
        if opcode >= self.model.OperatorCodesLength():
            raise InputError(f"{self.source} is damaged: operator {index} has no operator code")
        code = self.model.OperatorCodes(opcode)
        # Codes above 127 are stored in the newer field only, older ones in the deprecated field only.
        number = max(code.DeprecatedBuiltinCode(), code.BuiltinCode())
        names = self.tflite.utils.BUILTIN_OPCODE2NAME
        name = f"CUSTOM {_printable(code.CustomCode())}" if number == CUSTOM else names[number]
        try:
            return OpKind(name)
        except ValueError:
            raise UnsupportedError(f"operator {index} is {name}, which mcusim does not have") from None

    def _options(self, stored: Any, table: str) -> Any:
        """The operator's options table; one that is absent reads as all defaults, like an empty one."""
        options = stored.BuiltinOptions()
        if options is None or stored.BuiltinOptionsType() != getattr(self.tflite.BuiltinOptions, table):
            return None
        typed = getattr(self.tflite, table)()
        typed.Init(options.Bytes, options.Pos)
        return typed

    def _attributes(self, index: int, kind: OpKind, stored: Any, tensors: list[Tensor]) -> Attributes:
        where = f"operator {index} ({kind})"
        match kind:
            case OpKind.CONV_2D | OpKind.DEPTHWISE_CONV_2D:
                return self._convolution(where, kind, stored, tensors)
            case OpKind.AVERAGE_POOL_2D | OpKind.MAX_POOL_2D:
                return self._pool(where, stored, tensors)
            case OpKind.FULLY_CONNECTED | OpKind.ADD | OpKind.MUL:
                return self._fused(where, kind, stored)
            case OpKind.SOFTMAX:
                options = self._require(where, stored, "SoftmaxOptions")
                return Attributes(beta=float(options.Beta()))
            case OpKind.MEAN:
                options = self._require(where, stored, "ReducerOptions")
                axes = _parameters(where, tensors, 1).reshape(-1)
                rank = len(tensors[0].shape)
                return Attributes(axes=tuple(int(a) % rank for a in axes), keep_dims=bool(options.KeepDims()))
            case OpKind.TRANSPOSE:
                return Attributes(permutation=tuple(int(a) for a in _parameters(where, tensors, 1)))
            case OpKind.PAD:
                return Attributes(padding=_pad_amounts(where, _parameters(where, tensors, 1)))
            case OpKind.RESIZE_NEAREST_NEIGHBOR:
                options = self._require(where, stored, "ResizeNearestNeighborOptions")
                if options.AlignCorners() or options.HalfPixelCenters():
                    raise UnsupportedError(f"{where} aligns corners or centres, which mcusim does not have")
        return Attributes()

    def _require(self, where: str, stored: Any, table: str) -> Any:
        options = self._options(stored, table)
        if options is None:
            raise InputError(f"{where} in {self.source} has no options")
        return options

    def _fused(self, where: str, kind: OpKind, stored: Any) -> Attributes:
        table = {OpKind.FULLY_CONNECTED: "FullyConnectedOptions", OpKind.ADD: "AddOptions"}
        options = self._require(where, stored, table.get(kind, "MulOptions"))
        if kind is OpKind.FULLY_CONNECTED and options.WeightsFormat() != 0:
            raise UnsupportedError(f"{where} has shuffled weights, which mcusim does not have")
        return Attributes(activation=_activation(where, options))

    def _convolution(self, where: str, kind: OpKind, stored: Any, tensors: list[Tensor]) -> Attributes:
        depthwise = kind is OpKind.DEPTHWISE_CONV_2D
        options = self._require(where, stored, "DepthwiseConv2DOptions" if depthwise else "Conv2DOptions")
        source, weights = tensors[0], tensors[1]
        if len(tensors) < 3 or len(source.shape) != 4 or len(weights.shape) != 4:
            raise InputError(f"{where} does not have a four-dimensional input and weights")
        dilation = (options.DilationHFactor(), options.DilationWFactor())
        window = _window(where, source, weights.shape[1:3], options, dilation)
        return Attributes(
            activation=_activation(where, options),
            window=window,
            depth_multiplier=max(1, weights.shape[3] // source.shape[3]) if depthwise else 1,
        )

    def _pool(self, where: str, stored: Any, tensors: list[Tensor]) -> Attributes:
        options = self._require(where, stored, "Pool2DOptions")
        if len(tensors[0].shape) != 4:
            raise InputError(f"{where} does not have a four-dimensional input")
        kernel = (options.FilterHeight(), options.FilterWidth())
        window = _window(where, tensors[0], kernel, options, (1, 1))
        return Attributes(activation=_activation(where, options), window=window)


_OPERANDS = {
    OpKind.CONV_2D: 3,
    OpKind.DEPTHWISE_CONV_2D: 3,
    OpKind.FULLY_CONNECTED: 3,
    OpKind.ADD: 2,
    OpKind.MUL: 2,
}


def _printable(stored: bytes | None) -> str:
    """A name from the file, fit for a line of text."""
    text = (stored or b"")[:1000].decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "?" for c in text)


def _quantisation(stored: Any, rank: int) -> Quantisation | None:
    if stored is None or stored.ScaleLength() == 0:
        return None
    scales = tuple(float(s) for s in stored.ScaleAsNumpy())
    zero_points = tuple(int(z) for z in stored.ZeroPointAsNumpy()) if stored.ZeroPointLength() else (0,)
    # person_detect names dimension 3 for its one-dimensional biases; the interpreter does not mind.
    axis = stored.QuantizedDimension()
    return Quantisation(scales, zero_points, axis if 0 <= axis < max(rank, 1) else 0)


def _activation(where: str, options: Any) -> Activation:
    number = options.FusedActivationFunction()
    if number not in _ACTIVATIONS:
        raise UnsupportedError(f"{where} fuses activation {number}, which mcusim does not have")
    return _ACTIVATIONS[number]


def _parameters(where: str, tensors: list[Tensor], position: int) -> NDArray[np.generic]:
    """A constant parameter of an operator: axes, permutation, padding amounts."""
    if len(tensors) < position + 2 or tensors[position].data is None:
        raise UnsupportedError(f"{where} takes its parameters from an activation, not from a constant")
    return np.asarray(tensors[position].data)


def _pad_amounts(where: str, stored: NDArray[np.generic]) -> Padding:
    amounts = stored.astype(np.int64)
    if amounts.shape != (4, 2) or amounts[0].any() or amounts[3].any() or (amounts < 0).any():
        raise UnsupportedError(f"{where} pads other dimensions than height and width")
    (top, bottom), (left, right) = amounts[1].tolist(), amounts[2].tolist()
    return Padding(top=top, bottom=bottom, left=left, right=right)


def _window(
    where: str, source: Tensor, kernel: tuple[int, ...], options: Any, dilation: tuple[int, int]
) -> Window:
    """Window with SAME padding resolved: the odd row or column goes below and right."""
    strides = (options.StrideH(), options.StrideW())
    if min(*kernel, *strides, *dilation) < 1 or options.Padding() not in (0, 1):
        raise InputError(f"{where} has an impossible kernel, stride, dilation or padding")
    pads = [(0, 0), (0, 0)]
    if options.Padding() == _PADDING_SAME:
        pads = [
            same_padding(size, k, s, d)
            for size, k, s, d in zip(source.shape[1:3], kernel, strides, dilation, strict=True)
        ]
    return Window(
        kernel_h=kernel[0],
        kernel_w=kernel[1],
        stride_h=strides[0],
        stride_w=strides[1],
        padding=Padding(top=pads[0][0], bottom=pads[0][1], left=pads[1][0], right=pads[1][1]),
        dilation_h=dilation[0],
        dilation_w=dilation[1],
    )
