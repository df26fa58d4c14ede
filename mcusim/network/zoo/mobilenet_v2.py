"""MobileNetV2 (Sandler et al., 2018, arXiv 1801.04381, table 2)."""

from __future__ import annotations

from mcusim.network.graph import Graph
from mcusim.network.zoo.blocks import Table, stage
from mcusim.network.zoo.builder import Builder
from mcusim.network.zoo.redistribution import REDISTRIBUTE, build_redistributed
from mcusim.network.zoo.registry import Architecture, Parameter

TABLE = Table(
    (
        *stage(1, 16, 1, 1),
        *stage(6, 24, 2, 2),
        *stage(6, 32, 3, 2),
        *stage(6, 64, 4, 2),
        *stage(6, 96, 3, 1),
        *stage(6, 160, 3, 2),
        *stage(6, 320, 1, 1),
    )
)

PARAMETERS = (
    Parameter("width", 1.0, 0.05, 2.0, "multiplier of every layer's channels"),
    Parameter("resolution", 224, 32, 512, "height and width of the input image"),
    Parameter("classes", 1000, 1, 10000, "outputs of the classifier"),
    Parameter("softmax", 0, 0, 1, "1 appends a SOFTMAX"),
)


def build(
    name: str, *, width: float, resolution: int, classes: int, softmax: int, redistribute: int
) -> Graph:
    """The network for a ``resolution`` x ``resolution`` x 3 image.

    Operator 0 is the first convolution, 1 and 2 are the first block, then three operators a block and
    one more for each residual ADD.
    """
    net = Builder(name, "mobilenet_v2")
    return build_redistributed(net, TABLE, redistribute, width, resolution, classes, softmax)


ARCHITECTURE = Architecture("mobilenet_v2", "arXiv 1801.04381", (*PARAMETERS, REDISTRIBUTE), build, TABLE)
