"""Networks of inverted residuals: MobileNetV2 and those that searches found around it."""

from __future__ import annotations

from dataclasses import dataclass, field

from mcusim.network.graph import Activation, Graph
from mcusim.network.zoo.builder import Builder

DIVISOR = 8


@dataclass(frozen=True)
class Block:
    """An inverted residual: expand by 1x1, depthwise, project by 1x1.

    ``channels`` is the published number of outputs, before the width is applied. An expansion of 1 has
    no 1x1 convolution, unless ``expand_always``. With ``groups`` the 1x1 convolutions are grouped and the
    channels between them shuffled.
    """

    expansion: int
    channels: int
    stride: int = 1
    kernel: int = 3
    expand_always: bool = False
    groups: int = 1


@dataclass(frozen=True)
class Frame:
    """What stands before and behind the blocks: channels of the first and the last convolution and the
    activation of every convolution that has one. Where the last one grows, it does so for widths above 1
    only: narrow networks keep its channels (section 6.1)."""

    first: int = 32
    last: int = 1280
    last_grows: bool = True
    activation: Activation = Activation.RELU6


@dataclass(frozen=True)
class Table:
    """A network of inverted residuals, as its authors' block table says."""

    blocks: tuple[Block, ...]
    frame: Frame = field(default_factory=Frame)


def stage(expansion: int, channels: int, repeats: int, stride: int, kernel: int = 3) -> tuple[Block, ...]:
    """A row of the paper's table: the first block has the stride."""
    first = Block(expansion, channels, stride, kernel)
    return (first, *(Block(expansion, channels, kernel=kernel) for _ in range(repeats - 1)))


def round_channels(channels: float) -> int:
    """Nearest multiple of 8, never less than 90 % of ``channels`` (the authors' _make_divisible)."""
    rounded = max(DIVISOR, int(channels + DIVISOR / 2) // DIVISOR * DIVISOR)
    return rounded + DIVISOR if rounded < 0.9 * channels else rounded


def build_from_blocks(
    net: Builder, table: Table, width: float, resolution: int, classes: int, softmax: int
) -> Graph:
    """First convolution, blocks, last convolution, global pool, classifier."""
    frame = table.frame
    x = net.image_input(resolution, resolution, 3)
    x = net.conv(x, round_channels(frame.first * width), (3, 3), 2, frame.activation)
    for block in table.blocks:
        x = inverted_residual(net, x, block, round_channels(block.channels * width), frame.activation)
    growth = max(1.0, width) if frame.last_grows else 1.0
    x = net.conv(x, round_channels(frame.last * growth), activation=frame.activation)
    x = net.dense(net.flatten(net.global_average_pool(x)), classes)
    return net.graph(net.softmax(x) if softmax else x)


def inverted_residual(
    net: Builder, x: int, block: Block, channels: int, activation: Activation = Activation.RELU6
) -> int:
    """Append one block; the residual ADD stands wherever input and output have one shape."""
    inputs = net.channels(x)
    y = x
    if block.expansion > 1 or block.expand_always:
        y = net.conv(y, inputs * block.expansion, activation=activation, groups=block.groups)
    if block.groups > 1:
        y = net.shuffle_channels(y, block.groups)
    y = net.depthwise(y, block.kernel, block.stride, activation)
    y = net.conv(y, channels, groups=block.groups)
    return net.add(x, y) if block.stride == 1 and inputs == channels else y
