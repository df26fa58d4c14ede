"""Quantised networks: reading them, their arithmetic, and a bit-exact executor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mcusim.errors import UsageError

if TYPE_CHECKING:
    from mcusim.network.graph import Graph


ZOO_PREFIX = "zoo:"


def load(model: str | Path, *, simplify: bool = True) -> Graph:
    """The network called ``model``: the path of a .tflite file, or ``zoo:NAME?parameter=value&...``.

    ``simplify`` drops float32 edges and folds PAD into convolutions; without it the graph is as stored.
    Raises InputError for a file that is no model, UnsupportedError for one that uses what mcusim does
    not have, UsageError for a name or parameter that does not exist.
    """
    from mcusim.network import simplify as simplification
    from mcusim.network import tflite_reader, validate, zoo

    if str(model).startswith(ZOO_PREFIX):
        graph = zoo.build(str(model).removeprefix(ZOO_PREFIX))
    elif str(model).endswith(".tflite"):
        graph = tflite_reader.read(Path(model))
    else:
        raise UsageError(f"{model} is neither a .tflite file nor zoo:NAME")
    validate.check(graph)
    if simplify:
        graph = simplification.simplify(graph)
        validate.check(graph)
    return graph
