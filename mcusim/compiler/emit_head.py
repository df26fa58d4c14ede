"""C text of a head in channel tiles: a 1x1 convolution and the pool over everything that it makes."""

from __future__ import annotations

from mcusim.compiler import spatial
from mcusim.compiler.names import ARENA, layer_symbol, location_of, scratch_of, stage_symbol
from mcusim.compiler.program import Program
from mcusim.compiler.stages import HeadStage
from mcusim.network.graph import Operator


def head_source(program: Program, number: int, stage: HeadStage) -> str:
    """Everything of one such stage: every tile is a stream of two operators, row by row."""
    expand, pool = stage.head.expand, stage.head.pool
    height = spatial.extent(program.graph.output_of(expand)).height
    width = spatial.extent(program.graph.output_of(expand)).width
    sums = scratch_of(program, pool)
    offset = program.scratch_offset(expand)
    scratch = "NULL" if offset is None else f"{ARENA} + {offset}"
    steps = [
        f"    for (int32_t tile = 0; tile < {len(stage.tiles)}; tile++) {{",
        f"        *(int32_t *)(void *)({sums}) = 0;",
        f"        for (int32_t row = 0; row < {height}; row++) {{",
        f"            {layer_symbol(expand)}(row, tile);",
        f"            {layer_symbol(pool)}(row, tile);",
        "        }",
        "    }",
    ]
    return "\n\n".join(
        [
            _views(program, number, stage),
            _layer(program, expand, (f"&source_{number}", f"&expanded_{number}[tile]"), width, scratch),
            _layer(program, pool, (f"&expanded_{number}[tile]", f"&pooled_{number}[tile]"), 1, sums),
            "\n".join([f"MCU_LAYER void {stage_symbol(number)}(void) {{", *steps, "}"]),
        ]
    )


def _views(program: Program, number: int, stage: HeadStage) -> str:
    """The input, a tile's row, and its channels of the output, which takes a row as often as the input has
    rows."""
    expand, pool = stage.head.expand, stage.head.pool
    size = spatial.extent(program.graph.output_of(expand))
    bases = [
        " + ".join(str(part) for part in location_of(program, tensor))
        for tensor in (expand.inputs[0], expand.outputs[0], pool.outputs[0])
    ]
    depth = spatial.extent(program.graph.input_of(expand)).channels
    whole = _view(bases[0], (size.height, size.width), depth, size.height)
    rows = [_view(bases[1], (size.height, size.width), tile.size, 1) for tile in stage.tiles]
    pixels = [_view(f"{bases[2]} + {tile.first}", (size.height, 1), tile.size, 1) for tile in stage.tiles]
    return (
        f"static const mcu_view source_{number} = {whole};\n"
        f"static const mcu_view expanded_{number}[] = {{{', '.join(rows)}}};\n"
        f"static const mcu_view pooled_{number}[] = {{{', '.join(pixels)}}};"
    )


def _view(base: str, size: tuple[int, int], channels: int, capacity: int) -> str:
    height, width = size
    return (
        f"{{.base = {base}, .height = {height}, .width = {width}, .channels = {channels}, "
        f".capacity = {capacity}, .pitch = {width * channels}}}"
    )


def _layer(program: Program, op: Operator, views: tuple[str, str], width: int, scratch: str) -> str:
    names = ", ".join(f"&op_{label}" for label, _ in program.kernels_of(op))
    number = f"{op.index:03d}"
    return (
        f"static const mcu_op *const tiles_{number}[] = {{{names}}};\n\n"
        f"MCU_LAYER static void {layer_symbol(op)}(int32_t row, int32_t tile) {{\n"
        f"    const mcu_rect rect = {{(int16_t)row, (int16_t)(row + 1), 0, {width}}};\n"
        f"    mcu_run(tiles_{number}[tile], {views[0]}, NULL, {views[1]}, &rect, {scratch});\n}}"
    )
