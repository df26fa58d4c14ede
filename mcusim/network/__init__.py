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

    ``simplify`` drops float32 edges, folds PAD into convolutions and puts the operators in the order that
    needs least memory; without it the graph is as stored.
    Raises InputError for a file that is no model, UnsupportedError for one that uses what mcusim does
    not have, UsageError for a name or parameter that does not exist.
    """
    from mcusim.network import order, tflite_reader, validate, zoo
    from mcusim.network import simplify as simplification

    if str(model).startswith(ZOO_PREFIX):
        graph = zoo.build(str(model).removeprefix(ZOO_PREFIX))
    elif str(model).endswith(".tflite"):
        graph = tflite_reader.read(Path(model))
    else:
        raise UsageError(f"{model} is neither a .tflite file nor zoo:NAME{_advice(model)}")
    validate.check(graph)
    if simplify:
        graph = order.reorder(simplification.simplify(graph))
        validate.check(graph)
    return graph


def _advice(model: str | Path) -> str:
    """What to do with firmware, which is no network any more; nothing of other files."""
    try:
        with Path(model).open("rb") as file:
            is_firmware = file.read(4) == b"\x7fELF"
    except OSError:
        return ""
    return f"; it is firmware already: mcusim run {model}" if is_firmware else ""
