"""Which functions are layers: those that the image names, or those that the user picks."""

from __future__ import annotations

import re

from mcusim.errors import UsageError
from mcusim.image import Image
from mcusim.profile.profile import LayerMark


def layer_marks(image: Image, regex: str | None = None) -> tuple[LayerMark, ...]:
    """Layers in the order of the layer section, or those of ``regex`` in the order of their addresses.

    Raises UsageError if ``regex`` is none or matches no function, InputError if a layer's function is
    missing from the image.
    """
    if regex is not None:
        return _foreign_marks(image, regex)
    if image.layers is None:
        return ()
    return tuple(
        LayerMark(
            index=entry.index,
            name=entry.name,
            op=entry.op,
            symbol=entry.symbol,
            start=image.start_of(entry.symbol) if entry.symbol else None,
            macs=entry.macs,
            planned_calls=entry.calls,
            stage=entry.stage,
            shape_in=entry.shape_in,
            shape_out=entry.shape_out,
        )
        for entry in image.layers.layers
    )


def _foreign_marks(image: Image, regex: str) -> tuple[LayerMark, ...]:
    """Functions whose whole name matches, numbered by address."""
    try:
        pattern = re.compile(regex)
    except re.error as error:
        raise UsageError(f"--layers {regex!r} is not a regular expression ({error})") from error
    found = [function for function in image.functions if pattern.fullmatch(function.name)]
    if not found:
        raise UsageError(f"--layers {regex!r} matches no function of {image.path}")
    return tuple(
        LayerMark(index=index, name=function.name, op="function", symbol=function.name, start=function.start)
        for index, function in enumerate(found)
    )
