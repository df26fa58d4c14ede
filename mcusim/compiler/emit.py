"""C and assembly text of a network's firmware: constants, operators, layers, stages, the entry point.

Every operator becomes one function that is never inlined, so that a profile can tell layers apart;
what it does is data (``mcu_op``, ``mcu_view``, steps of stages) handed to the runtime.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mcusim.compiler import spatial
from mcusim.compiler.emit_stages import stage_source, state_source
from mcusim.compiler.lowering.types import LoweredOp
from mcusim.compiler.names import (
    ARENA,
    INVOKE,
    input_symbol,
    layer_symbol,
    location_of,
    scratch_of,
    stage_symbol,
)
from mcusim.compiler.program import Program
from mcusim.network.graph import Operator


@dataclass(frozen=True)
class ConstantData:
    """A constant's place in the file of all constants."""

    symbol: str
    offset: int
    bytes: int
    alignment: int
    ctype: str


def gather_constants(program: Program) -> tuple[tuple[ConstantData, ...], bytes]:
    """Every constant of the network, and the one file they are read from."""
    found: list[ConstantData] = []
    blob = bytearray()
    own = (op for op in program.graph.operators if op.copy_of is None)
    for label, lowering in (kernel for op in own for kernel in program.kernels_of(op)):
        for constant in lowering.constants:
            symbol = _symbol(label, constant.name)
            size = len(constant.data)
            found.append(ConstantData(symbol, len(blob), size, constant.alignment, constant.ctype))
            blob += constant.data
    return tuple(found), bytes(blob)


def _symbol(label: str, name: str) -> str:
    return f"mcu_{label}_{name}"


def network_source(program: Program, constants: Sequence[ConstantData]) -> str:
    """The C file of the network."""
    lowered = program.lowered.values()
    stages = program.ranges.stages
    parts = [
        _includes(lowered),
        _externs(program, constants),
        *(
            _operator(program, op, label, lowering)
            for op in program.graph.operators
            for label, lowering in program.kernels_of(op)
        ),
        state_source(program),
        *(stage_source(program, number, stage) for number, stage in enumerate(stages)),
        *(
            _tensor_layer(program, op)
            if program.lowered[op.index].whole_tensors
            else _whole_layer(program, op)
            for position, op in enumerate(program.graph.operators)
            if program.ranges.stage_at(position) is None and op.index in program.lowered
        ),
        _invoke(program),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _includes(lowered: Iterable[LoweredOp]) -> str:
    headers = sorted(
        {"mcusim_runtime.h", "mcu_camera.h", "mcu_tiles.h", *(lowering.header for lowering in lowered)}
    )
    lines = [f'#include "{header}"' for header in headers]
    lines += ["", "#include <stddef.h>", "", "#define MCU_LAYER __attribute__((noinline, used))"]
    return "\n".join(lines)


def _externs(program: Program, constants: Sequence[ConstantData]) -> str:
    lines = [f"extern int8_t {ARENA}[];"]
    graph = program.graph
    flash_inputs = [index for index in graph.inputs if index not in program.ranges.buffers]
    lines += [f"extern int8_t {input_symbol(graph, index)}[];" for index in flash_inputs]
    lines += [f"extern const {constant.ctype} {constant.symbol}[];" for constant in constants]
    return "\n".join(lines)


def _operator(program: Program, op: Operator, label: str, lowering: LoweredOp) -> str:
    owner = label if op.copy_of is None else f"{op.copy_of:03d}"
    symbols = {constant.name: _symbol(owner, constant.name) for constant in lowering.constants}
    params = f"static const {lowering.params_type} params_{label} = {lowering.initialiser(symbols)};"
    if lowering.whole_tensors:
        return params
    return (
        f"{params}\n"
        f"static const mcu_op op_{label} = {{.kernel = {lowering.kernel}, .params = &params_{label}, "
        f".kernel_h = {lowering.kernel_h}, .stride_h = {lowering.stride_h}, .pad_top = {lowering.pad_top}, "
        f".stride_w = {lowering.stride_w}, .pad_left = {lowering.pad_left}, "
        f".rows_per_call = {min(lowering.rows_per_call, program.rows_per_call(op))}}};"
    )


def _whole_layer(program: Program, op: Operator) -> str:
    inputs = spatial.activations(program.graph, op)
    names = [f"{name}_{op.index:03d}" for name in ("in", "in2")[: len(inputs)]]
    lines = [_view(program, op, tensor, name) for tensor, name in zip(inputs, names, strict=True)]
    out = program.whole_extent(op, op.outputs[0])
    lines.append(_view(program, op, op.outputs[0], f"out_{op.index:03d}"))
    lines.append(
        f"static const mcu_rect rect_{op.index:03d} = {{0, {out.height}, 0, {out.width}}};\n\n"
        f"MCU_LAYER void {layer_symbol(op)}(void) {{\n"
        f"    mcu_run(&op_{op.index:03d}, &{names[0]}, {'&' + names[1] if len(names) > 1 else 'NULL'}, "
        f"&out_{op.index:03d}, &rect_{op.index:03d}, {scratch_of(program, op)});\n}}"
    )
    return "\n".join(lines)


def _tensor_layer(program: Program, op: Operator) -> str:
    number = f"{op.index:03d}"
    kernel = program.lowered[op.index]
    addresses = [
        [f"{symbol} + {offset}" for symbol, offset in (location_of(program, t) for t in tensors)]
        for tensors in (spatial.activations(program.graph, op), op.outputs)
    ]
    addresses[0] += [_symbol(number, name) for name in kernel.further_inputs]
    pixels = [
        size.height * size.width
        for size in (spatial.extent(program.graph.tensors[t]) for t in (op.inputs[0], op.outputs[0]))
    ]
    return (
        f"static const int8_t *const in_{number}[] = {{{', '.join(addresses[0])}}};\n"
        f"static int8_t *const out_{number}[] = {{{', '.join(addresses[1])}}};\n"
        f"static const mcu_rows rows_{number} = {{.in = in_{number}, .out = out_{number}, .rows = 1, "
        f".in_width = {pixels[0]}, .out_width = {pixels[1]}, .scratch = {scratch_of(program, op)}}};\n\n"
        f"MCU_LAYER void {layer_symbol(op)}(void) {{\n"
        f"    {kernel.kernel}(&params_{number}, &rows_{number});\n}}"
    )


def _view(program: Program, op: Operator, tensor: int, name: str) -> str:
    size = program.whole_extent(op, tensor)
    symbol, offset = location_of(program, tensor)
    height = size.height
    if op.kind in spatial.ELEMENTWISE:
        # An operand of one row serves every row of the output: a capacity of one row maps them to it.
        height = max(height, program.whole_extent(op, op.outputs[0]).height)
    return (
        f"static const mcu_view {name} = {{.base = {symbol} + {offset}, .height = {height}, "
        f".width = {size.width}, .channels = {size.channels}, .capacity = {size.height}, "
        f".pitch = {size.width * size.channels}}};"
    )


def _invoke(program: Program) -> str:
    calls = []
    for position, op in enumerate(program.graph.operators):
        number = next((n for n, s in enumerate(program.ranges.stages) if s.first == position), None)
        if number is not None:
            calls.append(f"    {stage_symbol(number)}();")
        elif program.ranges.stage_at(position) is None and op.index in program.lowered:
            calls.append(f"    {layer_symbol(op)}();")
    body = "\n".join(calls)
    return f"void {INVOKE}(void);\n\nMCU_LAYER void {INVOKE}(void) {{\n{body}\n}}"
