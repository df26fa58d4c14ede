"""Published architectures, defined by the project itself, with deterministic weights.

The weights are noise: what the networks compute means nothing, but shapes, work and memory are those of
the published networks, and every activation depends on the input.
"""

from __future__ import annotations

import functools

from mcusim.errors import UsageError
from mcusim.network.graph import Graph
from mcusim.network.zoo import (
    autoencoder,
    ds_cnn,
    fbnet,
    mnasnet,
    mobilenet_v1,
    mobilenet_v2,
    mobilenet_v2_rd,
    proxylessnas,
    resnet8,
    tiny,
)
from mcusim.network.zoo.registry import Architecture

ARCHITECTURES: dict[str, Architecture] = {
    module.ARCHITECTURE.name: module.ARCHITECTURE
    for module in (
        autoencoder,
        ds_cnn,
        fbnet,
        mnasnet,
        mobilenet_v1,
        mobilenet_v2,
        mobilenet_v2_rd,
        proxylessnas,
        resnet8,
        tiny,
    )
}


@functools.lru_cache(maxsize=16)
def build(specification: str) -> Graph:
    """The network ``NAME`` or ``NAME?parameter=value&...``; its operators are numbered as they run.

    Raises UsageError, which lists what exists, for an unknown name or parameter or a value out of range.
    """
    name, _, query = specification.partition("?")
    if name not in ARCHITECTURES:
        raise UsageError(f"the zoo has no network {name!r}; it has: {', '.join(ARCHITECTURES)}")
    architecture = ARCHITECTURES[name]
    values = architecture.values(query)
    return architecture.build(architecture.graph_name(values), **values)
