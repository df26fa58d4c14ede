"""A network of the project's own, as small as one can be that has every kind of layer worth testing:
odd sizes, stride 2 on even and odd sizes, an inverted residual, 3x3, 5x5 and 1x1 windows."""

from __future__ import annotations

from mcusim.network.graph import Activation, Graph
from mcusim.network.zoo.builder import Builder
from mcusim.network.zoo.registry import Architecture, Parameter


def build(name: str, *, height: int, width: int, classes: int) -> Graph:
    """12 operators; with the default input the maps are 20x16, 10x8 and 5x4."""
    net = Builder(name, "tiny")
    x = net.image_input(height, width, 3)
    x = net.conv(x, 8, (3, 3), 1, Activation.RELU6)
    x = net.depthwise(x, 3, 2, Activation.RELU6)
    x = net.conv(x, 6)
    y = net.conv(x, 18, activation=Activation.RELU6)
    y = net.depthwise(y, 3, 1, Activation.RELU6)
    x = net.add(x, net.conv(y, 6))
    x = net.depthwise(x, 5, 2, Activation.RELU)
    x = net.conv(x, 10, (3, 3), 1, Activation.RELU)
    x = net.dense(net.flatten(net.global_average_pool(x)), classes)
    return net.graph(net.softmax(x))


ARCHITECTURE = Architecture(
    "tiny",
    "mcusim",
    (
        Parameter("height", 20, 4, 128, "height of the input image"),
        Parameter("width", 16, 4, 128, "width of the input image"),
        Parameter("classes", 5, 1, 100, "outputs of the classifier"),
    ),
    build,
)
