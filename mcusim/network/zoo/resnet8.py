"""ResNet-8 for CIFAR-10: the image classification network of MLPerf Tiny (Banbury et al., 2021,
arXiv 2106.07597), after He et al., arXiv 1512.03385."""

from __future__ import annotations

from mcusim.network.graph import Activation, Graph
from mcusim.network.zoo.builder import RECTIFIED_MEAN, Builder
from mcusim.network.zoo.registry import Architecture, Parameter

STACKS = ((1, 1), (2, 2), (4, 2))
"""(multiple of the first layer's channels, stride)."""


def build(name: str, *, resolution: int, channels: int, classes: int) -> Graph:
    """Three residual stacks; the second and third convolve their shortcut with 1x1, stride 2."""
    net = Builder(name, "resnet8")
    x = net.image_input(resolution, resolution, 3)
    x = net.conv(x, channels, (3, 3), 1, Activation.RELU)
    for multiple, stride in STACKS:
        y = net.conv(x, channels * multiple, (3, 3), stride, Activation.RELU)
        y = net.conv(y, channels * multiple, (3, 3))
        if stride > 1:
            x = net.conv(x, channels * multiple, (1, 1), stride, mean=RECTIFIED_MEAN)
        x = net.add(x, y, Activation.RELU)
    x = net.dense(net.flatten(net.global_average_pool(x)), classes)
    return net.graph(net.softmax(x))


ARCHITECTURE = Architecture(
    "resnet8",
    "arXiv 2106.07597",
    (
        Parameter("resolution", 32, 8, 256, "height and width of the input image"),
        Parameter("channels", 16, 1, 256, "channels of the first layer"),
        Parameter("classes", 10, 1, 1000, "outputs of the classifier"),
    ),
    build,
)
