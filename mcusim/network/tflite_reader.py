"""Read a .tflite file into a Graph, exactly as stored.

Only the container is judged here (is it a flatbuffer, do indices point somewhere, is every operator one
that mcusim has); whether the operators make sense together is checked by ``validate``.
"""

from __future__ import annotations

import functools
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcusim.errors import InputError, UnsupportedError
from mcusim.network import tflite_options
from mcusim.network.graph import Graph, Operator, OpKind, Quantisation, Tensor

FILE_IDENTIFIER = b"TFL3"
MAX_TENSOR_BYTES = 1 << 31
MAX_RANK = 8
CUSTOM = 32
"""Builtin code of an operator that only its own name tells."""

_DTYPES = {0: "float32", 2: "int32", 3: "uint8", 4: "int64", 6: "bool", 7: "int16", 9: "int8"}
_ALIASES = {"SPLIT_V": OpKind.SPLIT, "SQUEEZE": OpKind.RESHAPE, "EXPAND_DIMS": OpKind.RESHAPE}
"""Operators that differ from one of OpKind only in how their parameters are stored."""

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
        where = f"operator {index} ({kind})"
        several = kind is OpKind.SPLIT
        if not inputs or not outputs or (len(outputs) > 1 and not several):
            raise UnsupportedError(f"{where} has {len(inputs)} inputs and {len(outputs)} outputs")
        attributes = tflite_options.attributes(
            tflite_options.StoredOperator(
                where=where,
                kind=kind,
                inputs=tuple(tensors[i] for i in inputs),
                outputs=tuple(tensors[i] for i in outputs),
                options=functools.partial(self._options, where, stored),
            )
        )
        operands = tflite_options.operands(kind, inputs)
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
            return _ALIASES.get(name) or OpKind(name)
        except ValueError:
            raise UnsupportedError(f"operator {index} is {name}, which mcusim does not have") from None

    def _options(self, where: str, stored: Any, table: str) -> Any:
        """The operator's table of options; raises InputError where it has none of that name."""
        options = stored.BuiltinOptions()
        if options is None or stored.BuiltinOptionsType() != getattr(self.tflite.BuiltinOptions, table):
            raise InputError(f"{where} in {self.source} has no options")
        typed = getattr(self.tflite, table)()
        typed.Init(options.Bytes, options.Pos)
        return typed


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
