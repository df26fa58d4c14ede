"""Build a quantised network layer by layer, with deterministic weights and calibrated scales.

Every layer is run at once on a few synthetic inputs. Its biases and weight scales are then set so that
each channel of its output has the mean and spread that batch normalisation would give it; activations
neither saturate nor fade, whatever the depth. The statistics are integers (sums and absolute deviations
of exact accumulators) and the scales follow from them by single IEEE operations, so the network is the
same on every machine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcusim.network import executor
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
from mcusim.network.ops import matrix
from mcusim.network.quantise import (
    Int64Array,
    MatrixConstants,
    conv_constants,
    fully_connected_constants,
)
from mcusim.network.zoo import noise

INPUT_QUANTISATION = Quantisation((1 / 128,), (0,))

RECTIFIED_MEAN, RECTIFIED_SPREAD = 2.5, 1.5
"""Mean and standard deviation before a ReLU: about 5 % of a normal distribution falls below 0 and 1 %
above 6, so the layers carry information instead of zeros."""
LINEAR_SPREAD = 1.0
"""Standard deviation of a layer without activation, around 0."""
RANGE_IN_SPREADS = 4.0
"""Half the int8 range of a layer without activation, in standard deviations."""
DEVIATION_TO_SPREAD = math.sqrt(math.pi / 2)
"""Standard deviation over mean absolute deviation of a normal distribution."""
WEAKEST_CHANNEL = 16
"""A channel that hardly varies is amplified as if it varied at least 1/16 of the median channel."""


@dataclass(frozen=True)
class Statistics:
    """Real mean and standard deviation that a tensor is expected to have."""

    mean: float
    spread: float


class Builder:
    """Collects tensors and operators; every method returns the index of the tensor that it adds."""

    def __init__(self, name: str, architecture: str) -> None:
        self.name = name
        self.architecture = architecture
        self.tensors: dict[int, Tensor] = {}
        self.operators: list[Operator] = []
        self.inputs: list[int] = []
        self._samples: dict[int, NDArray[np.int8]] = {}
        self._statistics: dict[int, Statistics] = {}

    def channels(self, x: int) -> int:
        """Channels of the tensor ``x``."""
        return self.tensors[x].shape[-1]

    def image_input(self, height: int, width: int, channels: int) -> int:
        """An image of real values from -1 to 1."""
        return self._input(noise.images(self.architecture, (height, width, channels)))

    def vector_input(self, length: int) -> int:
        """A vector of real values from -1 to 1."""
        return self._input(noise.vectors(self.architecture, 16, length))

    def conv(
        self,
        x: int,
        channels: int,
        kernel: tuple[int, int] = (1, 1),
        stride: int = 1,
        activation: Activation = Activation.NONE,
        mean: float | None = None,
        groups: int = 1,
    ) -> int:
        """CONV_2D with SAME padding; ``mean`` is the output's real mean, by default the activation's."""
        shape = (channels, *kernel, self.tensors[x].shape[3] // groups)
        weights = self._weights(shape)
        attributes = Attributes(activation=activation, window=self._same_window(x, kernel, stride))
        op = Operator(len(self.operators), OpKind.CONV_2D, (x,), (), attributes)
        sums = matrix.conv_sums(op, [self._samples[x], weights], self._zero_point(x))
        return self._weighted(op, weights, sums, channel_axis=0, mean=mean)

    def depthwise(
        self, x: int, kernel: int = 3, stride: int = 1, activation: Activation = Activation.NONE
    ) -> int:
        """DEPTHWISE_CONV_2D with SAME padding and one output per channel."""
        weights = self._weights((1, kernel, kernel, self.tensors[x].shape[3]))
        attributes = Attributes(activation=activation, window=self._same_window(x, (kernel, kernel), stride))
        op = Operator(len(self.operators), OpKind.DEPTHWISE_CONV_2D, (x,), (), attributes)
        sums = matrix.depthwise_sums(op, [self._samples[x], weights], self._zero_point(x))
        return self._weighted(op, weights, sums, channel_axis=3, mean=None)

    def dense(self, x: int, outputs: int, activation: Activation = Activation.NONE) -> int:
        """FULLY_CONNECTED, one weight scale for the whole layer."""
        weights = self._weights((outputs, self.tensors[x].elements))
        op = Operator(
            len(self.operators), OpKind.FULLY_CONNECTED, (x,), (), Attributes(activation=activation)
        )
        sums = matrix.dense_sums([self._samples[x], weights], self._zero_point(x))
        return self._weighted(op, weights, sums, channel_axis=None, mean=None)

    def add(self, a: int, b: int, activation: Activation = Activation.NONE) -> int:
        """Residual ADD of two tensors of one shape."""
        first, second = self._statistics[a], self._statistics[b]
        spread = math.sqrt(first.spread * first.spread + second.spread * second.spread)
        expected = Statistics(first.mean + second.mean, spread)
        index, shape = len(self.operators), self.tensors[a].shape
        result = self._tensor("add", shape, _range_for(expected, activation, index))
        op = Operator(index, OpKind.ADD, (a, b), (result,), Attributes(activation=activation))
        return self._run(op, expected)

    def global_average_pool(self, x: int) -> int:
        """AVERAGE_POOL_2D over the whole map."""
        _, height, width, channels = self.tensors[x].shape
        result = self._tensor("pool", (1, 1, 1, channels), self.tensors[x].quantisation)
        window = Window(height, width, height, width)
        op = Operator(len(self.operators), OpKind.AVERAGE_POOL_2D, (x,), (result,), Attributes(window=window))
        return self._run(op, self._statistics[x])

    def mean(self, x: int, axes: tuple[int, ...]) -> int:
        """MEAN over dimensions, which stay as one element."""
        shape = tuple(1 if axis in axes else size for axis, size in enumerate(self.tensors[x].shape))
        result = self._tensor("mean", shape, self.tensors[x].quantisation)
        attributes = Attributes(axes=axes, keep_dims=True)
        op = Operator(len(self.operators), OpKind.MEAN, (x,), (result,), attributes)
        return self._run(op, self._statistics[x])

    def multiply(self, x: int, gate: int) -> int:
        """MUL of a tensor and another of its shape, or one pixel."""
        first, second = self._statistics[x], self._statistics[gate]
        greatest = abs(second.mean) + second.spread
        expected = Statistics(first.mean * second.mean, first.spread * greatest)
        stored = _range_for(expected, Activation.NONE, len(self.operators))
        result = self._tensor("mul", self.tensors[x].shape, stored)
        return self._run(Operator(len(self.operators), OpKind.MUL, (x, gate), (result,)), expected)

    def flatten(self, x: int) -> int:
        """RESHAPE to a vector."""
        return self._reshape("flatten", x, (1, self.tensors[x].elements))

    def shuffle_channels(self, x: int, groups: int) -> int:
        """Deal the channels of ``groups`` groups out in turn: RESHAPE, TRANSPOSE, RESHAPE."""
        shape = self.tensors[x].shape
        apart = self._reshape("groups", x, (*shape[:3], groups, shape[3] // groups))
        turned = (*shape[:3], shape[3] // groups, groups)
        dealt = self._tensor("shuffle", turned, self.tensors[x].quantisation)
        attributes = Attributes(permutation=(0, 1, 2, 4, 3))
        op = Operator(len(self.operators), OpKind.TRANSPOSE, (apart,), (dealt,), attributes)
        return self._reshape("shuffled", self._run(op, self._statistics[x]), shape)

    def _reshape(self, name: str, x: int, shape: tuple[int, ...]) -> int:
        result = self._tensor(name, shape, self.tensors[x].quantisation)
        op = Operator(len(self.operators), OpKind.RESHAPE, (x,), (result,))
        return self._run(op, self._statistics[x])

    def softmax(self, x: int) -> int:
        """SOFTMAX over the last dimension."""
        result = self._tensor("softmax", self.tensors[x].shape, Quantisation((1 / 256,), (-128,)))
        op = Operator(len(self.operators), OpKind.SOFTMAX, (x,), (result,))
        return self._run(op, Statistics(0.0, 1.0))

    def graph(self, *outputs: int) -> Graph:
        """The network so far, with these outputs."""
        return Graph(self.name, dict(self.tensors), tuple(self.operators), tuple(self.inputs), outputs)

    def _input(self, samples: NDArray[np.int8]) -> int:
        index = self._tensor("input", (1, *samples.shape[1:]), INPUT_QUANTISATION)
        self.inputs.append(index)
        self._samples[index] = samples
        self._statistics[index] = Statistics(0.0, 0.5)
        return index

    def _tensor(
        self,
        name: str,
        shape: tuple[int, ...],
        quantisation: Quantisation | None,
        data: NDArray[np.generic] | None = None,
    ) -> int:
        index = len(self.tensors)
        dtype = "int8" if data is None else str(data.dtype)
        label = name if not self.operators and not self.inputs else f"{name}_{len(self.operators)}"
        if data is not None:
            data.flags.writeable = False
        self.tensors[index] = Tensor(index, label, shape, dtype, quantisation, data)
        return index

    def _weights(self, shape: tuple[int, ...]) -> NDArray[np.int8]:
        return noise.weights(f"{self.architecture}/{len(self.operators)}", shape)

    def _zero_point(self, x: int) -> int:
        stored = self.tensors[x].quantisation
        return 0 if stored is None else stored.zero_point

    def _scale(self, x: int) -> float:
        stored = self.tensors[x].quantisation
        return 1.0 if stored is None else stored.scale

    def _same_window(self, x: int, kernel: tuple[int, int], stride: int) -> Window:
        _, height, width, _ = self.tensors[x].shape
        top, bottom = same_padding(height, kernel[0], stride)
        left, right = same_padding(width, kernel[1], stride)
        return Window(*kernel, stride, stride, Padding(top, bottom, left, right))

    def _weighted(
        self,
        op: Operator,
        weights: NDArray[np.int8],
        sums: Int64Array,
        channel_axis: int | None,
        mean: float | None,
    ) -> int:
        """Append a layer with weights whose accumulators on the samples are ``sums`` [..., channels]."""
        index, activation = op.index, op.attributes.activation
        expected = _expected(activation, mean)
        centre, deviation = _channel_statistics(sums)
        if channel_axis is None:
            deviation = np.full_like(deviation, max(1, int(deviation.sum()) // len(deviation)))
        spreads = deviation * DEVIATION_TO_SPREAD
        means = expected.mean + expected.spread * self._channel_shifts(len(centre))
        bias = np.floor(spreads * (means / expected.spread) + 0.5).astype(np.int64) - centre
        scales = (expected.spread / (spreads * self._scale(op.inputs[0]))).astype(np.float32)
        stored = tuple(float(s) for s in (scales if channel_axis is not None else scales[:1]))
        symmetric = Quantisation(stored, (0,) * len(stored), channel_axis or 0)
        kernel = self._tensor("weights", weights.shape, symmetric, weights)
        offsets = self._tensor("bias", bias.shape, None, bias.astype(np.int32))
        shape = (1, *sums.shape[1:])
        result = self._tensor(op.kind.lower(), shape, _range_for(expected, activation, index))
        layer = Operator(index, op.kind, (op.inputs[0], kernel, offsets), (result,), op.attributes)
        self.operators.append(layer)
        self._samples[result] = matrix.requantise(sums, self._constants(layer))
        self._statistics[result] = expected
        return result

    def _channel_shifts(self, channels: int) -> NDArray[np.float64]:
        """How far each channel's mean lies off the layer's, in standard deviations; global pools would
        otherwise find all channels alike."""
        stored = noise.random_bytes(f"{self.architecture}/{len(self.operators)}/shift", channels)
        return (stored.astype(np.float64) - 127.5) / 255

    def _constants(self, op: Operator) -> MatrixConstants:
        graph = self.graph()
        if op.kind is OpKind.FULLY_CONNECTED:
            return fully_connected_constants(graph, op)
        return conv_constants(graph, op)

    def _run(self, op: Operator, expected: Statistics) -> int:
        self.operators.append(op)
        result = op.outputs[0]
        (self._samples[result],) = executor.run_operator(self.graph(), op, dict(self._samples))
        self._statistics[result] = expected
        return result


def _expected(activation: Activation, mean: float | None) -> Statistics:
    if activation is Activation.NONE:
        return Statistics(0.0 if mean is None else mean, LINEAR_SPREAD)
    return Statistics(RECTIFIED_MEAN if mean is None else mean, RECTIFIED_SPREAD)


def _channel_statistics(sums: Int64Array) -> tuple[Int64Array, Int64Array]:
    """Mean and mean absolute deviation of every channel, as integers."""
    flat = sums.reshape(-1, sums.shape[-1])
    centre: Int64Array = flat.sum(axis=0) // len(flat)
    deviation: Int64Array = np.abs(flat - centre).sum(axis=0) // len(flat)
    weakest = max(1, int(np.sort(deviation)[len(deviation) // 2]) // WEAKEST_CHANNEL)
    return centre, np.maximum(deviation, weakest)


def _range_for(expected: Statistics, activation: Activation, index: int) -> Quantisation:
    """Scale and zero point for a tensor with these statistics.

    Without an activation the zero point moves a little from layer to layer, as it does in trained
    networks.
    """
    if activation is Activation.RELU6:
        return _quantisation(6.0 / 255, -128)
    if activation is Activation.RELU:
        return _quantisation((expected.mean + 3 * expected.spread) / 255, -128)
    half = RANGE_IN_SPREADS * expected.spread + abs(expected.mean)
    return _quantisation(2 * half / 255, index * 5 % 17 - 8)


def _quantisation(scale: float, zero_point: int) -> Quantisation:
    return Quantisation((float(np.float32(scale)),), (zero_point,))
