"""C text of the stages that run in pieces: tensors, steps, layer functions and the stage's own function."""

from __future__ import annotations

from mcusim.compiler import spatial
from mcusim.compiler.emit_head import head_source
from mcusim.compiler.emit_tiles import tiles_source
from mcusim.compiler.names import CAMERA, STREAM_STATE, layer_symbol, location_of, scratch_of, stage_symbol
from mcusim.compiler.patches import Span
from mcusim.compiler.program import Program
from mcusim.compiler.rows import rows_at_once, turns
from mcusim.compiler.stages import HeadStage, PatchStage, StreamStage, TileStage, sums_bytes
from mcusim.network.graph import Operator


def stage_source(program: Program, number: int, stage: PatchStage) -> str:
    """Everything of one stage that runs in pieces."""
    if isinstance(stage, TileStage):
        return tiles_source(program, number, stage)
    if isinstance(stage, HeadStage):
        return head_source(program, number, stage)
    if isinstance(stage, StreamStage):
        return _stream(program, number, stage)
    operators = program.graph.operators[stage.first : stage.last + 1]
    return "\n\n".join(
        [
            _patch_tensors(program, number, stage),
            *(_patch_layer(program, op, number) for op in operators),
            _patch_driver(program, number, stage),
        ]
    )


def state_source(program: Program) -> str:
    """What a stream keeps while it runs; streams run one after the other and share it."""
    streams = [stage for stage in program.ranges.stages if isinstance(stage, StreamStage)]
    of_rows = [s for s in streams if not isinstance(s, TileStage | HeadStage)]
    lengths = [s.last - s.first + 1 + (s.camera is not None) for s in of_rows]
    return f"static mcu_stream_state {STREAM_STATE}[{max(lengths)}];" if lengths else ""


