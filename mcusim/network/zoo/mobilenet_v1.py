"""MobileNetV1 (Howard et al., 2017, arXiv 1704.04861, table 1)."""

from __future__ import annotations

from mcusim.network.graph import Activation, Graph
from mcusim.network.zoo.builder import Builder
from mcusim.network.zoo.registry import Architecture, Parameter

FIRST_CHANNELS = 32
BLOCKS = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *((512, 1),) * 5,
    (1024, 2),
    (1024, 1),
)
"""(channels of the 1x1 convolution, stride of the depthwise one before it)."""


def build(name: str, *, width: float, resolution: int, classes: int, softmax: int) -> Graph:
    """The network for a ``resolution`` x ``resolution`` x 3 image; channels are cut to integers."""
    net = Builder(name, "mobilenet_v1")
    x = net.image_input(resolution, resolution, 3)
    x = net.conv(x, max(1, int(FIRST_CHANNELS * width)), (3, 3), 2, Activation.RELU6)
    for channels, stride in BLOCKS:
        x = net.depthwise(x, 3, stride, Activation.RELU6)
        x = net.conv(x, max(1, int(channels * width)), activation=Activation.RELU6)
    x = net.dense(net.flatten(net.global_average_pool(x)), classes)
    return net.graph(net.softmax(x) if softmax else x)


ARCHITECTURE = Architecture(
    "mobilenet_v1",
    "arXiv 1704.04861",
    (
        Parameter("width", 1.0, 0.05, 2.0, "multiplier of every layer's channels"),
        Parameter("resolution", 224, 32, 512, "height and width of the input image"),
        Parameter("classes", 1000, 1, 10000, "outputs of the classifier"),
        Parameter("softmax", 0, 0, 1, "1 appends a SOFTMAX"),
    ),
    build,
)
