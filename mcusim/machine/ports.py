"""Network inputs and outputs of a running image, by the places that its layer section names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcusim.errors import InputError
from mcusim.image import Image
from mcusim.layer_section import TensorPort
from mcusim.machine.devices.camera import Camera
from mcusim.machine.memory import DebugPort, Memory

Array = NDArray[Any]
SEED = 0


def split_inferences(arrays: Sequence[Array], ports: Sequence[TensorPort]) -> list[list[Array]]:
    """One list of arrays, in the order of ``ports``, for every inference.

    ``arrays`` holds the first inference's inputs, then the second's, ...; an array may also stack several
    inputs along the batch dimension, provided that its neighbours of the same inferences stack as many.
    Raises InputError, which names what is expected and what was given.
    """
    if len(arrays) % len(ports) if ports else arrays:
        raise InputError(
            f"{len(arrays)} input arrays were given, and the network takes {len(ports)} at a time"
        )
    inferences: list[list[Array]] = []
    for first in range(0, len(arrays), len(ports) or 1):
        stacks = [
            _single_inputs(array, port)
            for array, port in zip(arrays[first : first + len(ports)], ports, strict=True)
        ]
        if len({len(stack) for stack in stacks}) > 1:
            raise InputError("the network's inputs are stacked to different depths")
        inferences.extend(list(together) for together in zip(*stacks, strict=True))
    return inferences


def _single_inputs(array: Array, port: TensorPort) -> list[Array]:
    """``array`` cut along its batch dimension into arrays of the port's shape."""
    expected = f"{port.dtype} of shape {_text(port.shape)}"
    given = f"{array.dtype} of shape {_text(array.shape)}"
    batch = port.shape[0] if port.shape else 1
    fits = array.shape == port.shape or (
        len(array.shape) == len(port.shape)
        and array.shape[1:] == port.shape[1:]
        and batch > 0
        and array.shape[0] > 0
        and array.shape[0] % batch == 0
    )
    if array.dtype != np.dtype(port.dtype) or not fits:
        raise InputError(f"input {port.name!r} must be {expected}, and {given} was given")
    if array.shape == port.shape:
        return [array]
    return [array[start : start + batch] for start in range(0, array.shape[0], batch)]


def _text(shape: Sequence[int]) -> str:
    return "x".join(str(size) for size in shape) or "a scalar"


def pseudo_random_inputs(ports: Sequence[TensorPort], inferences: int = 1) -> list[Array]:
    """An array for each of ``ports``, of one inference after the other; always the same for the same
    shapes."""
    generator = np.random.default_rng(SEED)
    return [
        generator.integers(-128, 128, port.shape, dtype=np.int8).astype(port.dtype)
        for _ in range(inferences)
        for port in ports
    ]


def camera_port(image: Image) -> TensorPort | None:
    """The input that a camera delivers line by line, if the image has one."""
    return next((port for port in _ports(image, inputs=True) if port.memory == "camera"), None)


def lines_of(port: TensorPort) -> tuple[int, int]:
    """How many lines an image in NHWC has, and the bytes of one. Raises InputError if it has no lines."""
    if len(port.shape) != 4:
        raise InputError(f"a camera cannot deliver input {port.name!r} of shape {_text(port.shape)} in lines")
    _, height, width, channels = port.shape
    return height, width * channels * np.dtype(port.dtype).itemsize


def write_inputs(
    image: Image, memory: Memory | DebugPort, inputs: Sequence[Array], camera: Camera | None = None
) -> None:
    """Put one inference's inputs where the layer section says, or before the camera; the image must have
    one."""
    for port, array in zip(_ports(image, inputs=True), inputs, strict=True):
        raw = np.ascontiguousarray(array).astype(np.dtype(port.dtype).newbyteorder("<"), copy=False).tobytes()
        if port.memory == "camera" and camera is not None:
            camera.show(raw)
        elif len(raw) != port.location.bytes or not memory.write(image.address_of(port.location), raw):
            place = f"the layer section's place for input {port.name!r}"
            raise InputError(f"{image.path}: {place} does not hold {len(raw)} bytes")


def assume_inputs(image: Image, port: DebugPort) -> None:
    """Whatever lies at the network's inputs is its input."""
    for tensor in _ports(image, inputs=True):
        if tensor.memory != "camera":
            port.note(image.address_of(tensor.location), tensor.location.bytes, True)


def read_outputs(image: Image, memory: Memory | DebugPort) -> list[Array]:
    """The network's outputs as they lie in memory now, copied."""
    outputs = []
    for port in _ports(image, inputs=False):
        raw = memory.read(image.address_of(port.location), port.location.bytes)
        dtype = np.dtype(port.dtype).newbyteorder("<")
        if raw is None or len(raw) != int(np.prod(port.shape)) * dtype.itemsize:
            raise InputError(
                f"{image.path}: the layer section's place for output {port.name!r} does not hold its shape"
            )
        outputs.append(np.frombuffer(raw, dtype).reshape(port.shape).astype(np.dtype(port.dtype)))
    return outputs


def _ports(image: Image, *, inputs: bool) -> tuple[TensorPort, ...]:
    if image.layers is None:
        return ()
    return image.layers.inputs if inputs else image.layers.outputs
