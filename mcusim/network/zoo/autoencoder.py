"""Autoencoder for machine sounds: the anomaly detection network of MLPerf Tiny (Banbury et al., 2021,
arXiv 2106.07597), after the DCASE 2020 task 2 baseline."""

from __future__ import annotations

from mcusim.network.graph import Activation, Graph
from mcusim.network.zoo.builder import Builder
from mcusim.network.zoo.registry import Architecture, Parameter

DEPTH = 4
"""Dense layers on either side of the bottleneck."""


def build(name: str, *, inputs: int, hidden: int, bottleneck: int) -> Graph:
    """Dense layers only: 4 hidden ones, the bottleneck, 4 hidden ones, the output."""
    net = Builder(name, "autoencoder")
    x = net.vector_input(inputs)
    for outputs in (*(hidden,) * DEPTH, bottleneck, *(hidden,) * DEPTH):
        x = net.dense(x, outputs, Activation.RELU)
    return net.graph(net.dense(x, inputs))


ARCHITECTURE = Architecture(
    "autoencoder",
    "arXiv 2106.07597",
    (
        Parameter("inputs", 640, 1, 4096, "length of the input and output"),
        Parameter("hidden", 128, 1, 4096, "outputs of a hidden layer"),
        Parameter("bottleneck", 8, 1, 4096, "outputs of the middle layer"),
    ),
    build,
)
