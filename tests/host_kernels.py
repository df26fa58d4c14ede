"""The runtime's kernels compiled for the host, and single operators run through ``mcu_run``."""

from __future__ import annotations

import ctypes
import functools
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mcusim.compiler.lowering import LoweredOp, lower
from mcusim.network.graph import Graph, Operator

RUNTIME = Path(__file__).parents[1] / "firmware" / "runtime"

Int8Array = NDArray[np.int8]

PROBES = """
#include "mcu_mean.h"
#include "mcu_requantise.h"
void probe_divide(int32_t count, const int32_t *sums, int32_t number, int8_t *means) {
    const mcu_divisor by = mcu_find_divisor(count);
    for (int32_t i = 0; i < number; i++) {
        means[i] = mcu_divide(sums[i], &by);
    }
}
int32_t probe_scale(int32_t acc, int32_t multiplier, int32_t offset, int32_t exponent) {
    const mcu_scale scale = {multiplier, offset, exponent};
    return mcu_scale_apply(acc, &scale);
}
int32_t probe_scale_rectified(int32_t acc, int32_t multiplier, int32_t offset, int32_t exponent) {
    return mcu_smmlar(mcu_shift_left(acc, 1), multiplier, offset) >> exponent;
}
int32_t probe_requantise(int32_t acc, int32_t multiplier, int32_t shift) {
    return mcu_requantise(acc, multiplier, shift);
}
"""
"""Inline functions of the headers, made callable."""


GUARD = 0x5A
GUARD_BYTES = 64


class McuOp(ctypes.Structure):
    _fields_ = [
        ("kernel", ctypes.c_void_p),
        ("params", ctypes.c_void_p),
        *[
            (name, ctypes.c_uint8)
            for name in ("kernel_h", "stride_h", "pad_top", "stride_w", "pad_left", "rows_per_call")
        ],
    ]


class McuView(ctypes.Structure):
    _fields_ = [
        ("base", ctypes.c_void_p),
        ("pitch", ctypes.c_int32, 24),
        ("shift", ctypes.c_uint32, 8),
        *[(name, ctypes.c_int16) for name in ("y0", "height", "x0", "width", "channels", "capacity")],
    ]


class McuRect(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int16) for name in ("y0", "y1", "x0", "x1")]


@functools.cache
def library() -> ctypes.CDLL:
    """All kernels and the driver as a host library; the test is skipped without a C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler for the host")
    target = Path(tempfile.mkdtemp(prefix="mcusim-kernels-")) / "kernels.so"
    probes = target.with_name("probes.c")
    probes.write_text(PROBES)
    sources = [probes, RUNTIME / "mcu_run.c", *sorted((RUNTIME / "kernels").glob("*.c"))]
    command = [compiler, "-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    command += ["-fsanitize=signed-integer-overflow,shift,bounds", "-fno-sanitize-recover"]
    command += ["-I", str(RUNTIME / "include"), "-o", str(target), *map(str, sources)]
    subprocess.run(command, check=True)
    return ctypes.CDLL(str(target))


def params_structure(lowered: LoweredOp, keep: list[object]) -> ctypes.Structure:
    """The parameters as the C compiler would lay them out: fields are int32, pointers, functions and
    structures."""
    addresses: dict[str, int] = {}
    for constant in lowered.constants:
        buffer = ctypes.create_string_buffer(constant.data, len(constant.data))
        keep.append(buffer)
        addresses[f"${constant.name}"] = ctypes.addressof(buffer)
    for name in re.findall(r"= (mcu_\w+)", lowered.params):
        addresses[name] = ctypes.cast(getattr(library(), name), ctypes.c_void_p).value or 0
    addresses["NULL"] = 0
    tokens = re.findall(r"[{}]|\.\w+ =|\$\w+|mcu_\w+|NULL|-?\d+", lowered.params)
    return _structure(iter(tokens[1:]), addresses)


def _structure(tokens: Iterator[str], addresses: dict[str, int]) -> ctypes.Structure:
    """A structure from the tokens after its opening brace up to the closing one."""
    fields: list[tuple[str, type]] = []
    values: list[object] = []
    for token in tokens:
        if token == "}":
            break
        if token.startswith("."):
            continue
        kind: type = ctypes.c_int32
        value: object = None
        if token == "{":
            value = _structure(tokens, addresses)
            kind = type(value)
        elif token in addresses:
            kind, value = ctypes.c_void_p, addresses[token]
        else:
            value = int(token)
        fields.append((f"field{len(fields)}", kind))
        values.append(value)
    structure = type("Params", (ctypes.Structure,), {"_fields_": fields})
    return structure(*values)  # type: ignore[no-any-return]


def as_image(tensor: Int8Array) -> Int8Array:
    """NHWC of any rank as [height, width, channels]; lists and matrices are one pixel."""
    shape = tensor.shape[-3:] if tensor.ndim >= 3 else (1, 1, tensor.size)
    return np.ascontiguousarray(tensor.reshape(shape), np.int8)


def view_of(image: Int8Array) -> McuView:
    height, width, channels = image.shape
    return McuView(image.ctypes.data, width * channels, 0, 0, height, 0, width, channels, height)


def run_lowered(
    lowered: LoweredOp,
    first: McuView,
    out: McuView,
    rect: tuple[int, int, int, int],
    second: McuView | None = None,
) -> None:
    """Produce ``rect`` (rows [y0, y1), columns [x0, x1)) of an operator's output, as ``mcu_run`` does."""
    keep: list[object] = []
    params = params_structure(lowered, keep)
    lib = library()
    op = McuOp(
        ctypes.cast(getattr(lib, lowered.kernel), ctypes.c_void_p).value,
        ctypes.addressof(params),
        lowered.kernel_h,
        lowered.stride_h,
        lowered.pad_top,
        lowered.stride_w,
        lowered.pad_left,
        lowered.rows_per_call,
    )
    few_rows = rect[1] - rect[0] <= 2
    needed = lowered.scratch_in_stream if few_rows else lowered.scratch_bytes
    size = needed(first.width, rect[3] - rect[2])
    scratch = np.full(size + GUARD_BYTES, GUARD, np.uint8)
    lib.mcu_run(
        ctypes.byref(op),
        ctypes.byref(first),
        ctypes.byref(second) if second is not None else None,
        ctypes.byref(out),
        ctypes.byref(McuRect(*rect)),
        ctypes.c_void_p(scratch.ctypes.data),
    )
    assert (scratch[size:] == GUARD).all(), f"{lowered.kernel} wrote beyond its scratch of {size} bytes"


