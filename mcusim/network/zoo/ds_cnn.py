"""DS-CNN for keyword spotting (Zhang et al., 2017, arXiv 1711.07128), as in MLPerf Tiny."""

from __future__ import annotations

from mcusim.network.graph import Activation, Graph
from mcusim.network.zoo.builder import Builder
from mcusim.network.zoo.registry import Architecture, Parameter

FRAMES, COEFFICIENTS = 49, 10
"""The input: cepstral coefficients of one second of speech."""


def build(name: str, *, channels: int, blocks: int, classes: int) -> Graph:
    """A 10x4 convolution with stride 2, then ``blocks`` pairs of depthwise 3x3 and 1x1."""
    net = Builder(name, "ds_cnn")
    x = net.image_input(FRAMES, COEFFICIENTS, 1)
    x = net.conv(x, channels, (10, 4), 2, Activation.RELU)
    for _ in range(blocks):
        x = net.depthwise(x, 3, 1, Activation.RELU)
        x = net.conv(x, channels, activation=Activation.RELU)
    x = net.dense(net.flatten(net.global_average_pool(x)), classes)
    return net.graph(net.softmax(x))


ARCHITECTURE = Architecture(
    "ds_cnn",
    "arXiv 1711.07128",
    (
        Parameter("channels", 64, 1, 512, "channels of every layer"),
        Parameter("blocks", 4, 1, 16, "depthwise separable blocks"),
        Parameter("classes", 12, 1, 1000, "keywords"),
    ),
    build,
)
