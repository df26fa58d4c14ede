"""Graphs of a single operator with random constants, for tests of kernels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mcusim.network.geometry import window_output
from mcusim.network.graph import (
    Activation,
    Attributes,
    Graph,
    Operator,
    OpKind,
    Quantisation,
    Tensor,
    Window,
)

Int8Array = NDArray[np.int8]


def activation_tensor(index: int, shape: tuple[int, ...], scale: float, zero_point: int) -> Tensor:
    scale = float(np.float32(scale))
    return Tensor(index, f"t{index}", shape, "int8", Quantisation((scale,), (zero_point,)))


def random_image(rng: np.random.Generator, shape: tuple[int, ...]) -> Int8Array:
    return rng.integers(-128, 128, shape, dtype=np.int8)


def one_operator(kind: OpKind, tensors: list[Tensor], attributes: Attributes) -> Graph:
    """A graph of one operator; the last tensor is its output, constants are its further inputs."""
    inputs = tuple(t.index for t in tensors[:-1])
    op = Operator(0, kind, inputs, (tensors[-1].index,), attributes)
    sources = tuple(t.index for t in tensors[:-1] if t.data is None)
    return Graph("one", {t.index: t for t in tensors}, (op,), sources, op.outputs)


def matrix_tensors(
    rng: np.random.Generator, weights: Int8Array, channels: int, products: int, axis: int
) -> tuple[Tensor, Tensor]:
    """Weights with a scale per channel, and biases, for outputs that spread over int8."""
    scales = tuple(float(np.float32(s)) for s in rng.uniform(0.5, 2.0, channels) / (70 * products**0.5))
    bias = rng.integers(-2000, 2000, channels, dtype=np.int32)
    return (
        Tensor(1, "w", weights.shape, "int8", Quantisation(scales, (0,) * channels, axis), weights),
        Tensor(2, "b", (channels,), "int32", None, bias),
    )


def conv_graph(
    rng: np.random.Generator,
    kind: OpKind,
    weights: Int8Array,
    window: Window,
    image: tuple[int, int, int],
    activation: Activation,
    products: int,
) -> Graph:
    channels = weights.shape[0 if kind is OpKind.CONV_2D else 3]
    out_shape = (
        1,
        *window_output(image[0], image[1], window),
        channels,
    )
    source = activation_tensor(0, (1, *image), 0.05, int(rng.integers(-128, 128)))
    zero_point = (
        -128 if activation is not Activation.NONE and rng.random() < 0.7 else int(rng.integers(-60, 60))
    )
    result = activation_tensor(3, out_shape, 0.06, zero_point)
    constants = matrix_tensors(rng, weights, channels, products, 0 if kind is OpKind.CONV_2D else 3)
    attributes = Attributes(activation=activation, window=window, depth_multiplier=channels // image[2])
    return one_operator(kind, [source, *constants, result], attributes)


def add_graph(rng: np.random.Generator, shape: tuple[int, ...], activation: Activation, equal: bool) -> Graph:
    scales = rng.uniform(0.01, 0.1, 3)
    if equal:
        scales[:] = 0.0625
    zero_points = rng.integers(-128, 128, 3)
    tensors = [activation_tensor(i, shape, float(scales[i]), int(zero_points[i])) for i in range(3)]
    return one_operator(OpKind.ADD, tensors, Attributes(activation=activation))
