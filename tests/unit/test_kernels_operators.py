"""Single operators of random shapes and constants: kernels on the host against the executor."""

from __future__ import annotations

import numpy as np
import pytest
from host_kernels import McuView, run_images, run_lowered, view_of
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from operator_cases import (
    activation_tensor,
    add_graph,
    conv_graph,
    one_operator,
    random_image,
)

from mcusim.compiler.lowering import LoweredOp, lower
from mcusim.compiler.lowering.planes import trim
from mcusim.errors import UnsupportedError
from mcusim.network import executor
from mcusim.network.geometry import window_output
from mcusim.network.graph import (
    Activation,
    Attributes,
    Graph,
    OpKind,
    Padding,
    Quantisation,
    Tensor,
    Window,
)

Int8Array = NDArray[np.int8]
ACTIVATIONS = st.sampled_from([Activation.NONE, Activation.RELU, Activation.RELU6])
SEEDS = st.integers(0, 2**32 - 1)


def check_against_executor(graph: Graph, images: list[Int8Array]) -> LoweredOp:
    """Run the graph's operator both ways; images are [1, height, width, channels]."""
    op = graph.operators[0]
    expected = executor.outputs(graph, images)[0]
    lowered = lower(graph, op)
    second = images[1][0] if len(images) > 1 else None
    found = run_images(lowered, images[0][0], graph.output_of(op).shape[1:], second)
    np.testing.assert_array_equal(found, expected[0])
    return lowered


@st.composite
def windows(draw: st.DrawFn, largest: int = 4) -> Window:
    kernel_h, kernel_w = draw(st.integers(1, largest)), draw(st.integers(1, largest))
    pads = [draw(st.integers(0, k - 1)) for k in (kernel_h, kernel_h, kernel_w, kernel_w)]
    return Window(kernel_h, kernel_w, draw(st.integers(1, 3)), draw(st.integers(1, 3)), Padding(*pads))


