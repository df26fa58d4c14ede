"""The layer section: what a firmware image says of the network inside it.

The compiler writes it as JSON into the section ``.mcusim.layers``, which is not loaded; the simulator
reads it. It is the only thing besides code that an image carries for mcusim, and it is optional.
"""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec

SECTION_NAME = ".mcusim.layers"

OPERATOR_CONSTANT = re.compile(r"mcu_\d{3,}_\w")
"""How the names of constants begin that one operator owns: mcu_, its index, and what they are."""


class Location(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes at ``symbol + offset``."""

    symbol: str
    offset: int
    bytes: int


class TensorPort(msgspec.Struct, frozen=True, kw_only=True):
    """An input or output tensor of the network: where it lies when ``invoke`` is entered or left.

    ``shape`` is NHWC with the batch dimension, ``dtype`` a numpy name, ``memory`` the kind of region; of an
    input from a "camera" ``location`` holds some of its lines at a time.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int
    location: Location
    memory: Literal["sram", "flash", "camera"]


class LayerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One operator as scheduled. ``symbol`` names the function whose every call is this layer's work.

    ``macs`` counts all calls together, recomputed halo and taps on padding included. ``output`` is
    where the whole output tensor lies after the layer's last call, absent inside a patch stage.
    """

    index: int
    name: str
    op: str
    symbol: str
    shape_in: tuple[int, ...]
    shape_out: tuple[int, ...]
    macs: int
    calls: int = 1
    stage: int = 0
    output: Location | None = None


class ArenaEntry(msgspec.Struct, frozen=True, kw_only=True):
    """The activation arena in SRAM; ``scratch`` is a separate object behind it, 0 bytes if unused."""

    symbol: str
    bytes: int
    input_bytes: int
    scratch_symbol: str
    scratch_bytes: int


class LayerSection(msgspec.Struct, frozen=True, kw_only=True):
    """Version 1 of the section."""

    format: Literal["mcusim.layers"] = "mcusim.layers"
    version: Literal[1] = 1
    network: str
    invoke: str
    inputs: tuple[TensorPort, ...]
    outputs: tuple[TensorPort, ...]
    arena: ArenaEntry
    layers: tuple[LayerEntry, ...]
    schedule: dict[str, Any]
    build: dict[str, Any]


def encode(section: LayerSection) -> bytes:
    """JSON bytes, the same for the same section."""
    return msgspec.json.encode(section, order="deterministic")


def decode(raw: bytes) -> LayerSection:
    """Raises msgspec.ValidationError or msgspec.DecodeError if ``raw`` is not version 1."""
    return msgspec.json.decode(raw, type=LayerSection)
