"""MnasNet-B1 (Tan et al., 2019, arXiv 1807.11626), the version without squeeze-and-excitation.

Blocks as in the authors' ``mnasnet_b1`` (tensorflow/tpu, models/official/mnasnet/mnasnet_models.py), which
is what others call MnasNet 1.0 too. Its first block is written there without expansion; the last
convolution has 1280 channels at every width. Differences: none in shapes and work.
"""

from __future__ import annotations

from mcusim.network.graph import Activation, Graph
from mcusim.network.zoo.builder import Builder
from mcusim.network.zoo.mobilenet_v2 import PARAMETERS, Frame, build_from_blocks, stage
from mcusim.network.zoo.registry import Architecture

BLOCKS = (
    *stage(1, 16, 1, 1),
    *stage(3, 24, 3, 2),
    *stage(3, 40, 3, 2, kernel=5),
    *stage(6, 80, 3, 2, kernel=5),
    *stage(6, 96, 2, 1),
    *stage(6, 192, 4, 2, kernel=5),
    *stage(6, 320, 1, 1),
)

FRAME = Frame(last_grows=False, activation=Activation.RELU)


def build(name: str, *, width: float, resolution: int, classes: int, softmax: int) -> Graph:
    """The network for a ``resolution`` x ``resolution`` x 3 image."""
    return build_from_blocks(Builder(name, "mnasnet"), BLOCKS, width, resolution, classes, softmax, FRAME)


ARCHITECTURE = Architecture("mnasnet", "arXiv 1807.11626", PARAMETERS, build)
