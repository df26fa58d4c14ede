"""Random small networks with squeeze-excite blocks, whose gates depend on the image."""

from __future__ import annotations

import random
from typing import Literal, get_args

from mcusim.network.graph import Activation, Graph, OpKind
from mcusim.network.zoo.builder import Builder

Squeeze = Literal["axis by axis", "at once", "pool"]
"""Two MEANs, one after the other; a MEAN over both axes; an average pool."""


def squeeze(net: Builder, x: int, how: Squeeze) -> int:
    if how == "pool":
        return net.global_average_pool(x)
    return net.mean(net.mean(x, (2,)), (1,)) if how == "axis by axis" else net.mean(x, (1, 2))


def gated(net: Builder, x: int, how: Squeeze) -> int:
    hidden = net.conv(squeeze(net, x, how), 4, activation=Activation.RELU)
    return net.multiply(x, net.conv(hidden, net.channels(x), activation=Activation.RELU6))


def block(net: Builder, rng: random.Random, x: int, how: Squeeze) -> int:
    """An inverted residual with a gate behind its depthwise convolution."""
    stride = rng.choice([1, 1, 2])
    y = net.conv(x, rng.choice([8, 12]), activation=Activation.RELU6)
    y = gated(net, net.depthwise(y, rng.choice([3, 5]), stride, Activation.RELU6), how)
    y = net.conv(y, net.channels(x))
    return net.add(x, y) if stride == 1 else y


def block_ends(graph: Graph) -> list[int]:
    """The last operator of every block: the projection behind the gate, or the addition behind that."""
    kinds = [op.kind for op in graph.operators]
    gates = [index for index, kind in enumerate(kinds) if kind is OpKind.MUL]
    return [index + 1 + (kinds[index + 2] is OpKind.ADD) for index in gates]


def network(seed: int, blocks: int = 2) -> Graph:
    """A convolution, blocks and a classifier behind a mean; operators are numbered in execution order."""
    rng = random.Random(seed)
    net = Builder("gated", f"gated-{seed}")
    x = net.conv(net.image_input(rng.randint(7, 15), rng.randint(7, 15), 3), rng.choice([4, 6]), (3, 3))
    for _ in range(blocks):
        x = block(net, rng, x, rng.choice(get_args(Squeeze)))
    return net.graph(net.dense(net.flatten(squeeze(net, x, "axis by axis")), 4))