def run_images(
    lowered: LoweredOp, first: Int8Array, out_shape: tuple[int, ...], second: Int8Array | None = None
) -> Int8Array:
    """Run one operator over whole images [height, width, channels]; nothing beyond them is written."""
    size = int(np.prod(out_shape))
    memory = np.full(size + 2 * GUARD_BYTES, GUARD, np.int8)
    out = memory[GUARD_BYTES : GUARD_BYTES + size].reshape(out_shape)
    in2 = view_of(second) if second is not None else None
    run_lowered(lowered, view_of(first), view_of(out), (0, out_shape[0], 0, out_shape[1]), in2)
    beyond = np.concatenate([memory[:GUARD_BYTES], memory[GUARD_BYTES + size :]])
    assert (beyond == GUARD).all(), f"{lowered.kernel} wrote beyond its output"
    return out.copy()


class McuRows(ctypes.Structure):
    _fields_ = [
        *[(name, ctypes.c_void_p) for name in ("in_", "in2", "out")],
        *[(name, ctypes.c_int32) for name in ("rows", "in_width", "in_x0", "out_width")],
        ("scratch", ctypes.c_void_p),
    ]


def run_tensors(
    lowered: LoweredOp, inputs: list[Int8Array], out_shapes: list[tuple[int, ...]]
) -> list[Int8Array]:
    """Run a kernel that sees whole tensors; nothing beyond its outputs and its scratch is written."""
    keep: list[object] = []
    params = params_structure(lowered, keep)
    sources = [np.ascontiguousarray(x) for x in inputs]
    memories = [np.full(int(np.prod(shape)) + 2 * GUARD_BYTES, GUARD, np.int8) for shape in out_shapes]
    scratch_bytes = lowered.scratch_bytes(0, 0)
    scratch = np.full(scratch_bytes + GUARD_BYTES, GUARD, np.uint8)
    in_pointers = (ctypes.c_void_p * len(sources))(*[x.ctypes.data for x in sources])
    out_pointers = (ctypes.c_void_p * len(memories))(*[m.ctypes.data + GUARD_BYTES for m in memories])
    rows = McuRows(
        in_=ctypes.addressof(in_pointers),
        out=ctypes.addressof(out_pointers),
        rows=1,
        in_width=sources[0].size // sources[0].shape[-1],
        out_width=int(np.prod(out_shapes[0][:-1])),
        scratch=scratch.ctypes.data,
    )
    getattr(library(), lowered.kernel)(ctypes.byref(params), ctypes.byref(rows))
    assert (scratch[scratch_bytes:] == GUARD).all(), f"{lowered.kernel} wrote beyond its scratch"
    for memory in memories:
        beyond = np.concatenate([memory[:GUARD_BYTES], memory[-GUARD_BYTES:]])
        assert (beyond == GUARD).all(), f"{lowered.kernel} wrote beyond its output"
    return [
        memory[GUARD_BYTES:-GUARD_BYTES].reshape(shape).copy()
        for memory, shape in zip(memories, out_shapes, strict=True)
    ]


def run_operator(graph: Graph, op: Operator, tensors: dict[int, Int8Array]) -> list[Int8Array]:
    """Lower and run one operator of a graph on the activations so far; its outputs."""
    lowered = lower(graph, op)
    operands = [tensors[i] for i in op.inputs if i in tensors]
    shapes = [graph.tensors[i].shape for i in op.outputs]
    if lowered.whole_tensors:
        return run_tensors(lowered, operands, shapes)
    images = [as_image(operand) for operand in operands]
    out_shape = as_image(np.zeros(shapes[0], np.int8)).shape
    second = images[1] if len(images) > 1 else None
    return [run_images(lowered, images[0], out_shape, second).reshape(shapes[0])]