@given(windows(), st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), ACTIVATIONS, SEEDS)
@settings(max_examples=60, deadline=None)
def test_conv(
    window: Window, in_channels: int, out_channels: int, extent: int, activation: Activation, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    height, width = extent + window.kernel_h - 1, 2 * extent + window.kernel_w - 2
    weights = rng.integers(-127, 128, (out_channels, window.kernel_h, window.kernel_w, in_channels), np.int8)
    products = window.kernel_h * window.kernel_w * in_channels
    check_against_executor(
        conv_graph(rng, OpKind.CONV_2D, weights, window, (height, width, in_channels), activation, products),
        [random_image(rng, (1, height, width, in_channels))],
    )


@given(st.sampled_from([1, 2]), st.integers(1, 3), st.integers(1, 9), st.integers(1, 60), ACTIVATIONS, SEEDS)
@settings(max_examples=60, deadline=None)
def test_depthwise_3x3(
    stride: int, blocks: int, height: int, width: int, activation: Activation, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    channels = 4 * blocks
    pads = rng.integers(0, 3, 4)
    window = Window(3, 3, stride, stride, Padding(*(int(p) for p in pads)))
    height, width = max(height, 3), max(width, 3)
    weights = rng.integers(-127, 128, (1, 3, 3, channels), np.int8)
    graph = conv_graph(
        rng, OpKind.DEPTHWISE_CONV_2D, weights, window, (height, width, channels), activation, 9
    )
    lowered = check_against_executor(graph, [random_image(rng, (1, height, width, channels))])
    assert lowered.kernel.removesuffix("_once") == f"mcu_depthwise_3x3_s{stride}"


@given(
    st.sampled_from([(5, 1), (5, 2), (7, 1), (7, 2)]),
    st.integers(1, 2),
    st.integers(1, 12),
    st.integers(1, 24),
    ACTIVATIONS,
    SEEDS,
)
@settings(max_examples=60, deadline=None)
def test_depthwise_with_large_squares(
    kernel: tuple[int, int], blocks: int, height: int, width: int, activation: Activation, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    size, stride = kernel
    pads = rng.integers(0, size, 4)
    window = Window(size, size, stride, stride, Padding(*(int(p) for p in pads)))
    shape = (max(height, size - int(pads[0])), max(width, size - int(pads[2])), 4 * blocks)
    weights = rng.integers(-127, 128, (1, size, size, 4 * blocks), np.int8)
    graph = conv_graph(rng, OpKind.DEPTHWISE_CONV_2D, weights, window, shape, activation, size * size)
    lowered = check_against_executor(graph, [random_image(rng, (1, *shape))])
    plain = lowered.kernel.removesuffix("_once")
    assert plain in [f"mcu_depthwise_{n}x{n}_s{stride}" for n in (3, 5, 7)]


@given(
    st.sampled_from([(5, 1), (5, 2), (7, 1), (7, 2)]),
    st.integers(1, 3),
    st.integers(1, 20),
    st.integers(1, 24),
    SEEDS,
)
@settings(max_examples=60, deadline=None)
def test_large_squares_in_one_call_over_their_input(
    kernel: tuple[int, int], blocks: int, height: int, width: int, seed: int
) -> None:
    """All rows at once may be written where the input lies: pixel over pixel, channel over channel."""
    rng = np.random.default_rng(seed)
    size, stride = kernel
    pads = rng.integers(0, size // 2 + 1, 4)
    window = Window(size, size, stride, stride, Padding(*(int(p) for p in pads)))
    shape = (max(height, size - int(pads[0])), max(width, size - int(pads[2])), 4 * blocks)
    weights = rng.integers(-127, 128, (1, size, size, 4 * blocks), np.int8)
    graph = conv_graph(rng, OpKind.DEPTHWISE_CONV_2D, weights, window, shape, Activation.NONE, size * size)
    made = graph.output_of(graph.operators[0]).shape[1:]
    at_once = lower(graph, graph.operators[0]).all_rows(made[0])
    if at_once is None:
        lowered = lower(graph, graph.operators[0])
        window_rows = (made[0] - 1) * stride + lowered.kernel_h
        assert lowered.whole_rows is None or window_rows > 32 or window_rows + made[0] > 40
        return
    image = random_image(rng, (1, *shape))
    wanted = executor.run(graph, [image])[graph.outputs[0]][0]
    memory = image[0].copy().reshape(-1)
    memory = np.concatenate([memory, np.zeros(max(0, wanted.size - memory.size), np.int8)])
    place = memory[: wanted.size].reshape(made)
    source = memory[: image.size].reshape(shape)
    run_lowered(at_once, view_of(source), view_of(place), (0, made[0], 0, made[1]))
    np.testing.assert_array_equal(place, wanted)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [3, 5, 7, 9])
def test_narrower_rows_of_a_patch_need_no_more_scratch(size: int, stride: int) -> None:
    rng = np.random.default_rng(size)
    window = Window(size, size, stride, stride, Padding(1, 1, 1, 1))
    weights = rng.integers(-127, 128, (1, size, size, 4), np.int8)
    graph = conv_graph(rng, OpKind.DEPTHWISE_CONV_2D, weights, window, (40, 40, 4), Activation.NONE, 9)
    lowered = lower(graph, graph.operators[0])
    sizes = [lowered.scratch_bytes(stride * width + size, width) for width in range(1, 41)]
    assert sizes == sorted(sizes)


@given(st.integers(1, 25), st.integers(1, 30), st.integers(1, 2), ACTIVATIONS, SEEDS)
@settings(max_examples=40, deadline=None)
def test_depthwise_along_one_column(
    kernel: int, height: int, blocks: int, activation: Activation, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    pads = [int(pad) for pad in rng.integers(0, kernel, 2)]
    pads[1] = max(pads[1], kernel - height - pads[0])
    image = (height, 1, 4 * blocks)
    weights = rng.integers(-127, 128, (1, kernel, 1, 4 * blocks), np.int8)
    window = Window(kernel, 1, padding=Padding(*pads))
    graph = conv_graph(rng, OpKind.DEPTHWISE_CONV_2D, weights, window, image, activation, kernel)
    lowered = check_against_executor(graph, [random_image(rng, (1, *image))])
    assert lowered.kernel == ("mcu_depthwise_column" if kernel <= 24 else "mcu_depthwise")


@given(st.sampled_from([3, 5, 7]), st.integers(1, 2), st.integers(1, 4), st.integers(1, 4), SEEDS)
@settings(max_examples=30, deadline=None)
def test_taps_that_meet_only_padding_are_left_out(
    size: int, stride: int, height: int, width: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    side = size // 2
    window = Window(size, size, stride, stride, Padding(side, side, side, side))
    weights = rng.integers(-127, 128, (1, size, size, 4), np.int8)
    extent = window_output(height, width, window)
    _, trimmed = trim(weights, window, (height, width), extent)
    places = range(-side, stride * (extent[0] - 1) - side + 1, stride)
    met = [tap for tap in range(size) if any(0 <= place + tap < height for place in places)]
    assert trimmed.kernel_h == met[-1] - met[0] + 1
    assert trimmed.padding.top == side - met[0]
    image = (height, width, 4)
    graph = conv_graph(rng, OpKind.DEPTHWISE_CONV_2D, weights, window, image, Activation.NONE, size * size)
    check_against_executor(graph, [random_image(rng, (1, *image))])


@given(windows(largest=8), st.integers(1, 7), st.integers(1, 3), ACTIVATIONS, SEEDS)
@settings(max_examples=40, deadline=None)
def test_depthwise_of_any_shape(
    window: Window, channels: int, multiplier: int, activation: Activation, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    height, width = window.kernel_h + 2, window.kernel_w + 3
    weights = rng.integers(-127, 128, (1, window.kernel_h, window.kernel_w, channels * multiplier), np.int8)
    graph = conv_graph(
        rng,
        OpKind.DEPTHWISE_CONV_2D,
        weights,
        window,
        (height, width, channels),
        activation,
        window.kernel_h * window.kernel_w,
    )
    check_against_executor(graph, [random_image(rng, (1, height, width, channels))])


@given(st.integers(1, 70), st.integers(1, 13), st.integers(20, 31), SEEDS)
@settings(max_examples=40, deadline=None)
def test_fully_connected_with_huge_biases(inputs: int, outputs: int, bias_bits: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.integers(-128, 128, (outputs, inputs), np.int8)
    limit = (1 << bias_bits) - 1
    tensors = [
        activation_tensor(0, (1, inputs), 0.03, int(rng.integers(-128, 128))),
        Tensor(1, "w", weights.shape, "int8", Quantisation((2.0**-9,), (0,)), weights),
        Tensor(2, "b", (outputs,), "int32", None, rng.integers(-limit, limit, outputs, dtype=np.int32)),
        activation_tensor(3, (1, outputs), float(2.0 ** rng.integers(-8, 14)), 3),
    ]
    graph = one_operator(OpKind.FULLY_CONNECTED, tensors, Attributes())
    image = random_image(rng, (1, inputs))
    found = run_images(lower(graph, graph.operators[0]), image.reshape(1, 1, inputs), (1, 1, outputs))
    np.testing.assert_array_equal(found.reshape(1, outputs), executor.outputs(graph, [image])[0])


@given(st.integers(1, 5), st.integers(1, 7), st.integers(1, 9), ACTIVATIONS, st.booleans(), SEEDS)
@settings(max_examples=40, deadline=None)
def test_add(height: int, width: int, channels: int, activation: Activation, equal: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (1, height, width, channels)
    graph = add_graph(rng, shape, activation, equal)
    check_against_executor(graph, [random_image(rng, shape), random_image(rng, shape)])


@pytest.mark.parametrize("operand", [0, 1])
def test_add_in_place(operand: int) -> None:
    rng = np.random.default_rng(operand)
    shape = (1, 4, 5, 6)
    graph = add_graph(rng, shape, Activation.NONE, equal=False)
    images = [random_image(rng, shape), random_image(rng, shape)]
    expected = executor.outputs(graph, images)[0][0]
    lowered = lower(graph, graph.operators[0])
    assert lowered.alias_ok
    views = [view_of(image[0]) for image in images]
    run_lowered(lowered, views[0], views[operand], (0, 4, 0, 5), views[1])
    np.testing.assert_array_equal(images[operand][0], expected)


@given(
    st.sampled_from([OpKind.AVERAGE_POOL_2D, OpKind.MAX_POOL_2D]),
    windows(largest=6),
    st.integers(1, 9),
    st.integers(0, 12),
    ACTIVATIONS,
    SEEDS,
)
@settings(max_examples=60, deadline=None)
def test_pool(
    kind: OpKind, window: Window, channels: int, extent: int, activation: Activation, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    image = (window.kernel_h + extent, window.kernel_w + extent, channels)
    out_shape = (1, *window_output(image[0], image[1], window), channels)
    tensors = [activation_tensor(0, (1, *image), 0.1, -4), activation_tensor(1, out_shape, 0.1, -4)]
    graph = one_operator(kind, tensors, Attributes(window=window, activation=activation))
    check_against_executor(graph, [random_image(rng, (1, *image))])


@given(st.integers(1, 5), st.integers(1, 7), st.integers(1, 9), st.booleans(), ACTIVATIONS, SEEDS)
@settings(max_examples=40, deadline=None)
def test_mul(
    height: int, width: int, channels: int, per_channel: bool, activation: Activation, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    shape = (1, height, width, channels)
    second = (1, 1, 1, channels) if per_channel else shape
    scales, zero_points = rng.uniform(0.01, 0.1, 3), rng.integers(-128, 128, 3)
    tensors = [
        activation_tensor(i, each, float(scales[i]), int(zero_points[i]))
        for i, each in enumerate((shape, second, shape))
    ]
    graph = one_operator(OpKind.MUL, tensors, Attributes(activation=activation))
    check_against_executor(graph, [random_image(rng, shape), random_image(rng, second)])


@pytest.mark.parametrize("kind", [OpKind.ADD, OpKind.SUB, OpKind.MUL])
@pytest.mark.parametrize("value", [-128, 3, 127])
@pytest.mark.parametrize("position", [0, 1])
def test_constant_operand(kind: OpKind, value: int, position: int) -> None:
    shape = (1, 4, 16, 4)
    constant = Tensor(
        1, "c", (), "int8", Quantisation((float(np.float32(0.024)),), (-128,)), np.array(value, np.int8)
    )
    tensors = [activation_tensor(0, shape, 0.07, 4), constant, activation_tensor(2, shape, 0.03, -128)]
    operands = [tensors[0], constant] if position == 1 else [constant, tensors[0]]
    graph = one_operator(kind, [*operands, tensors[2]], Attributes(activation=Activation.RELU6))
    every = np.arange(-128, 128, dtype=np.int8).reshape(shape)
    lowered = check_against_executor(graph, [every])
    assert lowered.kernel == "mcu_lookup"


@given(
    st.sampled_from([OpKind.ADD, OpKind.SUB, OpKind.MUL, OpKind.PRELU]),
    st.integers(2, 9),
    st.integers(0, 1),
    SEEDS,
)
@settings(max_examples=60, deadline=None)
def test_constant_per_channel(kind: OpKind, channels: int, position: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (1, 3, 5, channels)
    scales, zero_points = rng.uniform(0.01, 0.1, 3), rng.integers(-128, 128, 3)
    data = random_image(rng, (1, 1, channels))
    stored = Quantisation((float(np.float32(scales[1])),), (int(zero_points[1]),))
    constant = Tensor(1, "c", data.shape, "int8", stored, data)
    source, result = (activation_tensor(i, shape, float(scales[i]), int(zero_points[i])) for i in (0, 2))
    first = kind is OpKind.PRELU or position == 1
    graph = one_operator(
        kind, [source, constant, result] if first else [constant, source, result], Attributes()
    )
    check_against_executor(graph, [random_image(rng, shape)])


@given(
    st.sampled_from([OpKind.RELU, OpKind.LOGISTIC, OpKind.TANH, OpKind.HARD_SWISH, OpKind.LEAKY_RELU]),
    SEEDS,
)
@settings(max_examples=30, deadline=None)
def test_functions_of_one_element(kind: OpKind, seed: int) -> None:
    rng = np.random.default_rng(seed)
    fixed = {OpKind.LOGISTIC: (1 / 256, -128), OpKind.TANH: (1 / 128, 0)}
    scale, zero_point = fixed.get(kind, (float(rng.uniform(0.05, 0.2)), int(rng.integers(-128, 128))))
    shape = (1, 4, 16, 4)
    source = activation_tensor(0, shape, float(rng.uniform(0.01, 0.05)), int(rng.integers(-128, 128)))
    graph = one_operator(
        kind, [source, activation_tensor(1, shape, scale, zero_point)], Attributes(alpha=0.25)
    )
    check_against_executor(graph, [np.arange(-128, 128, dtype=np.int8).reshape(shape)])


def test_other_constants_are_refused_by_name() -> None:
    shape = (1, 2, 3, 4)
    data = np.zeros((1, 2, 3, 1), np.int8)
    constant = Tensor(1, "c", data.shape, "int8", Quantisation((0.5,), (0,)), data)
    tensors = [activation_tensor(0, shape, 0.1, 0), constant, activation_tensor(2, shape, 0.1, 0)]
    graph = one_operator(OpKind.ADD, tensors, Attributes())
    with pytest.raises(
        UnsupportedError, match=r"operator 0 \(ADD\) has a constant of the shape \[1, 2, 3, 1\]"
    ):
        lower(graph, graph.operators[0])


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(1, 4), st.booleans(), SEEDS)
@settings(max_examples=60, deadline=None)
def test_dilated_and_grouped_convolutions(
    dilation: int, groups: int, depth: int, kernel: int, depthwise: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    pads = [int(n) for n in rng.integers(0, 3, 4)]
    strides = [int(n) for n in rng.integers(1, 3, 2)]
    window = Window(kernel, 2, *strides, Padding(*pads), dilation, int(rng.integers(1, 4)))
    channels = groups * depth
    image = (1, (kernel - 1) * dilation + 3, 3 + window.dilation_w, channels)
    outputs = channels * int(rng.integers(1, 3))
    shape = (1, kernel, 2, outputs) if depthwise else (outputs, kernel, 2, depth)
    weights = rng.integers(-127, 128, shape, np.int8)
    kind = OpKind.DEPTHWISE_CONV_2D if depthwise else OpKind.CONV_2D
    graph = conv_graph(rng, kind, weights, window, image[1:], Activation.NONE, kernel * 2 * depth)
    check_against_executor(graph, [random_image(rng, image)])


@given(st.lists(st.integers(0, 3), min_size=4, max_size=4), st.integers(1, 5), SEEDS)
@settings(max_examples=20, deadline=None)
def test_pad(pads: list[int], channels: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    padding = Padding(*pads)
    out_shape = (1, 3 + padding.top + padding.bottom, 4 + padding.left + padding.right, channels)
    tensors = [activation_tensor(0, (1, 3, 4, channels), 0.1, 9), activation_tensor(1, out_shape, 0.1, 9)]
    graph = one_operator(OpKind.PAD, tensors, Attributes(padding=padding))
    check_against_executor(graph, [random_image(rng, (1, 3, 4, channels))])


def test_average_pool_over_more_values_than_a_halfword_sums() -> None:
    window = Window(25, 20, 25, 20)
    tensors = [activation_tensor(0, (1, 25, 20, 8), 0.1, 0), activation_tensor(1, (1, 1, 1, 8), 0.1, 0)]
    graph = one_operator(OpKind.AVERAGE_POOL_2D, tensors, Attributes(window=window))
    for value in (-128, 127):
        check_against_executor(graph, [np.full((1, 25, 20, 8), value, np.int8)])


@given(
    st.sampled_from([(OpKind.SOFTMAX, 1 / 256, -128), (OpKind.LOG_SOFTMAX, 1 / 16, 127)]),
    st.integers(1, 5),
    st.integers(1, 40),
    st.floats(1e-4, 4.0),
    st.sampled_from([0.5, 1.0, 2.0]),
    SEEDS,
)
@settings(max_examples=120, deadline=None)
def test_softmax(
    kind: tuple[OpKind, float, int], pixels: int, channels: int, scale: float, beta: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    shape = (1, 1, pixels, channels)
    tensors = [activation_tensor(0, shape, scale, 5), activation_tensor(1, shape, kind[1], kind[2])]
    attributes = Attributes(beta=beta if kind[0] is OpKind.SOFTMAX else 1.0)
    check_against_executor(one_operator(kind[0], tensors, attributes), [random_image(rng, shape)])


def test_too_tall_windows_are_named() -> None:
    window = Window(40, 1)
    tensors = [activation_tensor(0, (1, 41, 1, 4), 0.1, 0), activation_tensor(1, (1, 2, 1, 4), 0.1, 0)]
    graph = one_operator(OpKind.AVERAGE_POOL_2D, tensors, Attributes(window=window))
    with pytest.raises(UnsupportedError, match=r"operator 0 \(AVERAGE_POOL_2D\) needs 40 input rows"):
        lower(graph, graph.operators[0])


def cropped(image: Int8Array, rows: tuple[int, int], columns: tuple[int, int]) -> tuple[Int8Array, McuView]:
    """A copy of part of an image, and a view that says where it comes from."""
    part = np.ascontiguousarray(image[rows[0] : rows[1], columns[0] : columns[1]])
    view = view_of(part)
    view.y0, view.x0 = rows[0], columns[0]
    return part, view


@given(st.sampled_from([OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D]), st.sampled_from([1, 2]), SEEDS)
@settings(max_examples=40, deadline=None)
def test_patches_equal_the_whole(kind: OpKind, stride: int, seed: int) -> None:
    """Any rectangle, from a view that holds just what it needs, equals that part of the whole output."""
    rng = np.random.default_rng(seed)
    image_shape = (int(rng.integers(5, 14)), int(rng.integers(5, 14)), 4)
    window = Window(3, 3, stride, stride, Padding(1, 1, 1, 1))
    shape = (8, 3, 3, 4) if kind is OpKind.CONV_2D else (1, 3, 3, 4)
    weights = rng.integers(-127, 128, shape, np.int8)
    graph = conv_graph(rng, kind, weights, window, image_shape, Activation.RELU, 9)
    image = random_image(rng, (1, *image_shape))
    whole = executor.outputs(graph, [image])[0][0]
    lowered = lower(graph, graph.operators[0])
    rows = sorted(rng.choice(whole.shape[0] + 1, 2, replace=False).tolist())
    columns = sorted(rng.choice(whole.shape[1] + 1, 2, replace=False).tolist())
    needed = [
        (max(0, span[0] * stride - 1), min(limit, (span[1] - 1) * stride + 2))
        for span, limit in ((rows, image_shape[0]), (columns, image_shape[1]))
    ]
    _part, source = cropped(image[0], needed[0], needed[1])
    expected, target = cropped(whole, (rows[0], rows[1]), (columns[0], columns[1]))
    found = np.zeros_like(expected)
    target.base = found.ctypes.data
    run_lowered(lowered, source, target, (rows[0], rows[1], columns[0], columns[1]))
    np.testing.assert_array_equal(found, expected)


def test_rings_equal_full_tensors() -> None:
    """Rows that lie modulo a capacity give the same outputs, row by row."""
    rng = np.random.default_rng(7)
    window = Window(3, 3, 1, 1, Padding(1, 1, 1, 1))
    weights = rng.integers(-127, 128, (1, 3, 3, 4), np.int8)
    graph = conv_graph(rng, OpKind.DEPTHWISE_CONV_2D, weights, window, (9, 6, 4), Activation.RELU, 9)
    image = random_image(rng, (1, 9, 6, 4))
    whole = executor.outputs(graph, [image])[0][0]
    lowered = lower(graph, graph.operators[0])
    capacity = 4
    ring = np.zeros((capacity, 6, 4), np.int8)
    found = np.zeros_like(whole)
    arrived = 0
    for y in range(0, 9, 2):
        while arrived < min(9, y + 3):
            ring[arrived % capacity] = image[0, arrived]
            arrived += 1
        source = view_of(ring)
        source.height = 9
        run_lowered(lowered, source, view_of(found), (y, min(y + 2, 9), 0, 6))
    np.testing.assert_array_equal(found, whole)
