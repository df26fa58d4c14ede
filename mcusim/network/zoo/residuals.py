"""What the networks of inverted residuals have in common: parameters, and how a table becomes a network."""

from __future__ import annotations

from typing import TypedDict, Unpack

from mcusim.network.graph import Graph
from mcusim.network.zoo.blocks import Table, build_from_blocks
from mcusim.network.zoo.builder import Builder
from mcusim.network.zoo.redistribution import REDISTRIBUTE, redistribute
from mcusim.network.zoo.registry import Architecture, Parameter

PARAMETERS = (
    Parameter("width", 1.0, 0.05, 2.0, "multiplier of every layer's channels"),
    Parameter("resolution", 224, 32, 512, "height and width of the input image"),
    Parameter("classes", 1000, 1, 10000, "outputs of the classifier"),
    Parameter("softmax", 0, 0, 1, "1 appends a SOFTMAX"),
)


class Values(TypedDict):
    """Values of ``PARAMETERS`` and of ``REDISTRIBUTE``."""

    width: float
    resolution: int
    classes: int
    softmax: int
    redistribute: int


def build_from_table(net: Builder, table: Table, **values: Unpack[Values]) -> Graph:
    """The network of ``table`` for a ``resolution`` x ``resolution`` x 3 image, redistributed over its first
    ``redistribute`` blocks unless that is 0.

    Operator 0 is the first convolution; a block has two operators, a third where it expands, and one more
    where a residual is added.
    """
    width, resolution = values["width"], values["resolution"]
    if count := values["redistribute"]:
        table = redistribute(table, count, width, resolution).table
    return build_from_blocks(net, table, width, resolution, values["classes"], values["softmax"])


def architecture(name: str, source: str, table: Table) -> Architecture:
    """The network that ``source`` published as ``table``."""

    def build(graph_name: str, **values: Unpack[Values]) -> Graph:
        return build_from_table(Builder(graph_name, name), table, **values)

    return Architecture(name, source, (*PARAMETERS, REDISTRIBUTE), build, table)
