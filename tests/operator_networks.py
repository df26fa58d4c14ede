"""Random small networks of all operators, with any sizes, scales and zero points."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mcusim.network.geometry import window_output
from mcusim.network.graph import (
    Activation,
    Attributes,
    Graph,
    Operator,
    OpKind,
    Padding,
    Quantisation,
    Slice,
    Tensor,
    Window,
)

Shape = tuple[int, ...]
LARGEST = 1200
"""Elements of one activation."""

FIXED_OUTPUTS = {
    OpKind.SOFTMAX: Quantisation((1 / 256,), (-128,)),
    OpKind.LOG_SOFTMAX: Quantisation((1 / 16,), (127,)),
    OpKind.LOGISTIC: Quantisation((1 / 256,), (-128,)),
    OpKind.TANH: Quantisation((1 / 128,), (0,)),
}
ACTIVATIONS = (*Activation, Activation.NONE, Activation.NONE, Activation.NONE)


@dataclass
class RandomNetwork:
    """Grows by one operator at a time; every method returns the tensor that it adds."""

    rng: random.Random
    tensors: dict[int, Tensor] = field(default_factory=dict)
    operators: list[Operator] = field(default_factory=list)

    def shape(self, x: int) -> Shape:
        return self.tensors[x].shape

    def scale(self, x: int) -> float:
        stored = self.tensors[x].quantisation
        assert stored is not None
        return stored.scale

    def quantisation(self, around: float = 0.05) -> Quantisation:
        """Mostly a scale near ``around``, now and then one far from it, and zero points at the ends too."""
        spread = 12.0 if self.rng.random() < 0.04 else 1.0
        scale = float(np.float32(around * 2.0 ** self.rng.uniform(-spread, spread)))
        zero_point = self.rng.choice([-128, -128, 0, 127] + [self.rng.randint(-60, 60)] * 8)
        return Quantisation((scale,), (zero_point,))

    def activation(self, shape: Shape, stored: Quantisation | None = None) -> int:
        return self._add(Tensor(len(self.tensors), "", shape, "int8", stored or self.quantisation()))

    def constant(self, shape: Shape, stored: Quantisation | None = None) -> int:
        data = self._integers(-128, 128, shape).astype(np.int8)
        found = stored or self.quantisation()
        return self._add(Tensor(len(self.tensors), "", shape, "int8", found, data))

    def apply(
        self,
        kind: OpKind,
        inputs: Sequence[int],
        shape: Shape,
        attributes: Attributes | None = None,
        stored: Quantisation | None = None,
    ) -> int:
        output = self.activation(shape, stored or FIXED_OUTPUTS.get(kind))
        self._operator(kind, inputs, (output,), attributes)
        return output

    def keep(self, kind: OpKind, x: int, shape: Shape, attributes: Attributes) -> int:
        """An operator whose output has the quantisation of its input."""
        return self.apply(kind, [x], shape, attributes, self.tensors[x].quantisation)

    def split(self, x: int, axis: int, sizes: Sequence[int]) -> list[int]:
        shape, stored = self.shape(x), self.tensors[x].quantisation
        outputs = [self.activation((*shape[:axis], size, *shape[axis + 1 :]), stored) for size in sizes]
        self._operator(OpKind.SPLIT, [x], tuple(outputs), Attributes(axis=axis))
        return outputs

    def weighted(
        self, kind: OpKind, x: int, weights: Shape, shape: Shape, axis: int, attributes: Attributes
    ) -> int:
        """A convolution or dense layer; weights have one scale, or one for every output along ``axis``."""
        outputs, products = weights[axis], int(np.prod(weights)) // weights[axis]
        count = self.rng.choice([1, outputs])
        scales = tuple(float(np.float32(0.01 * 2.0 ** self.rng.uniform(-2, 2))) for _ in range(count))
        data = self._integers(-127, 128, weights).astype(np.int8)
        stored = Quantisation(scales, (0,) * count, axis)
        filters = self._add(Tensor(len(self.tensors), "", weights, "int8", stored, data))
        limit = self.rng.choice([1, 2000, 2000, 2000, 1 << 29])
        bias = self._add(
            Tensor(
                len(self.tensors),
                "",
                (outputs,),
                "int32",
                None,
                self._integers(-limit, limit, (outputs,)).astype(np.int32),
            )
        )
        around = self.scale(x) * scales[0] * 70 * products**0.5
        return self.apply(kind, [x, filters, bias], shape, attributes, self.quantisation(around))

    def graph(self, first: int) -> Graph:
        """Everything that no operator reads is an output."""
        read = {tensor for op in self.operators for tensor in op.inputs}
        outputs = tuple(t for op in self.operators for t in op.outputs if t not in read)
        return Graph("random", self.tensors, tuple(self.operators), (first,), outputs)

    def _add(self, tensor: Tensor) -> int:
        self.tensors[tensor.index] = tensor
        return tensor.index

    def _operator(
        self, kind: OpKind, inputs: Sequence[int], outputs: Shape, attributes: Attributes | None
    ) -> None:
        self.operators.append(
            Operator(len(self.operators), kind, tuple(inputs), outputs, attributes or Attributes())
        )

    def _integers(self, low: int, high: int, shape: Shape) -> NDArray[np.int64]:
        return np.random.default_rng(self.rng.getrandbits(32)).integers(low, high, shape)


def random_window(net: RandomNetwork, x: int, *, pool: bool = False) -> Window:
    """A window that fits on the tensor at least once, and for pools always covers a pixel."""
    rng, (_, height, width, _) = net.rng, net.shape(x)
    kernels = rng.randint(1, 5), rng.randint(1, 5)
    dilations = (1, 1) if pool or rng.random() < 0.6 else (rng.randint(1, 3), rng.randint(1, 3))
    pads: list[int] = []
    for size, kernel, dilation in zip((height, width), kernels, dilations, strict=True):
        least = max(0, (kernel - 1) * dilation + 1 - size)
        before = rng.randint(0, kernel - 1) if pool else rng.randint(0, kernel)
        pads += [before, max(least - before, rng.randint(0, kernel - 1))]
    return Window(*kernels, rng.randint(1, 3), rng.randint(1, 3), Padding(*pads), *dilations)


def conv(net: RandomNetwork, x: int) -> int:
    window, channels = random_window(net, x), net.shape(x)[3]
    groups = net.rng.choice([g for g in range(1, channels + 1) if channels % g == 0])
    groups = groups if net.rng.random() < 0.3 else 1
    outputs = groups * net.rng.choice([1, 2, 3, 4, 8])
    attributes = Attributes(window=window, activation=net.rng.choice(ACTIVATIONS))
    weights = (outputs, window.kernel_h, window.kernel_w, channels // groups)
    shape = (1, *window_output(*net.shape(x)[1:3], window), outputs)
    return net.weighted(OpKind.CONV_2D, x, weights, shape, 0, attributes)


def pointwise(net: RandomNetwork, x: int) -> int:
    _, height, width, channels = net.shape(x)
    outputs = net.rng.choice([4, 8, 12, 17])
    attributes = Attributes(window=Window(1, 1), activation=net.rng.choice(ACTIVATIONS))
    weights = (outputs, 1, 1, channels)
    return net.weighted(OpKind.CONV_2D, x, weights, (1, height, width, outputs), 0, attributes)


def depthwise(net: RandomNetwork, x: int) -> int:
    window, channels = random_window(net, x), net.shape(x)[3]
    if net.rng.random() < 0.4:
        kernel, stride = net.rng.choice([3, 5, 7]), net.rng.choice([1, 2])
        pad = kernel // 2
        window = Window(kernel, kernel, stride, stride, Padding(pad, pad, pad, pad))
    multiplier = net.rng.choice([1, 1, 2])
    attributes = Attributes(
        window=window, activation=net.rng.choice(ACTIVATIONS), depth_multiplier=multiplier
    )
    outputs = channels * multiplier
    weights = (1, window.kernel_h, window.kernel_w, outputs)
    shape = (1, *window_output(*net.shape(x)[1:3], window), outputs)
    return net.weighted(OpKind.DEPTHWISE_CONV_2D, x, weights, shape, 3, attributes)


def transpose_conv(net: RandomNetwork, x: int) -> int:
    rng, (_, height, width, channels) = net.rng, net.shape(x)
    kernels, strides = (rng.randint(1, 4), rng.randint(1, 4)), (rng.randint(1, 3), rng.randint(1, 3))
    extents = [(n - 1) * s + k for n, s, k in zip((height, width), strides, kernels, strict=True)]
    pads = [min(rng.randint(0, k - 1), n - 1) for k, n in zip(kernels, extents, strict=True)]
    window = Window(*kernels, *strides, Padding(pads[0], 0, pads[1], 0))
    outputs = rng.randint(1, 5)
    shape = (1, extents[0] - pads[0], extents[1] - pads[1], outputs)
    attributes = Attributes(window=window)
    return net.weighted(OpKind.TRANSPOSE_CONV, x, (outputs, *kernels, channels), shape, 0, attributes)


def dense(net: RandomNetwork, x: int) -> int:
    depth, outputs = net.tensors[x].elements, net.rng.randint(1, 13)
    attributes = Attributes(activation=net.rng.choice(ACTIVATIONS))
    y = net.weighted(OpKind.FULLY_CONNECTED, x, (outputs, depth), (1, outputs), 0, attributes)
    return net.keep(OpKind.RESHAPE, y, (1, 1, 1, outputs), Attributes())


def dense_rows(net: RandomNetwork, x: int) -> int:
    """The same weights for every pixel."""
    _, height, width, depth = net.shape(x)
    outputs = net.rng.randint(1, 9)
    y = net.keep(OpKind.RESHAPE, x, (1, height * width, depth), Attributes())
    attributes = Attributes(activation=net.rng.choice(ACTIVATIONS))
    shape = (1, height * width, outputs)
    y = net.weighted(OpKind.FULLY_CONNECTED, y, (outputs, depth), shape, 0, attributes)
    return net.keep(OpKind.RESHAPE, y, (1, height, width, outputs), Attributes())


def pool(net: RandomNetwork, x: int) -> int:
    """Any window, or one over all of the input."""
    window = random_window(net, x, pool=True)
    if net.rng.random() < 0.2:
        window = Window(*net.shape(x)[1:3])
    kind = net.rng.choice([OpKind.AVERAGE_POOL_2D, OpKind.MAX_POOL_2D])
    shape = (1, *window_output(*net.shape(x)[1:3], window), net.shape(x)[3])
    return net.keep(kind, x, shape, Attributes(window=window, activation=net.rng.choice(ACTIVATIONS)))


def element_function(net: RandomNetwork, x: int) -> int:
    kind = net.rng.choice(
        [
            OpKind.RELU,
            OpKind.LOGISTIC,
            OpKind.TANH,
            OpKind.HARD_SWISH,
            OpKind.LEAKY_RELU,
            OpKind.QUANTIZE,
            OpKind.SOFTMAX,
            OpKind.LOG_SOFTMAX,
        ]
    )
    if kind is OpKind.HARD_SWISH or net.scale(x) < 1e-6:
        # Other scales are beyond the 16 bits that the reference has for them.
        x = net.apply(OpKind.QUANTIZE, [x], net.shape(x), None, Quantisation((0.03125,), (5,)))
        stored = Quantisation((0.046875,), (net.rng.randint(-128, 127),))
        return net.apply(OpKind.HARD_SWISH, [x], net.shape(x), None, stored)
    stored = FIXED_OUTPUTS.get(kind) or net.quantisation(net.scale(x))
    return net.apply(kind, [x], net.shape(x), Attributes(alpha=0.25), stored)


def combine(net: RandomNetwork, x: int) -> int:
    """ADD, SUB or MUL with a tensor of one shape, a pixel, or a constant; either may come first."""
    kind = net.rng.choice([OpKind.ADD, OpKind.SUB, OpKind.MUL])
    shape = net.shape(x)
    channels = shape[3]
    pixel = (1, 1, 1, channels)
    other = net.rng.choice(["same", "pixel", "constant", "channels", "earlier"])
    if other == "constant":
        y = net.constant(net.rng.choice([(1,), (1, 1, 1, 1)]))
    elif other == "channels":
        y = net.constant(net.rng.choice([(channels,), pixel]))
    elif other == "pixel":
        y = net.apply(OpKind.MEAN, [x], pixel, Attributes(axes=(1, 2), keep_dims=True))
    elif other == "same":
        y = element_function(net, x)
    else:
        y = next(
            t.index
            for t in net.tensors.values()
            if t.shape == shape and not t.is_constant and t.dtype == "int8"
        )
    around = max(net.scale(x), net.scale(y))
    around = around * 2 if kind is not OpKind.MUL else net.scale(x) * net.scale(y) * 100
    pair = net.rng.choice([[x, y], [y, x]])
    attributes = Attributes(activation=net.rng.choice(ACTIVATIONS))
    return net.apply(kind, pair, shape, attributes, net.quantisation(around))


def prelu(net: RandomNetwork, x: int) -> int:
    channels = net.shape(x)[3]
    slopes = net.constant(net.rng.choice([(1, 1, channels), (1, 1, 1)]), net.quantisation(0.01))
    return net.apply(OpKind.PRELU, [x, slopes], net.shape(x), None, net.quantisation(net.scale(x)))


def reduce_axes(net: RandomNetwork, x: int) -> int:
    kind = net.rng.choice([OpKind.MEAN, OpKind.REDUCE_MAX])
    axes = net.rng.choice([(1,), (2,), (3,), (1, 2), (2, 3), (1, 2, 3)])
    shape = tuple(1 if axis in axes else n for axis, n in enumerate(net.shape(x)))
    attributes = Attributes(axes=axes, keep_dims=True)
    if kind is OpKind.MEAN:
        return net.apply(kind, [x], shape, attributes, net.quantisation(net.scale(x)))
    return net.keep(kind, x, shape, attributes)


def pad(net: RandomNetwork, x: int) -> int:
    amounts = Padding(*(net.rng.randint(0, 2) for _ in range(4)))
    _, height, width, channels = net.shape(x)
    shape = (1, height + amounts.top + amounts.bottom, width + amounts.left + amounts.right, channels)
    return net.keep(OpKind.PAD, x, shape, Attributes(padding=amounts))


def transpose(net: RandomNetwork, x: int) -> int:
    permutation = (0, *net.rng.sample([1, 2, 3], 3))
    shape = tuple(net.shape(x)[axis] for axis in permutation)
    return net.keep(OpKind.TRANSPOSE, x, shape, Attributes(permutation=permutation))


def resize(net: RandomNetwork, x: int) -> int:
    kind = net.rng.choice([OpKind.RESIZE_NEAREST_NEIGHBOR, OpKind.RESIZE_BILINEAR])
    grid = net.rng.choice([(False, False), (True, False), (False, True)])
    shape = (1, net.rng.randint(1, 9), net.rng.randint(1, 9), net.shape(x)[3])
    return net.keep(kind, x, shape, Attributes(align_corners=grid[0], half_pixel_centers=grid[1]))


def split_and_join(net: RandomNetwork, x: int) -> int:
    """Pieces, some of them reversed or doubled, joined again; one piece is left as an output."""
    axis = net.rng.randint(1, 3)
    size, stored = net.shape(x)[axis], net.tensors[x].quantisation
    cut = net.rng.randint(1, size)
    pieces = net.split(x, axis, [cut, size - cut] if cut < size else [cut])
    parts = [net.rng.choice(pieces) for _ in range(net.rng.randint(1, 3))]
    total = sum(net.shape(part)[axis] for part in parts)
    shape = (*net.shape(x)[:axis], total, *net.shape(x)[axis + 1 :])
    return net.apply(OpKind.CONCATENATION, parts, shape, Attributes(axis=axis), stored)


def rows_apart(net: RandomNetwork, x: int) -> int:
    """Bands of rows, each of them computed with by itself and often more than once, then joined: tensors of
    which some lie in one piece in others."""
    rng, height = net.rng, net.shape(x)[1]
    cuts = sorted({0, height, *(rng.randint(0, height) for _ in range(rng.randint(0, 2)))})
    sizes = [end - first for first, end in itertools.pairwise(cuts)]
    pieces = net.split(x, 1, sizes) if rng.random() < 0.7 else [x]
    stored = net.quantisation(net.scale(x))
    parts = [_computed(net, rng.choice(pieces), stored) for _ in range(rng.randint(1, 3))]
    if rng.random() < 0.2:
        parts.append(parts[0])
    if rng.random() < 0.2:
        parts.insert(0, net.constant((1, rng.randint(1, 3), *net.shape(x)[2:]), stored))
    return join(net, parts)


def join(net: RandomNetwork, parts: Sequence[int]) -> int:
    """Tensors of one width, depth and scale below each other."""
    total = sum(net.shape(part)[1] for part in parts)
    shape = (1, total, *net.shape(parts[0])[2:])
    return net.apply(
        OpKind.CONCATENATION, parts, shape, Attributes(axis=1), net.tensors[parts[0]].quantisation
    )


def _computed(net: RandomNetwork, x: int, stored: Quantisation) -> int:
    """An operator that keeps the shape, by a table, by windows, of two operands or of none; scaled to
    ``stored``."""
    shape = net.shape(x)
    way = net.rng.choice(["table", "window", "sum", "same"])
    if way == "window":
        window = Window(3, 3, 1, 1, Padding(1, 1, 1, 1))
        x = net.keep(OpKind.MAX_POOL_2D, x, shape, Attributes(window=window))
    if way == "sum":
        same = [t.index for t in net.tensors.values() if t.shape == shape and not t.is_constant]
        return net.apply(OpKind.ADD, [x, net.rng.choice(same)], shape, None, stored)
    y = net.apply(OpKind.QUANTIZE, [x], shape, None, stored)
    return net.keep(OpKind.TRANSPOSE, y, shape, Attributes(permutation=(0, 1, 2, 3))) if way == "same" else y


def strided_slice(net: RandomNetwork, x: int) -> int:
    slices = [Slice(0, 1)]
    for size in net.shape(x)[1:]:
        stride = net.rng.choice([-2, -1, 1, 1, 2])
        start = net.rng.randrange(size)
        room = (start if stride < 0 else size - 1 - start) // abs(stride)
        slices.append(Slice(start, net.rng.randint(0, room) + 1, stride))
    shape = tuple(part.count for part in slices)
    return net.keep(OpKind.STRIDED_SLICE, x, shape, Attributes(slices=tuple(slices)))


def reshape(net: RandomNetwork, x: int) -> int:
    _, height, width, channels = net.shape(x)
    y = net.keep(OpKind.RESHAPE, x, (1, height * width, channels), Attributes())
    y = net.apply(OpKind.SOFTMAX, [y], net.shape(y))
    return net.keep(OpKind.RESHAPE, y, (1, width, height, channels), Attributes())


Step = Callable[[RandomNetwork, int], int]

STEPS: tuple[Step, ...] = (
    conv,
    pointwise,
    depthwise,
    transpose_conv,
    dense,
    dense_rows,
    pool,
    element_function,
    combine,
    prelu,
    reduce_axes,
    pad,
    transpose,
    resize,
    split_and_join,
    rows_apart,
    strided_slice,
    reshape,
)


def random_graph(seed: int, steps: Sequence[Step]) -> Graph:
    """A chain of ``steps``; too large a tensor is cut before the next one."""
    net = RandomNetwork(random.Random(seed))
    shape = (1, net.rng.randint(3, 11), net.rng.randint(3, 11), net.rng.choice([1, 2, 3, 4, 8]))
    if net.rng.random() < 0.1:
        shape = (1, net.rng.randint(33, 60), net.rng.randint(1, 3), 4)
    first = x = net.activation(shape)
    for step in steps:
        if net.tensors[x].elements > LARGEST:
            height, width, channels = net.shape(x)[1:]
            parts = (
                Slice(0, 1),
                Slice(0, min(height, 6)),
                Slice(0, min(width, 6)),
                Slice(0, min(channels, 8)),
            )
            shape = tuple(part.count for part in parts)
            x = net.keep(OpKind.STRIDED_SLICE, x, shape, Attributes(slices=parts))
        x = step(net, x)
    return net.graph(first)