class _Spans:
    """Tables of spans, each written once."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._names: dict[tuple[Span, ...], str] = {}
        self.lines: list[str] = []

    def name(self, spans: tuple[Span, ...]) -> str:
        if spans not in self._names:
            name = self._names[spans] = f"spans_{self._number}_{len(self._names)}"
            pairs = ", ".join(f"{{{span.first}, {span.end}}}" for span in spans)
            self.lines.append(f"static const mcu_span {name}[] = {{{pairs}}};")
        return self._names[spans]


def _patch_tensors(program: Program, number: int, stage: PatchStage) -> str:
    tables = _Spans(number)

    def describe(tensor: int) -> str:
        size = spatial.extent(program.graph.tensors[tensor])
        whole = program.lies_whole(tensor)
        return (
            f"static const mcu_patch_tensor patch_{number}_{tensor} = {{.base = {_address(program, tensor)}, "
            f".rows = {tables.name(stage.geometry.rows[tensor])}, "
            f".columns = {tables.name(stage.geometry.columns[tensor])}, "
            f".height = {size.height if whole else 0}, .width = {size.width if whole else 0}, "
            f".channels = {size.channels}}};"
        )

    lines = [describe(tensor) for tensor in stage.geometry.rows]
    return "\n".join([*tables.lines, *lines])


def _address(program: Program, tensor: int) -> str:
    symbol, offset = location_of(program, tensor)
    return f"{symbol} + {offset}"


def _patch_layer(program: Program, op: Operator, number: int) -> str:
    inputs = [f"&patch_{number}_{t}" for t in spatial.activations(program.graph, op)]
    merge = int(program.merges_patch(op, program.ranges.stages[number]))
    return (
        f"static const mcu_patch_step step_{op.index:03d} = {{.op = &op_{op.index:03d}, .in = {inputs[0]}, "
        f".in2 = {inputs[1] if len(inputs) > 1 else 'NULL'}, .out = &patch_{number}_{op.outputs[0]}, "
        f".merge = {merge}}};\n\n"
        f"MCU_LAYER void {layer_symbol(op)}(int32_t row, int32_t column) {{\n"
        f"    mcu_run_patch(&step_{op.index:03d}, row, column, {scratch_of(program, op)});\n}}"
    )


def _patch_driver(program: Program, number: int, stage: PatchStage) -> str:
    rows, columns = stage.geometry.grid
    calls = "\n".join(
        f"            {layer_symbol(op)}(row, column);"
        for op in program.graph.operators[stage.first : stage.last + 1]
    )
    return (
        f"MCU_LAYER void {stage_symbol(number)}(void) {{\n"
        f"    for (int32_t row = 0; row < {rows}; ++row) {{\n"
        f"        for (int32_t column = 0; column < {columns}; ++column) {{\n"
        f"{calls}\n        }}\n    }}\n}}"
    )


def _stream(program: Program, number: int, stage: StreamStage) -> str:
    operators = program.graph.operators[stage.first : stage.last + 1]
    made = [*([] if stage.camera is None else [stage.camera]), *(op.outputs[0] for op in operators)]
    makers = {tensor: step for step, tensor in enumerate(made)}
    declarations = [f"static mcu_stream_layer {layer_symbol(op)};" for op in operators]
    steps = [f"    {_stream_step(program, number, stage, op, makers)}," for op in operators]
    if stage.camera is not None:
        declarations.append(_camera_layer(number, stage.camera))
        steps.insert(0, f"    {_camera_step(number, stage.camera)},")
    functions = [
        f"MCU_LAYER static void {layer_symbol(op)}(int32_t first, int32_t end, int32_t band) {{\n"
        f"    mcu_run_rows(&steps_{number}[{makers[op.outputs[0]]}], first, end, band, "
        f"{scratch_of(program, op)});\n}}"
        for op in operators
    ]
    counter = f"    *(int32_t *)(void *)({scratch_of(program, operators[-1])}) = 0;\n"
    table = [f"static const mcu_stream_step steps_{number}[] = {{", *steps, "};"]
    driver = (
        f"MCU_LAYER void {stage_symbol(number)}(void) {{\n"
        f"{counter if sums_bytes(program.graph, stage) else ''}"
        f"    mcu_run_stream(steps_{number}, {len(made)}, {stage.bands}, {STREAM_STATE});\n}}"
    )
    parts = [_stream_tensors(program, number, stage), "\n".join(declarations), "\n".join(table)]
    return "\n\n".join([*parts, *functions, driver])


def _camera_layer(number: int, image: int) -> str:
    """What delivers a line: it stands where an operator would that made the image row by row."""
    return (
        f"static const mcu_op op_{CAMERA} = {{0}};\n\n"
        f"static void mcu_layer_{CAMERA}(int32_t first, int32_t end, int32_t band) {{\n"
        f"    (void)end, (void)band;\n    mcu_take_line(stream_{number}_{image}, first);\n}}"
    )


def _camera_step(number: int, image: int) -> str:
    lines = f"stream_{number}_{image}"
    return (
        f"{{.op = &op_{CAMERA}, .in = {lines}, .in2 = NULL, .out = {lines}, .layer = mcu_layer_{CAMERA}, "
        ".maker = -1, .maker2 = -1, .rows_at_once = 1}"
    )


def _stream_tensors(program: Program, number: int, stage: StreamStage) -> str:
    """What every tensor of the stage is in every band."""
    return "\n".join(
        f"static const mcu_stream_tensor stream_{number}_{tensor}[] = {{\n"
        + "".join(f"    {_in_band(program, stage, tensor, band)},\n" for band in range(stage.bands))
        + "};"
        for tensor in stage.geometry.rows
    )


def _in_band(program: Program, stage: StreamStage, tensor: int, band: int) -> str:
    last, size = program.graph.operators[stage.last], spatial.extent(program.graph.tensors[tensor])
    columns = stage.geometry.columns[tensor][band]
    height = turns(program.graph, last) if tensor == last.outputs[0] else size.height
    x0, width, pitch, capacity, ahead = 0, size.width, size.width * size.channels, size.height, 0
    y0 = shift = 0
    if tensor in stage.rings:
        holder, shared = stage.holder(tensor), stage.shared.get(tensor)
        capacity = stage.rings[holder]
    if tensor in stage.rings and tensor != stage.camera:
        x0, width = columns.first, columns.size
        room = stage.geometry.columns[holder][band].size + stage.spare(holder)
        pitch = room * spatial.extent(program.graph.tensors[holder]).channels
        y0, shift = (shared.lag - capacity, shared.shift) if shared else (0, 0)
        ahead = 0 if shared else stage.spare(tensor) * size.channels
    return (
        f"{{{{.base = {_address(program, tensor)} + {ahead}, .pitch = {pitch}, .shift = {shift}, .y0 = {y0}, "
        f".height = {(height << shift) - y0}, .x0 = {x0}, .width = {width}, .channels = {size.channels}, "
        f".capacity = {capacity}}}, {{{columns.first}, {columns.end}}}}}"
    )


def _stream_step(
    program: Program, number: int, stage: StreamStage, op: Operator, makers: dict[int, int]
) -> str:
    inputs = spatial.activations(program.graph, op)
    names = [f"stream_{number}_{tensor}" for tensor in inputs]
    made_by = [makers.get(tensor, -1) for tensor in inputs]
    return (
        f"{{.op = &op_{op.index:03d}, .in = {names[0]}, .in2 = {names[1] if len(names) > 1 else 'NULL'}, "
        f".out = stream_{number}_{op.outputs[0]}, .layer = {layer_symbol(op)}, .maker = {made_by[0]}, "
        f".maker2 = {made_by[1] if len(made_by) > 1 else -1}, "
        f".rows_at_once = {rows_at_once(op, stage.chunk)}}}"
    )
