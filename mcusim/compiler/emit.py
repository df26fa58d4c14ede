"""C and assembly text of a network's firmware: constants, operators, layers, stages, the entry point.

Every operator becomes one function that is never inlined, so that a profile can tell layers apart;
what it does is data (``mcu_op``, ``mcu_view``, ``mcu_patch_step``) handed to the runtime.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mcusim.compiler import spatial
from mcusim.compiler.live_ranges import PatchStage
from mcusim.compiler.lowering.types import LoweredOp
from mcusim.compiler.patches import Span
from mcusim.compiler.program import Program
from mcusim.network.graph import Graph, Operator, OpKind

INVOKE = "mcusim_invoke"
ARENA = "mcu_arena"
SCRATCH = "mcu_scratch"
_SHORT_NAMES = {
    OpKind.CONV_2D: "conv",
    OpKind.DEPTHWISE_CONV_2D: "depthwise",
    OpKind.FULLY_CONNECTED: "dense",
    OpKind.AVERAGE_POOL_2D: "average_pool",
    OpKind.MAX_POOL_2D: "max_pool",
    OpKind.RESIZE_NEAREST_NEIGHBOR: "resize",
}


@dataclass(frozen=True)
class ConstantData:
    """A constant's place in the file of all constants."""

    symbol: str
    offset: int
    bytes: int
    alignment: int
    ctype: str


def layer_symbol(op: Operator) -> str:
    """The C function of an operator, for example mcu_layer_007_depthwise."""
    return f"mcu_layer_{op.index:03d}_{_SHORT_NAMES.get(op.kind, op.kind.lower())}"


def input_symbol(graph: Graph, tensor: int) -> str:
    """The read-only object that holds a network input which lies in flash."""
    return f"mcu_input_{graph.inputs.index(tensor)}"


def gather_constants(program: Program) -> tuple[tuple[ConstantData, ...], bytes]:
    """Every constant of the network, and the one file they are read from."""
    found: list[ConstantData] = []
    blob = bytearray()
    for op in program.graph.operators:
        lowering = program.lowered.get(op.index)
        for constant in lowering.constants if lowering else ():
            symbol = f"mcu_{op.index:03d}_{constant.name}"
            size = len(constant.data)
            found.append(ConstantData(symbol, len(blob), size, constant.alignment, constant.ctype))
            blob += constant.data
    return tuple(found), bytes(blob)


def location_of(program: Program, tensor: int) -> tuple[str, int]:
    """Symbol and byte offset at which an activation lies."""
    root = program.ranges.roots[tensor]
    if root in program.ranges.buffers:
        return ARENA, program.offsets[root]
    return input_symbol(program.graph, root), 0


def network_source(program: Program, constants: Sequence[ConstantData]) -> str:
    """The C file of the network."""
    lowered = program.lowered.values()
    stages = program.ranges.stages
    parts = [
        _includes(lowered),
        _externs(program, constants),
        *(_operator(op, program.lowered[op.index], constants) for op in _run_operators(program)),
        *(_patch_tensors(program, number, stage) for number, stage in enumerate(stages)),
        *(_layer(program, position, op) for position, op in enumerate(program.graph.operators)),
        *(_driver(program, number, stage) for number, stage in enumerate(stages)),
        _invoke(program),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _run_operators(program: Program) -> list[Operator]:
    return [op for op in program.graph.operators if op.index in program.lowered]


def _includes(lowered: Iterable[LoweredOp]) -> str:
    headers = sorted({"mcusim_runtime.h", "mcu_patch.h", *(lowering.header for lowering in lowered)})
    lines = [f'#include "{header}"' for header in headers]
    lines += ["", "#include <stddef.h>", "", "#define MCU_LAYER __attribute__((noinline, used))"]
    return "\n".join(lines)


def _externs(program: Program, constants: Sequence[ConstantData]) -> str:
    lines = [f"extern int8_t {ARENA}[];", f"extern int8_t {SCRATCH}[];"]
    graph = program.graph
    flash_inputs = [index for index in graph.inputs if index not in program.ranges.buffers]
    lines += [f"extern int8_t {input_symbol(graph, index)}[];" for index in flash_inputs]
    lines += [f"extern const {constant.ctype} {constant.symbol}[];" for constant in constants]
    return "\n".join(lines)


def _operator(op: Operator, lowering: LoweredOp, constants: Sequence[ConstantData]) -> str:
    prefix = f"mcu_{op.index:03d}_"
    symbols = {c.symbol.removeprefix(prefix): c.symbol for c in constants if c.symbol.startswith(prefix)}
    number = f"{op.index:03d}"
    return (
        f"static const {lowering.params_type} params_{number} = {lowering.initialiser(symbols)};\n"
        f"static const mcu_op op_{number} = {{.kernel = {lowering.kernel}, .params = &params_{number}, "
        f".kernel_h = {lowering.kernel_h}, .stride_h = {lowering.stride_h}, .pad_top = {lowering.pad_top}, "
        f".stride_w = {lowering.stride_w}, .pad_left = {lowering.pad_left}, "
        f".rows_per_call = {lowering.rows_per_call}}};"
    )


def _layer(program: Program, position: int, op: Operator) -> str:
    if op.index not in program.lowered:
        return ""
    number = next(
        (n for n, stage in enumerate(program.ranges.stages) if stage.first <= position <= stage.last), None
    )
    return _whole_layer(program, op) if number is None else _patch_layer(program, op, number)


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
        f"&out_{op.index:03d}, &rect_{op.index:03d}, {SCRATCH});\n}}"
    )
    return "\n".join(lines)


