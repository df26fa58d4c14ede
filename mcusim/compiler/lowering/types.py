"""What lowering an operator yields: a row kernel's name and geometry, and the constants it reads.

The compiler emits, for every lowered operator, its constants, one ``params_type`` object and one
``mcu_op`` (see ``mcusim_runtime.h``); nothing else needs to know how a kernel lays out its weights.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

HEADER = "mcu_kernels.h"
"""Declares every kernel and its parameters."""

MAX_ROWS = 32
"""MCU_MAX_ROWS of ``mcusim_runtime.h``: the most input rows that one kernel call takes."""

MAX_CALL_ROWS = 40
"""MCU_MAX_CALL_ROWS of ``mcusim_runtime.h``: the most rows of one kernel call, input and output together."""

Optimise = Literal["speed", "size"]
Rounding = Literal["double", "single"]


@dataclass(frozen=True)
class Options:
    """What may be chosen between kernels.

    ``optimise`` "size": the kernel that assumes nothing, in little code and with weights as they are stored,
    in place of the fast depthwise ones. ``rounding`` "single":
    convolutions and dense layers requantise with one rounding everywhere, also where outputs then differ
    from the reference's.
    """

    optimise: Optimise = "speed"
    rounding: Rounding = "double"


EXACT_AND_FAST = Options()

ScratchBytes = Callable[[int, int], int]


@dataclass(frozen=True)
class Constant:
    """A read-only array for the firmware's flash.

    ``name`` is local to the operator (the compiler makes it a unique C symbol). ``data`` holds the
    little-endian bytes of an array of ``ctype`` ("int8_t", "int16_t", "int32_t"); ``alignment`` is in
    bytes and may exceed that of the type.
    """

    name: str
    data: bytes
    alignment: int
    ctype: str


@dataclass(frozen=True)
class LoweredOp:
    """An operator as a call of a row kernel.

    ``kernel`` is the C symbol, declared with ``params_type`` in ``header`` (under ``runtime/include``).
    ``params`` is the braced C initialiser of a ``params_type``; it mentions constants as ``$name`` (see
    ``initialiser``).

    ``kernel_h`` to ``rows_per_call`` are the fields of ``mcu_op``. Operators that are not spatial see
    a view of one row: FULLY_CONNECTED and SOFTMAX work on one pixel of K channels.
    ``scratch_bytes(in_width, out_width)`` is the scratch of one kernel call over rows of so many pixels.
    ``few_rows_scratch``: that of a call of one or two rows, where it may be less.
    ``alias_ok``: the output may lie exactly on the input (or on the second input).
    ``merge_rows``: rows are independent of each other and of their borders, so that a contiguous
    tensor of H rows of W pixels may be passed as one row of H * W pixels.
    ``pixels_at_once``: the kernel reads so many pixels of a row as a whole, then writes those pixels, and so
    on, so that it may write over what it has read of its own row; 0 if it does not keep to that.
    ``grouped_columns``: the kernel takes so many columns of the output at a time, from left to right, and of
    them some channels: it reads all that it needs of these before it writes their outputs, to the same
    channels of a pixel, in calls of one or two rows; 0 if it does not keep to that.
    ``whole_rows``: the same operator in calls of so many rows, each with all columns at once, of which it
    reads those of some channels before it writes any output of these.
    ``whole_tensors``: the kernel is called once, without ``mcu_op``, with the addresses of all activations
    that the operator reads and of all its outputs, as if each were one row of pixels; the geometry means
    nothing. ``further_inputs``: names of constants whose addresses follow those of the activations.
    """

    kernel: str
    header: str
    params_type: str
    params: str
    constants: tuple[Constant, ...]
    kernel_h: int
    stride_h: int
    pad_top: int
    stride_w: int
    pad_left: int
    rows_per_call: int
    scratch_bytes: ScratchBytes
    few_rows_scratch: ScratchBytes | None = None
    alias_ok: bool = False
    merge_rows: bool = False
    pixels_at_once: int = 0
    grouped_columns: int = 0
    whole_rows: Callable[[int], LoweredOp] | None = None
    whole_tensors: bool = False
    further_inputs: tuple[str, ...] = ()

    def scratch_in_stream(self, in_width: int, out_width: int) -> int:
        """The scratch of a call of one or two rows, as those of streams are."""
        return (self.few_rows_scratch or self.scratch_bytes)(in_width, out_width)

    def all_rows(self, height: int) -> LoweredOp | None:
        """The same operator as one call that makes ``height`` rows, all of the output; None if there is no
        such kernel or a call cannot take so many."""
        window = (height - 1) * self.stride_h + self.kernel_h
        if self.whole_rows is None or window > MAX_ROWS or window + height > MAX_CALL_ROWS:
            return None
        return self.whole_rows(height)

    def initialiser(self, symbols: Mapping[str, str]) -> str:
        """The C initialiser with every constant's name replaced by its C symbol.

        Raises KeyError if ``symbols`` lacks one of the constants.
        """
        return string.Template(self.params).substitute(symbols)


def pixelwise(
    kernel: str,
    params: str,
    *,
    constants: tuple[Constant, ...] = (),
    params_type: str | None = None,
    alias_ok: bool = True,
) -> LoweredOp:
    """A kernel whose output pixels depend on the input pixel at their place alone.

    Its parameters are named like the kernel, with a suffix, unless ``params_type`` says otherwise.
    """
    return LoweredOp(
        kernel=kernel,
        header=HEADER,
        params_type=params_type or f"{kernel}_params",
        params=params,
        constants=constants,
        kernel_h=1,
        stride_h=1,
        pad_top=0,
        stride_w=1,
        pad_left=0,
        rows_per_call=1,
        scratch_bytes=no_scratch,
        alias_ok=alias_ok,
        merge_rows=True,
    )


def tensorwise(
    kernel: str,
    params: str,
    *,
    constants: tuple[Constant, ...] = (),
    params_type: str | None = None,
    scratch_bytes: ScratchBytes | None = None,
) -> LoweredOp:
    """A kernel that sees whole tensors, named as in ``pixelwise``."""
    lowered = pixelwise(kernel, params, constants=constants, params_type=params_type, alias_ok=False)
    return replace(lowered, merge_rows=False, whole_tensors=True, scratch_bytes=scratch_bytes or no_scratch)


def no_scratch(_in_width: int, _out_width: int) -> int:
    """The scratch of kernels that need none."""
    return 0
