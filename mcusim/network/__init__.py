"""Quantised networks: reading them, their arithmetic, and a bit-exact executor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mcusim.errors import UsageError

if TYPE_CHECKING:
    from mcusim.network.graph import Graph


def load(model: str | Path, *, simplify: bool = True) -> Graph:
    """The network called ``model``: the path of a .tflite file.

    ``simplify`` drops float32 edges and folds PAD into convolutions; without it the graph is as stored.
    Raises InputError for a file that is no model, UnsupportedError for one that uses what mcusim does
    not have, UsageError for anything else.
    """
    from mcusim.network import simplify as simplification
    from mcusim.network import tflite_reader, validate

    if not str(model).endswith(".tflite"):
        raise UsageError(f"{model} is not a .tflite file")
    graph = tflite_reader.read(Path(model))
    validate.check(graph)
    if simplify:
        graph = simplification.simplify(graph)
        validate.check(graph)
    return graph
