"""Kernels as the cross compilers build them, on random operators, against the executor."""

from __future__ import annotations

import numpy as np
import pytest
from operator_cases import activation_tensor, add_graph, conv_graph, one_operator, random_image
from target_kernels import run_images

from mcusim.compiler import toolchains
from mcusim.compiler.lowering import lower
from mcusim.errors import ToolchainError
from mcusim.network import executor
from mcusim.network.geometry import window_output
from mcusim.network.graph import Activation, Attributes, Graph, OpKind, Padding, Window

ACTIVATIONS = (Activation.NONE, Activation.RELU, Activation.RELU6)


@pytest.fixture(params=["zig", "gcc"])
def toolchain(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    try:
        toolchains.find(name)
    except ToolchainError as error:
        pytest.skip(str(error))
    return name


def check(toolchain: str, graph: Graph, rng: np.random.Generator) -> None:
    op = graph.operators[0]
    images = [random_image(rng, graph.tensors[i].shape) for i in graph.inputs]
    expected = executor.outputs(graph, images)[0]
    rank3 = [image.reshape(1, 1, -1) if image.ndim == 2 else image[0] for image in images]
    shape = expected.shape[1:] if expected.ndim == 4 else (1, 1, expected.shape[1])
    second = rank3[1] if len(rank3) > 1 else None
    found = run_images(toolchain, lower(graph, op), rank3[0], shape, second)
    np.testing.assert_array_equal(found.reshape(expected.shape), expected)


@pytest.mark.parametrize("seed", range(30))
def test_convolutions(toolchain: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    kernel_h, kernel_w = (1, 1) if seed % 3 == 0 else (int(k) for k in rng.integers(1, 5, 2))
    pads = [int(rng.integers(0, k)) for k in (kernel_h, kernel_h, kernel_w, kernel_w)]
    strides = (1, 1) if seed % 2 else (int(s) for s in rng.integers(1, 3, 2))
    window = Window(kernel_h, kernel_w, *strides, Padding(*pads))
    channels = int(rng.integers(1, 6)) * (4 if seed % 3 == 0 else 1)
    image = (int(kernel_h + rng.integers(0, 4)), int(kernel_w + rng.integers(0, 6)), channels)
    weights = rng.integers(-127, 128, (int(rng.integers(1, 14)), kernel_h, kernel_w, channels), np.int8)
    products = kernel_h * kernel_w * channels
    activation = ACTIVATIONS[seed % len(ACTIVATIONS)]
    check(toolchain, conv_graph(rng, OpKind.CONV_2D, weights, window, image, activation, products), rng)


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 8, 24, 25, 26, 49])
@pytest.mark.parametrize("stride", [1, 2])
def test_depthwise_3x3(toolchain: str, stride: int, width: int) -> None:
    rng = np.random.default_rng(100 * width + stride)
    for height, activation in ((1, Activation.RELU), (4, Activation.RELU6), (3, Activation.NONE)):
        window = Window(3, 3, stride, stride, Padding(1, 1, 1, int(rng.integers(1, 3))))
        weights = rng.integers(-127, 128, (1, 3, 3, 8), np.int8)
        image = (height * stride, width * stride, 8)
        check(
            toolchain,
            conv_graph(rng, OpKind.DEPTHWISE_CONV_2D, weights, window, image, activation, 9),
            rng,
        )


@pytest.mark.parametrize("kernel", [1, 2, 3, 10, 15, 24])
@pytest.mark.parametrize("height", [1, 9, 26])
def test_depthwise_along_one_column(toolchain: str, kernel: int, height: int) -> None:
    rng = np.random.default_rng(100 * kernel + height)
    pads = (0, 0) if height >= kernel else (kernel // 2, kernel - height)
    weights = rng.integers(-127, 128, (1, kernel, 1, 8), np.int8)
    window = Window(kernel, 1, 1, 1, Padding(*pads))
    graph = conv_graph(
        rng, OpKind.DEPTHWISE_CONV_2D, weights, window, (height, 1, 8), ACTIVATIONS[kernel % 3], kernel
    )
    assert lower(graph, graph.operators[0]).kernel == "mcu_depthwise_column"
    check(toolchain, graph, rng)


@pytest.mark.parametrize("width", [1, 3, 5, 6, 7, 14, 23])
@pytest.mark.parametrize(("size", "stride"), [(5, 1), (5, 2), (7, 1), (7, 2)])
def test_depthwise_with_large_squares(toolchain: str, size: int, stride: int, width: int) -> None:
    rng = np.random.default_rng(100 * width + size)
    for height, activation in ((1, Activation.RELU), (4, Activation.RELU6), (9, Activation.NONE)):
        side = size // 2
        window = Window(size, size, stride, stride, Padding(side, side - 1, side, int(rng.integers(1, 3))))
        weights = rng.integers(-127, 128, (1, size, size, 8), np.int8)
        image = (height * stride + 2, width * stride + 2, 8)
        graph = conv_graph(rng, OpKind.DEPTHWISE_CONV_2D, weights, window, image, activation, size * size)
        check(toolchain, graph, rng)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("equal", [False, True])
def test_add(toolchain: str, activation: Activation, equal: bool) -> None:
    rng = np.random.default_rng(5)
    check(toolchain, add_graph(rng, (1, 3, 7, 5), activation, equal), rng)


@pytest.mark.parametrize(
    ("image", "window"),
    [
        ((3, 3, 24), Window(3, 3)),
        ((25, 5, 8), Window(25, 5)),
        ((16, 17, 16), Window(16, 17)),
        ((7, 9, 13), Window(2, 3, 2, 2)),
        ((5, 6, 28), Window(3, 3, 1, 1, Padding(1, 1, 1, 1))),
        ((4, 4, 8), Window(4, 2, 3, 1, Padding(3, 2, 1, 1))),
    ],
)
@pytest.mark.parametrize("kind", [OpKind.AVERAGE_POOL_2D, OpKind.MAX_POOL_2D])
def test_pools(toolchain: str, kind: OpKind, image: tuple[int, int, int], window: Window) -> None:
    rng = np.random.default_rng(sum(image))
    out_shape = (1, *window_output(image[0], image[1], window), image[2])
    tensors = [activation_tensor(0, (1, *image), 0.1, -4), activation_tensor(1, out_shape, 0.1, -4)]
    for activation in ACTIVATIONS:
        graph = one_operator(kind, tensors, Attributes(window=window, activation=activation))
        check(toolchain, graph, rng)


@pytest.mark.parametrize("value", [-128, -1, 127])
def test_average_pools_of_equal_elements(toolchain: str, value: int) -> None:
    """The largest sums, and ties that are none."""
    for size in (2, 255, 256, 300):
        tensors = [
            activation_tensor(0, (1, 1, size, 12), 0.1, 0),
            activation_tensor(1, (1, 1, 1, 12), 0.1, 0),
        ]
        graph = one_operator(OpKind.AVERAGE_POOL_2D, tensors, Attributes(window=Window(1, size)))
        found = run_images(
            toolchain, lower(graph, graph.operators[0]), np.full((1, size, 12), value, np.int8), (1, 1, 12)
        )
        assert (found == value).all()
