"""MobileNetV2-RD: MobileNetV2 with its receptive field moved behind the patch stage (Lin et al., 2021,
"MCUNetV2", arXiv 2110.15352).

Published: the patch stage is a 3x3 convolution, an MB1 block with a 1x1 window and two MB6 blocks with
3x3 windows, so that one of 4x4 patches of its 28x28 output needs 63x63 pixels of a 224x224 image (75x75
before) and the patches together 18 % more MACs in that stage (3 % of the network); blocks are added
later instead. Two MB6 blocks of stride 2 behind the MB1 block are what gives 63 and 18 %.

Not published is where the blocks were added. Here the second 24-channel block of MobileNetV2, which left
the patch stage, comes back as one more 64-channel and one more 160-channel block: together they have the
work of the block that left (25.8 against 25.7 million MACs at 224x224) and a larger receptive field.
"""

from __future__ import annotations

from mcusim.network.graph import Graph
from mcusim.network.zoo.blocks import Block, Table, build_from_blocks
from mcusim.network.zoo.builder import Builder
from mcusim.network.zoo.mobilenet_v2 import TABLE
from mcusim.network.zoo.registry import Architecture
from mcusim.network.zoo.residuals import PARAMETERS

LAST_PATCH_OPERATOR = 8
"""Projection of the second MB6 block, 28x28x32 at 224x224: the published end of the patch stage."""

_PATCH_STAGE = (Block(1, 16, kernel=1), Block(6, 24, 2), Block(6, 32, 2))


def redistributed(blocks: tuple[Block, ...]) -> tuple[Block, ...]:
    """MobileNetV2's blocks with the patch stage replaced and one block added to two later stages."""
    later = [block for block in blocks[4:] if block.channels >= 32]
    for channels in (64, 160):
        first = next(i for i, block in enumerate(later) if block.channels == channels)
        later.insert(first + 1, Block(6, channels))
    return (*_PATCH_STAGE, *later)


def build(name: str, *, width: float, resolution: int, classes: int, softmax: int) -> Graph:
    """The network for a ``resolution`` x ``resolution`` x 3 image; the patch stage is operators 0 to 8."""
    net = Builder(name, "mobilenet_v2_rd")
    table = Table(redistributed(TABLE.blocks))
    return build_from_blocks(net, table, width, resolution, classes, softmax)


ARCHITECTURE = Architecture("mobilenet_v2_rd", "arXiv 2110.15352", PARAMETERS, build)
