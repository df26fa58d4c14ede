"""FBNet-A (Wu et al., 2019, arXiv 1812.03443, table 1 and figure 4).

Blocks as in the authors' ``fbnet_a`` (facebookresearch/mobile-vision, mobile_cv/arch/fbnet_v2). Every block
has both 1x1 convolutions, also without expansion; in three of them they are in two groups with the channels
shuffled in between. Blocks that the search skipped are left out. An older definition of the authors' calls
the thirteenth block ``ir_k5_e1`` beside an expansion of 3; here it is 3, which gives the published 249
million multiplications (read in a quotation of the paper, which could not be opened itself). Differences:
none in shapes and work.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Unpack

from mcusim.network.graph import Activation, Graph
from mcusim.network.zoo.blocks import Block, Frame, Table
from mcusim.network.zoo.builder import Builder
from mcusim.network.zoo.redistribution import REDISTRIBUTE
from mcusim.network.zoo.registry import Architecture, Parameter
from mcusim.network.zoo.residuals import PARAMETERS, Values, build_from_table


def _block(expansion: int, channels: int, stride: int = 1, kernel: int = 3, groups: int = 1) -> Block:
    return Block(expansion, channels, stride, kernel, expand_always=True, groups=groups)


TABLE = Table(
    (
        _block(3, 24, 2),
        _block(1, 24),
        _block(6, 32, 2, kernel=5),
        _block(3, 32),
        _block(1, 32, kernel=5),
        _block(3, 32),
        _block(6, 64, 2, kernel=5),
        _block(3, 64, kernel=5),
        _block(1, 64, kernel=5, groups=2),
        _block(6, 64, kernel=5),
        _block(6, 112),
        _block(1, 112, kernel=5, groups=2),
        _block(3, 112, kernel=5),
        _block(1, 112, groups=2),
        _block(6, 184, 2, kernel=5),
        _block(6, 184, kernel=5),
        _block(3, 184, kernel=5),
        _block(6, 184, kernel=5),
        _block(6, 352, kernel=5),
    ),
    Frame(first=16, last=1504, activation=Activation.RELU),
)


def build(name: str, *, grouped: int, **values: Unpack[Values]) -> Graph:
    """The network for a ``resolution`` x ``resolution`` x 3 image; without ``grouped`` its three grouped
    blocks are ordinary ones."""
    blocks = TABLE.blocks if grouped else tuple(replace(block, groups=1) for block in TABLE.blocks)
    return build_from_table(Builder(name, "fbnet_a"), replace(TABLE, blocks=blocks), **values)


ARCHITECTURE = Architecture(
    "fbnet_a",
    "arXiv 1812.03443",
    (
        *PARAMETERS,
        REDISTRIBUTE,
        Parameter("grouped", 1, 0, 1, "0 makes grouped 1x1 convolutions ordinary ones"),
    ),
    build,
    TABLE,
)
