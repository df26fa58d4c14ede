"""Typed intermediate representation of a quantised network.

Tensors and operators keep the indices of the file they were read from, also after simplification, so
that an operator is called by the same number everywhere. Activations are NHWC with batch 1.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


class OpKind(enum.StrEnum):
    """Operators, by their TensorFlow Lite names; and MOVE, which no file has: a schedule puts it between two
    stages where a tensor must go to another place in memory."""

    CONV_2D = "CONV_2D"
    DEPTHWISE_CONV_2D = "DEPTHWISE_CONV_2D"
    TRANSPOSE_CONV = "TRANSPOSE_CONV"
    FULLY_CONNECTED = "FULLY_CONNECTED"
    ADD = "ADD"
    SUB = "SUB"
    MUL = "MUL"
    PRELU = "PRELU"
    RELU = "RELU"
    RELU6 = "RELU6"
    LOGISTIC = "LOGISTIC"
    TANH = "TANH"
    HARD_SWISH = "HARD_SWISH"
    LEAKY_RELU = "LEAKY_RELU"
    MEAN = "MEAN"
    REDUCE_MAX = "REDUCE_MAX"
    AVERAGE_POOL_2D = "AVERAGE_POOL_2D"
    MAX_POOL_2D = "MAX_POOL_2D"
    PAD = "PAD"
    TRANSPOSE = "TRANSPOSE"
    RESHAPE = "RESHAPE"
    RESIZE_NEAREST_NEIGHBOR = "RESIZE_NEAREST_NEIGHBOR"
    RESIZE_BILINEAR = "RESIZE_BILINEAR"
    CONCATENATION = "CONCATENATION"
    SPLIT = "SPLIT"
    STRIDED_SLICE = "STRIDED_SLICE"
    SOFTMAX = "SOFTMAX"
    LOG_SOFTMAX = "LOG_SOFTMAX"
    QUANTIZE = "QUANTIZE"
    DEQUANTIZE = "DEQUANTIZE"
    MOVE = "MOVE"


class Activation(enum.StrEnum):
    NONE = "NONE"
    RELU = "RELU"
    RELU6 = "RELU6"
    RELU_N1_TO_1 = "RELU_N1_TO_1"


@dataclass(frozen=True)
class Quantisation:
    """real = scale * (stored - zero_point); several scales: one per index of dimension ``axis``.

    Scales are float32 values held exactly in Python floats.
    """

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int = 0

    @property
    def scale(self) -> float:
        return self.scales[0]

    @property
    def zero_point(self) -> int:
        return self.zero_points[0]


@dataclass(frozen=True, eq=False)
class Tensor:
    """``dtype`` is a numpy name ("int8", "uint8", "int32", "float32"); ``data`` is set for constants only."""

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    quantisation: Quantisation | None = None
    data: NDArray[np.generic] | None = None

    @property
    def elements(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def bytes(self) -> int:
        return self.elements * np.dtype(self.dtype).itemsize

    @property
    def is_constant(self) -> bool:
        return self.data is not None


@dataclass(frozen=True)
class Padding:
    """Rows above and below, columns left and right, in input pixels; always explicit, SAME resolved."""

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0


@dataclass(frozen=True)
class Window:
    """Geometry of a sliding window over the input: convolutions and pools."""

    kernel_h: int
    kernel_w: int
    stride_h: int = 1
    stride_w: int = 1
    padding: Padding = field(default_factory=Padding)
    dilation_h: int = 1
    dilation_w: int = 1


@dataclass(frozen=True)
class Slice:
    """``count`` elements of one dimension: start, start + stride, ...; the stride may be negative."""

    start: int
    count: int
    stride: int = 1


@dataclass(frozen=True)
class Attributes:
    """What an operator has beside its tensors; a field is meaningful only for the kinds it names.

    window: CONV_2D, DEPTHWISE_CONV_2D, pools; of TRANSPOSE_CONV the one that leads from its output back to
    its input. depth_multiplier: DEPTHWISE_CONV_2D. beta: SOFTMAX. alpha: LEAKY_RELU. axes, keep_dims: MEAN,
    REDUCE_MAX. axis: CONCATENATION, SPLIT. slices (one a dimension), dropped (dimensions of one element
    that the output lacks): STRIDED_SLICE. permutation: TRANSPOSE. padding: a PAD that was not folded (H and
    W only). align_corners, half_pixel_centers: the two resizing operators.
    """

    activation: Activation = Activation.NONE
    window: Window | None = None
    depth_multiplier: int = 1
    beta: float = 1.0
    alpha: float = 0.0
    axis: int = 0
    axes: tuple[int, ...] = ()
    keep_dims: bool = False
    permutation: tuple[int, ...] = ()
    padding: Padding | None = None
    slices: tuple[Slice, ...] = ()
    dropped: tuple[int, ...] = ()
    align_corners: bool = False
    half_pixel_centers: bool = False


@dataclass(frozen=True)
class Operator:
    """``index`` is the operator's number in the file as stored. Inputs list data, weights, bias; only SPLIT
    has several outputs. ``copy_of``: the number of the operator whose constants a copy of it shares, which a
    schedule computes once more."""

    index: int
    kind: OpKind
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    attributes: Attributes = field(default_factory=Attributes)
    copy_of: int | None = None


@dataclass(frozen=True, eq=False)
class Graph:
    """A network: operators in execution order over tensors that are numbered by ``Tensor.index``."""

    name: str
    tensors: dict[int, Tensor]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def input_of(self, op: Operator, position: int = 0) -> Tensor:
        return self.tensors[op.inputs[position]]

    def output_of(self, op: Operator, position: int = 0) -> Tensor:
        return self.tensors[op.outputs[position]]
