"""What a .tflite file says about an operator beside its tensors, as typed attributes.

Parameters that the file stores as constant tensors (axes, paddings, sizes, slices) become attributes too
and are no operands any more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcusim.errors import InputError, UnsupportedError
from mcusim.network.geometry import same_padding
from mcusim.network.graph import Activation, Attributes, OpKind, Padding, Slice, Tensor, Window

_ACTIVATIONS = {
    0: Activation.NONE,
    1: Activation.RELU,
    2: Activation.RELU_N1_TO_1,
    3: Activation.RELU6,
}
_PADDING_SAME, _PADDING_VALID = 0, 1

_OPERANDS = {
    OpKind.CONV_2D: 3,
    OpKind.DEPTHWISE_CONV_2D: 3,
    OpKind.FULLY_CONNECTED: 3,
    OpKind.ADD: 2,
    OpKind.SUB: 2,
    OpKind.MUL: 2,
    OpKind.PRELU: 2,
}
"""Operators that read more than their first input."""


@dataclass(frozen=True)
class StoredOperator:
    """An operator as the file has it. ``options`` gives its table of that name or raises InputError."""

    where: str
    kind: OpKind
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    options: Callable[[str], Any]


def attributes(stored: StoredOperator) -> Attributes:
    """The operator's attributes; raises InputError or UnsupportedError, naming the operator."""
    reader = _READERS.get(stored.kind)
    return Attributes() if reader is None else reader(stored)


def operands(kind: OpKind, inputs: tuple[int, ...]) -> tuple[int, ...]:
    """The stored inputs that are operands, in the order data, weights, bias.

    SPLIT stores its axis first, SPLIT_V last; TRANSPOSE_CONV stores shape, weights, data, bias.
    """
    match kind:
        case OpKind.CONCATENATION:
            return inputs
        case OpKind.SPLIT:
            return inputs[1:2] if len(inputs) == 2 else inputs[:1]
        case OpKind.TRANSPOSE_CONV:
            return (*inputs[2:3], *inputs[1:2], *inputs[3:4])
        case _:
            return inputs[: _OPERANDS.get(kind, 1)]