def _view(program: Program, op: Operator, tensor: int, name: str) -> str:
    size = program.whole_extent(op, tensor)
    symbol, offset = location_of(program, tensor)
    height = size.height
    if op.kind in spatial.ELEMENTWISE:
        # An operand of one row serves every row of the output: a capacity of one row maps them to it.
        height = max(height, program.whole_extent(op, op.outputs[0]).height)
    return (
        f"static const mcu_view {name} = {{.base = {symbol} + {offset}, .height = {height}, "
        f".width = {size.width}, .channels = {size.channels}, .capacity = {size.height}}};"
    )


def _patch_tensors(program: Program, number: int, stage: PatchStage) -> str:
    tables: dict[tuple[Span, ...], str] = {}
    lines: list[str] = []
    for spans in (*stage.geometry.rows.values(), *stage.geometry.columns.values()):
        if spans not in tables:
            tables[spans] = f"spans_{number}_{len(tables)}"
            pairs = ", ".join(f"{{{span.first}, {span.end}}}" for span in spans)
            lines.append(f"static const mcu_span {tables[spans]}[] = {{{pairs}}};")
    for tensor, rows in stage.geometry.rows.items():
        size = spatial.extent(program.graph.tensors[tensor])
        symbol, offset = location_of(program, tensor)
        whole = program.lies_whole(tensor)
        columns = tables[stage.geometry.columns[tensor]]
        lines.append(
            f"static const mcu_patch_tensor patch_{number}_{tensor} = {{.base = {symbol} + {offset}, "
            f".rows = {tables[rows]}, .columns = {columns}, .height = {size.height if whole else 0}, "
            f".width = {size.width if whole else 0}, .channels = {size.channels}}};"
        )
    return "\n".join(lines)


def _patch_layer(program: Program, op: Operator, number: int) -> str:
    inputs = [f"&patch_{number}_{t}" for t in spatial.activations(program.graph, op)]
    merge = int(program.merges_patch(op, program.ranges.stages[number]))
    return (
        f"static const mcu_patch_step step_{op.index:03d} = {{.op = &op_{op.index:03d}, .in = {inputs[0]}, "
        f".in2 = {inputs[1] if len(inputs) > 1 else 'NULL'}, .out = &patch_{number}_{op.outputs[0]}, "
        f".merge = {merge}}};\n\n"
        f"MCU_LAYER void {layer_symbol(op)}(int32_t row, int32_t column) {{\n"
        f"    mcu_run_patch(&step_{op.index:03d}, row, column, {SCRATCH});\n}}"
    )


def _driver(program: Program, number: int, stage: PatchStage) -> str:
    rows, columns = stage.geometry.grid
    calls = "\n".join(
        f"            {layer_symbol(op)}(row, column);"
        for op in program.graph.operators[stage.first : stage.last + 1]
    )
    return (
        f"MCU_LAYER void mcu_stage_{number}(void) {{\n"
        f"    for (int32_t row = 0; row < {rows}; ++row) {{\n"
        f"        for (int32_t column = 0; column < {columns}; ++column) {{\n"
        f"{calls}\n        }}\n    }}\n}}"
    )


def _invoke(program: Program) -> str:
    calls = []
    for position, op in enumerate(program.graph.operators):
        number = next((n for n, s in enumerate(program.ranges.stages) if s.first == position), None)
        if number is not None:
            calls.append(f"    mcu_stage_{number}();")
        elif program.ranges.stage_at(position) is None and op.index in program.lowered:
            calls.append(f"    {layer_symbol(op)}();")
    body = "\n".join(calls)
    return f"void {INVOKE}(void);\n\nMCU_LAYER void {INVOKE}(void) {{\n{body}\n}}"
