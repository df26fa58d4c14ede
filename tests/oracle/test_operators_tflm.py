"""Single operators with arbitrary shapes and scales against the TensorFlow Lite Micro interpreter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import tflite
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tflite_writer import FLOAT32, INT8, INT32, UINT8, StoredOperator, StoredTensor, model

from mcusim.network import executor, tflite_reader, validate

runtime = pytest.importorskip(
    "tflite_micro.python.tflite_micro.runtime", reason="the tflite-micro interpreter is not installed"
)

BuiltinOperator = tflite.BuiltinOperator
ARENA_BYTES = 1 << 17
EXAMPLES = settings(max_examples=40, deadline=None)

exponents = st.floats(-9, 3, width=32)
scales = exponents.map(lambda x: float(np.float32(2.0**x)))
zero_points = st.integers(-128, 127)
extents = st.integers(1, 9)
channels = st.integers(1, 6)
activations = st.integers(0, 3)
seeds = st.integers(0, 2**32 - 1)


def random(seed: int, shape: Sequence[int], dtype: type[np.generic] = np.int8) -> NDArray[Any]:
    """Uniform over the type, with the extremes more often than by chance."""
    generator = np.random.default_rng(seed)
    limits = np.iinfo(dtype)
    values = generator.integers(limits.min, limits.max + 1, shape)
    extreme = generator.choice([limits.min, limits.max], shape)
    return np.where(generator.random(shape) < 0.1, extreme, values).astype(dtype)


def check(
    tensors: Sequence[StoredTensor], op: StoredOperator, inputs: dict[int, NDArray[Any]]
) -> list[NDArray[Any]]:
    """Run a model of one operator in both interpreters, expect equal outputs and return them.

    The executor runs it in a batch with another input too, which must not change anything.
    """
    raw = model(tensors, [op], list(inputs), op.outputs)
    interpreter = runtime.Interpreter.from_bytes(raw, arena_size=ARENA_BYTES)
    for i, x in enumerate(inputs.values()):
        interpreter.set_input(x, i)
    interpreter.invoke()
    graph = tflite_reader.parse(raw, "network", "network.tflite")
    validate.check(graph)
    found = executor.outputs(graph, list(inputs.values()))
    for i, output in enumerate(found):
        np.testing.assert_array_equal(output, interpreter.get_output(i))
    batch = [np.concatenate([x, np.flip(x)]) for x in inputs.values()]
    for output, pair in zip(found, executor.outputs(graph, batch), strict=True):
        assert len(pair) == 2
        np.testing.assert_array_equal(output, pair[:1])
    return found


def activation(data: st.DataObject, shape: Sequence[int], *, dtype: int = INT8) -> StoredTensor:
    zero_point = data.draw(zero_points)
    zero_point += 128 if dtype == UINT8 else 0
    return StoredTensor(tuple(shape), dtype, (data.draw(scales),), (zero_point,))


def alike(tensor: StoredTensor, shape: Sequence[int]) -> StoredTensor:
    """An activation of another shape with the same scale."""
    return StoredTensor(tuple(shape), tensor.type, tensor.scales, tensor.zero_points)


def parameter(values: Any) -> StoredTensor:
    stored = np.array(values, "<i4")
    return StoredTensor(stored.shape, INT32, (), (), data=stored)


ALL_INT8 = np.arange(-128, 128).astype(np.int8).reshape(1, 256)
ALL_UINT8 = np.arange(256).astype(np.uint8).reshape(1, 256)


@EXAMPLES
@given(st.floats(-20, 6, width=32), zero_points)
@pytest.mark.parametrize(
    ("code", "scale", "zero_point"),
    [(BuiltinOperator.LOGISTIC, 1 / 256, -128), (BuiltinOperator.TANH, 1 / 128, 0)],
)
def test_sigmoids(code: int, scale: float, zero_point: int, exponent: float, in_zp: int) -> None:
    source = StoredTensor((1, 256), scales=(2.0**exponent,), zero_points=(in_zp,))
    result = StoredTensor((1, 256), scales=(scale,), zero_points=(zero_point,))
    check([source, result], StoredOperator(code, (0,), (1,)), {0: ALL_INT8})


@EXAMPLES
@given(st.data())
def test_hard_swish(data: st.DataObject) -> None:
    source, result = activation(data, (1, 256)), activation(data, (1, 256))
    ratio = data.draw(st.floats(-6.875, 8.75, width=32))
    result.scales = (float(np.float32(source.scales[0] * 2.0**ratio)),)
    check([source, result], StoredOperator(BuiltinOperator.HARD_SWISH, (0,), (1,)), {0: ALL_INT8})


@EXAMPLES
@given(st.data())
def test_rectifiers(data: st.DataObject) -> None:
    source, result = activation(data, (1, 256)), activation(data, (1, 256))
    check([source, result], StoredOperator(BuiltinOperator.RELU, (0,), (1,)), {0: ALL_INT8})
    same = alike(source, (1, 256))
    check([source, same], StoredOperator(BuiltinOperator.RELU6, (0,), (1,)), {0: ALL_INT8})


@EXAMPLES
@given(st.data(), st.one_of(st.just(0.0), st.floats(2.0**-12, 4.0, width=32)))
def test_leaky_relu(data: st.DataObject, alpha: float) -> None:
    tensors = [activation(data, (1, 256)), activation(data, (1, 256))]
    op = StoredOperator(BuiltinOperator.LEAKY_RELU, (0,), (1,), ("LeakyReluOptions", {"Alpha": alpha}))
    check(tensors, op, {0: ALL_INT8})


@EXAMPLES
@given(st.data())
@pytest.mark.parametrize(("source", "result"), [(INT8, INT8), (UINT8, INT8), (INT8, UINT8)])
def test_quantize_between_integers(source: int, result: int, data: st.DataObject) -> None:
    tensors = [activation(data, (1, 256), dtype=source), activation(data, (1, 256), dtype=result)]
    if data.draw(st.booleans()):
        tensors[1].scales = tensors[0].scales
    stored = ALL_UINT8 if source == UINT8 else ALL_INT8
    check(tensors, StoredOperator(BuiltinOperator.QUANTIZE, (0,), (1,)), {0: stored})


@EXAMPLES
@given(st.data(), st.lists(st.floats(-1000, 1000, width=32), min_size=64, max_size=64))
def test_quantize_from_float_and_back(data: st.DataObject, values: list[float]) -> None:
    real = StoredTensor((1, 64), FLOAT32, (), ())
    integer = activation(data, (1, 64))
    x = np.array([values], np.float32)
    (stored,) = check([real, integer], StoredOperator(BuiltinOperator.QUANTIZE, (0,), (1,)), {0: x})
    check([integer, real], StoredOperator(BuiltinOperator.DEQUANTIZE, (0,), (1,)), {0: stored})


@EXAMPLES
@given(st.data(), extents, extents, channels, seeds)
def test_prelu(data: st.DataObject, height: int, width: int, depth: int, seed: int) -> None:
    shape = (1, height, width, depth)
    slope_shape = data.draw(st.sampled_from([(1, 1, depth), (1, 1, 1), (height, width, depth)]))
    slopes = activation(data, slope_shape)
    slopes.data = random(seed + 1, slope_shape)
    tensors = [activation(data, shape), slopes, activation(data, shape)]
    check(tensors, StoredOperator(BuiltinOperator.PRELU, (0, 1), (2,)), {0: random(seed, shape)})


@EXAMPLES
@given(st.floats(-9, 5, width=32), st.integers(1, 70), seeds)
def test_softmax_and_its_logarithm(exponent: float, length: int, seed: int) -> None:
    source = StoredTensor((1, length), scales=(2.0**exponent,))
    x = random(seed, source.shape)
    result = StoredTensor(source.shape, scales=(1 / 256,), zero_points=(-128,))
    options = ("SoftmaxOptions", {"Beta": 1.0})
    check([source, result], StoredOperator(BuiltinOperator.SOFTMAX, (0,), (1,), options), {0: x})
    result = StoredTensor(source.shape, scales=(1 / 16,), zero_points=(127,))
    check([source, result], StoredOperator(BuiltinOperator.LOG_SOFTMAX, (0,), (1,)), {0: x})


@EXAMPLES
@given(st.data(), st.integers(1, 3), st.lists(st.integers(1, 5), min_size=1, max_size=4), seeds)
def test_joining_and_splitting(data: st.DataObject, axis: int, sizes: list[int], seed: int) -> None:
    shape = [1, data.draw(extents), data.draw(extents), data.draw(channels)]
    shape[axis] = sum(sizes)
    whole = activation(data, shape)
    pieces = [alike(whole, [*shape[:axis], size, *shape[axis + 1 :]]) for size in sizes]
    count, stored_axis = len(sizes), data.draw(st.sampled_from([axis, axis - 4]))
    options = ("ConcatenationOptions", {"Axis": stored_axis})
    join = StoredOperator(BuiltinOperator.CONCATENATION, tuple(range(count)), (count,), options)
    inputs = {i: random(seed + i, piece.shape) for i, piece in enumerate(pieces)}
    (joined,) = check([*pieces, whole], join, inputs)
    outputs = tuple(range(3, 3 + count))
    options = ("SplitVOptions", {"NumSplits": count})
    cut = StoredOperator(BuiltinOperator.SPLIT_V, (0, 1, 2), outputs, options)
    found = check([whole, parameter(sizes), parameter([stored_axis]), *pieces], cut, {0: joined})
    for piece, x in zip(found, inputs.values(), strict=True):
        np.testing.assert_array_equal(piece, x)


@EXAMPLES
@given(st.data(), st.integers(1, 3), extents, extents, seeds)
def test_joining_a_constant(data: st.DataObject, axis: int, given_size: int, held: int, seed: int) -> None:
    shape = [1, data.draw(extents), data.draw(extents), data.draw(channels)]
    whole = activation(data, [*shape[:axis], given_size + held, *shape[axis + 1 :]])
    source = alike(whole, [*shape[:axis], given_size, *shape[axis + 1 :]])
    values = random(seed + 1, [*shape[:axis], held, *shape[axis + 1 :]])
    constant = StoredTensor(values.shape, INT8, whole.scales, whole.zero_points, values)
    options = ("ConcatenationOptions", {"Axis": axis})
    join = StoredOperator(BuiltinOperator.CONCATENATION, (1, 0), (2,), options)
    check([source, constant, whole], join, {0: random(seed, source.shape)})


@EXAMPLES
@given(st.data(), st.integers(1, 3), st.integers(1, 4), channels, seeds)
def test_split(data: st.DataObject, axis: int, count: int, size: int, seed: int) -> None:
    shape = [1, data.draw(extents), data.draw(extents), data.draw(channels)]
    shape[axis] = count * size
    whole = activation(data, shape)
    piece = alike(whole, [*shape[:axis], size, *shape[axis + 1 :]])
    op = StoredOperator(
        BuiltinOperator.SPLIT, (0, 1), tuple(range(2, 2 + count)), ("SplitOptions", {"NumSplits": count})
    )
    check([parameter([axis]), whole, *[piece] * count], op, {1: random(seed, shape)})


@EXAMPLES
@given(st.data(), extents, extents, channels, seeds)
def test_strided_slice(data: st.DataObject, height: int, width: int, depth: int, seed: int) -> None:
    shape = (1, height, width, depth)
    begins, ends, strides, counts = [0], [1], [1], [1]
    for size in shape[1:]:
        stride = data.draw(st.sampled_from([1, 1, 2, 3, -1, -2]))
        begin, end = data.draw(st.integers(-size, size - 1)), data.draw(st.integers(-size - 2, size + 2))
        if len(range(*slice(begin, end, stride).indices(size))) == 0:
            begin, end, stride = 0, size, 1
        begins, ends, strides = [*begins, begin], [*ends, end], [*strides, stride]
        counts.append(len(range(*slice(begin, end, stride).indices(size))))
    shrunk = data.draw(st.sampled_from([0, *(1 << axis for axis in (1, 2, 3) if strides[axis] == 1)]))
    kept = [n for axis, n in enumerate(counts) if not shrunk & (1 << axis)]
    source = activation(data, shape)
    tensors = [source, parameter(begins), parameter(ends), parameter(strides), alike(source, kept)]
    options = ("StridedSliceOptions", {"ShrinkAxisMask": shrunk, "BeginMask": 1, "EndMask": 1})
    op = StoredOperator(BuiltinOperator.STRIDED_SLICE, (0, 1, 2, 3), (4,), options)
    check(tensors, op, {0: random(seed, shape)})


@EXAMPLES
@given(st.data(), st.sampled_from([(1,), (2,), (3,), (1, 2), (2, 1), (-1,), (2, 3)]), st.booleans(), seeds)
@pytest.mark.parametrize("code", [BuiltinOperator.MEAN, BuiltinOperator.REDUCE_MAX])
def test_reductions(
    code: int, data: st.DataObject, axes: tuple[int, ...], keep_dims: bool, seed: int
) -> None:
    shape = (1, data.draw(extents), data.draw(extents), data.draw(channels))
    reduced = {axis % 4 for axis in axes}
    kept = [1 if i in reduced else n for i, n in enumerate(shape) if keep_dims or i not in reduced]
    source = activation(data, shape)
    result = activation(data, kept) if code == BuiltinOperator.MEAN else alike(source, kept)
    op = StoredOperator(code, (0, 1), (2,), ("ReducerOptions", {"KeepDims": keep_dims}))
    check([source, parameter(axes), result], op, {0: random(seed, shape)})


@EXAMPLES
@given(st.data(), st.sampled_from(["AlignCorners", "HalfPixelCenters", None]), seeds)
@pytest.mark.parametrize(
    ("code", "table"),
    [
        (BuiltinOperator.RESIZE_BILINEAR, "ResizeBilinearOptions"),
        (BuiltinOperator.RESIZE_NEAREST_NEIGHBOR, "ResizeNearestNeighborOptions"),
    ],
)
def test_resizing(code: int, table: str, data: st.DataObject, grid: str | None, seed: int) -> None:
    height, width, depth = data.draw(extents), data.draw(extents), data.draw(channels)
    to = (data.draw(st.integers(1, 40)), data.draw(st.integers(1, 40)))
    source = activation(data, (1, height, width, depth))
    tensors = [source, parameter(to), alike(source, (1, *to, depth))]
    op = StoredOperator(code, (0, 1), (2,), (table, {grid: True} if grid else {}))
    check(tensors, op, {0: random(seed, source.shape)})


def weights(data: st.DataObject, shape: Sequence[int], seed: int, *, axis: int = 0) -> StoredTensor:
    """Symmetric weights with one scale per index of ``axis``, within a few powers of two."""
    exponent = data.draw(st.floats(-12, -2, width=32))
    spread = np.random.default_rng(seed).uniform(-3, 0, shape[axis])
    stored = tuple(float(s) for s in (2.0 ** (exponent + spread)).astype(np.float32))
    return StoredTensor(tuple(shape), INT8, stored, (0,) * len(stored), random(seed, shape), axis)


def bias(source: StoredTensor, kernels: StoredTensor, seed: int) -> StoredTensor:
    """A bias of the scale that the interpreter insists on."""
    stored = tuple(source.scales[0] * scale for scale in kernels.scales)
    length = kernels.shape[kernels.axis]
    values = np.random.default_rng(seed).integers(-40000, 40000, length).astype("<i4")
    return StoredTensor((length,), INT32, stored, (0,) * len(stored), values)


def window_options(data: st.DataObject, dilation: Sequence[int]) -> dict[str, float]:
    return {
        "Padding": data.draw(st.integers(0, 1)),
        "StrideH": data.draw(st.integers(1, 3)),
        "StrideW": data.draw(st.integers(1, 3)),
        "DilationHFactor": dilation[0],
        "DilationWFactor": dilation[1],
        "FusedActivationFunction": data.draw(activations),
    }


def windowed(size: Sequence[int], kernel: Sequence[int], options: dict[str, float]) -> tuple[int, int]:
    """Height and width of a convolution's output (ComputeOutSize)."""
    out = []
    for i, name in enumerate("HW"):
        extent = (kernel[i] - 1) * int(options.get(f"Dilation{name}Factor", 1)) + 1
        room = size[i] if options["Padding"] == tflite.Padding.SAME else size[i] - extent + 1
        out.append(-(-room // int(options[f"Stride{name}"])))
    return out[0], out[1]


small_kernels = st.tuples(st.integers(1, 4), st.integers(1, 4))
dilations = st.tuples(st.integers(1, 3), st.integers(1, 3))


@EXAMPLES
@given(st.data(), small_kernels, dilations, st.integers(1, 3), st.integers(1, 4), seeds)
def test_convolution(
    data: st.DataObject,
    kernel: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
    per_group: int,
    seed: int,
) -> None:
    size = [(k - 1) * d + data.draw(extents) for k, d in zip(kernel, dilation, strict=True)]
    filters = groups * data.draw(st.integers(1, 3))
    options = window_options(data, dilation)
    source = activation(data, (1, *size, groups * per_group))
    kernels = weights(data, (filters, *kernel, per_group), seed)
    result = activation(data, (1, *windowed(size, kernel, options), filters))
    op = StoredOperator(BuiltinOperator.CONV_2D, (0, 1, 2), (3,), ("Conv2DOptions", options))
    check([source, kernels, bias(source, kernels, seed), result], op, {0: random(seed + 1, source.shape)})


@EXAMPLES
@given(st.data(), small_kernels, dilations, channels, st.integers(1, 3), seeds)
def test_depthwise_convolution(
    data: st.DataObject,
    kernel: tuple[int, int],
    dilation: tuple[int, int],
    depth: int,
    multiplier: int,
    seed: int,
) -> None:
    size = [(k - 1) * d + data.draw(extents) for k, d in zip(kernel, dilation, strict=True)]
    options = window_options(data, dilation) | {"DepthMultiplier": multiplier}
    source = activation(data, (1, *size, depth))
    kernels = weights(data, (1, *kernel, depth * multiplier), seed, axis=3)
    result = activation(data, (1, *windowed(size, kernel, options), depth * multiplier))
    table = ("DepthwiseConv2DOptions", options)
    op = StoredOperator(BuiltinOperator.DEPTHWISE_CONV_2D, (0, 1, 2), (3,), table)
    tensors = [source, kernels, bias(source, kernels, seed), result]
    check(tensors, op, {0: random(seed + 1, source.shape)})


@EXAMPLES
@given(st.data(), small_kernels, channels, channels, st.booleans(), seeds)
def test_transposed_convolution(
    data: st.DataObject, kernel: tuple[int, int], inputs: int, filters: int, biased: bool, seed: int
) -> None:
    options = window_options(data, (1, 1))
    options = {name: options[name] for name in ("Padding", "StrideH", "StrideW")}
    size = [k + data.draw(extents) for k in kernel]
    source = activation(data, (1, *windowed(size, kernel, options), inputs))
    result = activation(data, (1, *size, filters))
    kernels = weights(data, (filters, *kernel, inputs), seed)
    tensors = [parameter(result.shape), kernels, source, bias(source, kernels, seed), result]
    op = StoredOperator(
        BuiltinOperator.TRANSPOSE_CONV,
        (0, 1, 2, 3) if biased else (0, 1, 2),
        (4,),
        ("TransposeConvOptions", options),
    )
    check(tensors, op, {2: random(seed + 1, source.shape)})


@EXAMPLES
@given(st.data(), st.integers(1, 40), st.integers(1, 9), st.booleans(), st.booleans(), seeds)
def test_dense(
    data: st.DataObject, inputs: int, outputs: int, per_channel: bool, biased: bool, seed: int
) -> None:
    rows = data.draw(st.sampled_from([(), (), (2,), (3, 2)]))
    kernels = weights(data, (outputs, inputs), seed)
    if not per_channel:
        kernels.scales, kernels.zero_points = kernels.scales[:1], (0,)
    source = activation(data, (1, *rows, inputs))
    tensors = [source, kernels, bias(source, kernels, seed), activation(data, (1, *rows, outputs))]
    options = {"FusedActivationFunction": data.draw(activations), "KeepNumDims": bool(rows)}
    op = StoredOperator(
        BuiltinOperator.FULLY_CONNECTED,
        (0, 1, 2) if biased else (0, 1, -1),
        (3,),
        ("FullyConnectedOptions", options),
    )
    check(tensors, op, {0: random(seed + 1, source.shape)})


@EXAMPLES
@given(st.data(), small_kernels, channels, seeds)
@pytest.mark.parametrize("code", [BuiltinOperator.AVERAGE_POOL_2D, BuiltinOperator.MAX_POOL_2D])
def test_pools(code: int, data: st.DataObject, kernel: tuple[int, int], depth: int, seed: int) -> None:
    size = [k + data.draw(extents) for k in kernel]
    options = window_options(data, (1, 1)) | {"FilterHeight": kernel[0], "FilterWidth": kernel[1]}
    del options["DilationHFactor"], options["DilationWFactor"]
    source = activation(data, (1, *size, depth))
    result = alike(source, (1, *windowed(size, kernel, options), depth))
    op = StoredOperator(code, (0,), (1,), ("Pool2DOptions", options))
    check([source, result], op, {0: random(seed, source.shape)})


@EXAMPLES
@given(st.data(), extents, extents, channels, st.booleans(), seeds)
@pytest.mark.parametrize(
    ("code", "table"),
    [
        (BuiltinOperator.ADD, "AddOptions"),
        (BuiltinOperator.SUB, "SubOptions"),
        (BuiltinOperator.MUL, "MulOptions"),
    ],
)
def test_broadcasting_arithmetic(
    code: int,
    table: str,
    data: st.DataObject,
    height: int,
    width: int,
    depth: int,
    constant: bool,
    seed: int,
) -> None:
    shape = (1, height, width, depth)
    second_shape = data.draw(st.sampled_from([shape, (1, 1, 1, depth), (1, 1, 1, 1), (1, height, 1, 1)]))
    second = activation(data, second_shape)
    values = random(seed + 1, second_shape)
    second.data = values if constant else None
    options = {"FusedActivationFunction": data.draw(activations)}
    op = StoredOperator(code, (0, 1), (2,), (table, options))
    inputs = {0: random(seed, shape)} | ({} if constant else {1: values})
    check([activation(data, shape), second, activation(data, shape)], op, inputs)


@EXAMPLES
@given(st.data(), st.tuples(*[st.integers(0, 3)] * 4), seeds)
def test_padding_and_transposing(data: st.DataObject, amounts: tuple[int, ...], seed: int) -> None:
    height, width, depth = data.draw(extents), data.draw(extents), data.draw(channels)
    source = activation(data, (1, height, width, depth))
    top, bottom, left, right = amounts
    padded = alike(source, (1, height + top + bottom, width + left + right, depth))
    stored = parameter([(0, 0), (top, bottom), (left, right), (0, 0)])
    pad = StoredOperator(BuiltinOperator.PAD, (0, 1), (2,), ("PadOptions", {}))
    (image,) = check([source, stored, padded], pad, {0: random(seed, source.shape)})
    order = (0, *data.draw(st.permutations([1, 2, 3])))
    turned = alike(padded, [padded.shape[i] for i in order])
    transpose = StoredOperator(BuiltinOperator.TRANSPOSE, (0, 1), (2,), ("TransposeOptions", {}))
    check([padded, parameter(order), turned], transpose, {0: image})