def _convolution(stored: StoredOperator) -> Attributes:
    depthwise = stored.kind is OpKind.DEPTHWISE_CONV_2D
    options = stored.options("DepthwiseConv2DOptions" if depthwise else "Conv2DOptions")
    source, weights = _input(stored, 0), _input(stored, 1)
    if len(source.shape) != 4 or len(weights.shape) != 4:
        raise InputError(f"{stored.where} does not have a four-dimensional input and weights")
    dilation = (options.DilationHFactor(), options.DilationWFactor())
    return Attributes(
        activation=_activation(stored, options),
        window=_window(stored.where, source.shape, weights.shape[1:3], options, dilation),
        depth_multiplier=max(1, weights.shape[3] // source.shape[3]) if depthwise else 1,
    )


def _transpose_conv(stored: StoredOperator) -> Attributes:
    options = stored.options("TransposeConvOptions")
    weights, result = _input(stored, 1), stored.outputs[0]
    if len(stored.inputs) < 3 or len(weights.shape) != 4 or len(result.shape) != 4:
        raise InputError(f"{stored.where} does not have a four-dimensional output and weights")
    return Attributes(
        activation=_activation(stored, options),
        window=_window(stored.where, result.shape, weights.shape[1:3], options, (1, 1)),
    )


def _pool(stored: StoredOperator) -> Attributes:
    options = stored.options("Pool2DOptions")
    source = _input(stored, 0)
    if len(source.shape) != 4:
        raise InputError(f"{stored.where} does not have a four-dimensional input")
    kernel = (options.FilterHeight(), options.FilterWidth())
    window = _window(stored.where, source.shape, kernel, options, (1, 1))
    return Attributes(activation=_activation(stored, options), window=window)


def _fully_connected(stored: StoredOperator) -> Attributes:
    options = stored.options("FullyConnectedOptions")
    if options.WeightsFormat() != 0:
        raise UnsupportedError(f"{stored.where} has shuffled weights, which mcusim does not have")
    return Attributes(activation=_activation(stored, options))


def _add(stored: StoredOperator) -> Attributes:
    return Attributes(activation=_activation(stored, stored.options("AddOptions")))


def _sub(stored: StoredOperator) -> Attributes:
    return Attributes(activation=_activation(stored, stored.options("SubOptions")))


def _mul(stored: StoredOperator) -> Attributes:
    return Attributes(activation=_activation(stored, stored.options("MulOptions")))


def _softmax(stored: StoredOperator) -> Attributes:
    return Attributes(beta=float(stored.options("SoftmaxOptions").Beta()))


def _leaky_relu(stored: StoredOperator) -> Attributes:
    return Attributes(alpha=float(stored.options("LeakyReluOptions").Alpha()))


def _reduce(stored: StoredOperator) -> Attributes:
    rank = max(1, len(_input(stored, 0).shape))
    axes = [int(a) % rank for a in _parameters(stored, 1).reshape(-1)]
    return Attributes(
        axes=tuple(dict.fromkeys(axes)), keep_dims=bool(stored.options("ReducerOptions").KeepDims())
    )


def _transpose(stored: StoredOperator) -> Attributes:
    return Attributes(permutation=tuple(int(a) for a in _parameters(stored, 1)))


def _pad(stored: StoredOperator) -> Attributes:
    amounts = _parameters(stored, 1).astype(np.int64)
    if amounts.shape != (4, 2) or amounts[0].any() or amounts[3].any() or (amounts < 0).any():
        raise UnsupportedError(f"{stored.where} pads other dimensions than height and width")
    (top, bottom), (left, right) = amounts[1].tolist(), amounts[2].tolist()
    return Attributes(padding=Padding(top=top, bottom=bottom, left=left, right=right))


def _resize(stored: StoredOperator) -> Attributes:
    bilinear = stored.kind is OpKind.RESIZE_BILINEAR
    options = stored.options("ResizeBilinearOptions" if bilinear else "ResizeNearestNeighborOptions")
    corners, centres = bool(options.AlignCorners()), bool(options.HalfPixelCenters())
    if corners and centres:
        raise InputError(f"{stored.where} aligns both corners and centres")
    return Attributes(align_corners=corners, half_pixel_centers=centres)


def _concatenation(stored: StoredOperator) -> Attributes:
    options = stored.options("ConcatenationOptions")
    if _activation(stored, options) is not Activation.NONE:
        raise UnsupportedError(f"{stored.where} fuses an activation, which mcusim does not have")
    return Attributes(axis=int(options.Axis()) % max(1, len(stored.outputs[0].shape)))


def _split(stored: StoredOperator) -> Attributes:
    # SPLIT_V stores the sizes too; those are the outputs' and need no reading.
    position = 0 if len(stored.inputs) == 2 else 2
    axis = _parameters(stored, position).reshape(-1)
    if len(axis) != 1:
        raise InputError(f"{stored.where} has {len(axis)} axes, not one")
    return Attributes(axis=int(axis[0]) % max(1, len(stored.outputs[0].shape)))


def _strided_slice(stored: StoredOperator) -> Attributes:
    """Slices with masks, negative indices and ends beyond the border resolved, as StartForAxis and
    StopForAxis do (strided_slice_logic.h)."""
    options = stored.options("StridedSliceOptions")
    if options.EllipsisMask() or options.NewAxisMask() or options.Offset():
        raise UnsupportedError(f"{stored.where} has an ellipsis, new axis or offset, which mcusim lacks")
    shape = _input(stored, 0).shape
    begins, ends, strides = (_parameters(stored, i).reshape(-1).tolist() for i in (1, 2, 3))
    if {len(begins), len(ends), len(strides)} != {len(shape)} or 0 in strides:
        raise InputError(f"{stored.where} does not have one begin, end and stride for each dimension")
    slices, dropped = [], []
    for axis, size in enumerate(shape):
        bit = 1 << axis
        begin = None if options.BeginMask() & bit else begins[axis]
        end = None if options.EndMask() & bit else ends[axis]
        if options.ShrinkAxisMask() & bit:
            if strides[axis] != 1:
                raise InputError(f"{stored.where} drops dimension {axis} with the stride {strides[axis]}")
            dropped.append(axis)
            start = slice(begin, None, strides[axis]).indices(size)[0]
            slices.append(Slice(start, 1 if 0 <= start < size else 0, strides[axis]))
            continue
        picked = range(*slice(begin, end, strides[axis]).indices(size))
        slices.append(Slice(picked.start, len(picked), strides[axis]))
    return Attributes(slices=tuple(slices), dropped=tuple(dropped))


_READERS: dict[OpKind, Callable[[StoredOperator], Attributes]] = {
    OpKind.CONV_2D: _convolution,
    OpKind.DEPTHWISE_CONV_2D: _convolution,
    OpKind.TRANSPOSE_CONV: _transpose_conv,
    OpKind.FULLY_CONNECTED: _fully_connected,
    OpKind.AVERAGE_POOL_2D: _pool,
    OpKind.MAX_POOL_2D: _pool,
    OpKind.ADD: _add,
    OpKind.SUB: _sub,
    OpKind.MUL: _mul,
    OpKind.SOFTMAX: _softmax,
    OpKind.LEAKY_RELU: _leaky_relu,
    OpKind.MEAN: _reduce,
    OpKind.REDUCE_MAX: _reduce,
    OpKind.TRANSPOSE: _transpose,
    OpKind.PAD: _pad,
    OpKind.RESIZE_NEAREST_NEIGHBOR: _resize,
    OpKind.RESIZE_BILINEAR: _resize,
    OpKind.CONCATENATION: _concatenation,
    OpKind.SPLIT: _split,
    OpKind.STRIDED_SLICE: _strided_slice,
}


def _input(stored: StoredOperator, position: int) -> Tensor:
    if len(stored.inputs) <= position:
        raise InputError(f"{stored.where} has only {len(stored.inputs)} inputs")
    return stored.inputs[position]


def _parameters(stored: StoredOperator, position: int) -> NDArray[np.generic]:
    """A constant integer parameter of an operator: axes, permutation, padding amounts, slices."""
    tensor = _input(stored, position)
    if tensor.data is None:
        raise UnsupportedError(f"{stored.where} takes its parameters from an activation, not from a constant")
    if tensor.dtype not in ("int32", "int64"):
        raise InputError(f"{stored.where} has parameters of type {tensor.dtype}")
    return np.asarray(tensor.data)


def _activation(stored: StoredOperator, options: Any) -> Activation:
    number = options.FusedActivationFunction()
    if number not in _ACTIVATIONS:
        raise UnsupportedError(f"{stored.where} fuses activation {number}, which mcusim does not have")
    return _ACTIVATIONS[number]


def _window(
    where: str, shape: Sequence[int], kernel: Sequence[int], options: Any, dilation: tuple[int, int]
) -> Window:
    """Window over [n, h, w, c] with SAME padding resolved: the odd row or column goes below and right."""
    strides = (options.StrideH(), options.StrideW())
    if min(*kernel, *strides, *dilation) < 1 or options.Padding() not in (_PADDING_SAME, _PADDING_VALID):
        raise InputError(f"{where} has an impossible kernel, stride, dilation or padding")
    pads = [(0, 0), (0, 0)]
    if options.Padding() == _PADDING_SAME:
        pads = [
            same_padding(size, k, s, d)
            for size, k, s, d in zip(shape[1:3], kernel, strides, dilation, strict=True)
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
