"""MobileNetV2 (Sandler et al., 2018, arXiv 1801.04381, table 2)."""

from __future__ import annotations

from dataclasses import dataclass

from mcusim.network.graph import Activation, Graph
from mcusim.network.zoo.builder import Builder
from mcusim.network.zoo.registry import Architecture, Parameter

FIRST_CHANNELS = 32
LAST_CHANNELS = 1280
DIVISOR = 8


@dataclass(frozen=True)
class Block:
    """An inverted residual: expand by 1x1, depthwise, project by 1x1; no expansion if the factor is 1.

    ``channels`` is the published number of outputs, before the width is applied.
    """

    expansion: int
    channels: int
    stride: int = 1
    kernel: int = 3


def _stage(expansion: int, channels: int, repeats: int, stride: int) -> tuple[Block, ...]:
    """A row of the paper's table: the first block has the stride."""
    first = Block(expansion, channels, stride)
    return (first, *(Block(expansion, channels) for _ in range(repeats - 1)))


BLOCKS = (
    *_stage(1, 16, 1, 1),
    *_stage(6, 24, 2, 2),
    *_stage(6, 32, 3, 2),
    *_stage(6, 64, 4, 2),
    *_stage(6, 96, 3, 1),
    *_stage(6, 160, 3, 2),
    *_stage(6, 320, 1, 1),
)

PARAMETERS = (
    Parameter("width", 1.0, 0.05, 2.0, "multiplier of every layer's channels"),
    Parameter("resolution", 224, 32, 512, "height and width of the input image"),
    Parameter("classes", 1000, 1, 10000, "outputs of the classifier"),
    Parameter("softmax", 0, 0, 1, "1 appends a SOFTMAX"),
)


def round_channels(channels: float) -> int:
    """Nearest multiple of 8, never less than 90 % of ``channels`` (the authors' _make_divisible)."""
    rounded = max(DIVISOR, int(channels + DIVISOR / 2) // DIVISOR * DIVISOR)
    return rounded + DIVISOR if rounded < 0.9 * channels else rounded


def build(name: str, *, width: float, resolution: int, classes: int, softmax: int) -> Graph:
    """The network for a ``resolution`` x ``resolution`` x 3 image.

    Operator 0 is the first convolution, 1 and 2 are the first block, then three operators a block and
    one more for each residual ADD.
    """
    return build_from_blocks(Builder(name, "mobilenet_v2"), BLOCKS, width, resolution, classes, softmax)


def build_from_blocks(
    net: Builder, blocks: tuple[Block, ...], width: float, resolution: int, classes: int, softmax: int
) -> Graph:
    """First convolution, ``blocks``, last convolution, global pool, classifier."""
    x = net.image_input(resolution, resolution, 3)
    x = net.conv(x, round_channels(FIRST_CHANNELS * width), (3, 3), 2, Activation.RELU6)
    for block in blocks:
        x = inverted_residual(net, x, block, round_channels(block.channels * width))
    # The last convolution only ever grows: narrow networks keep its 1280 channels (section 6.1).
    x = net.conv(x, round_channels(LAST_CHANNELS * max(1.0, width)), activation=Activation.RELU6)
    x = net.dense(net.flatten(net.global_average_pool(x)), classes)
    return net.graph(net.softmax(x) if softmax else x)


def inverted_residual(net: Builder, x: int, block: Block, channels: int) -> int:
    """Append one block; the residual ADD stands wherever input and output have one shape."""
    inputs = net.channels(x)
    y = x
    if block.expansion > 1:
        y = net.conv(y, inputs * block.expansion, activation=Activation.RELU6)
    y = net.depthwise(y, block.kernel, block.stride, Activation.RELU6)
    y = net.conv(y, channels)
    return net.add(x, y) if block.stride == 1 and inputs == channels else y


ARCHITECTURE = Architecture("mobilenet_v2", "arXiv 1801.04381", PARAMETERS, build)
