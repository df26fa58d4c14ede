"""The texts around the network: constants and memory as assembly, main, the linker script."""

from __future__ import annotations

import string
from collections.abc import Sequence
from pathlib import Path

from mcusim.chips import Chip
from mcusim.compiler.emit import ConstantData
from mcusim.compiler.names import ARENA, INVOKE, SCRATCH, input_symbol, location_of
from mcusim.compiler.program import Program
from mcusim.layer_section import SECTION_NAME
from mcusim.network.graph import Tensor

CONSTANTS_FILE = "constants.bin"
INPUT_FILE = "input_{}.bin"
SECTION_FILE = "layers.json"
OBJECT_ALIGNMENT = 8


def constants_source(constants: Sequence[ConstantData]) -> str:
    """One symbol and section per constant, its bytes taken from the file of all constants."""
    return "".join(
        _object(
            c.symbol, ".rodata", c.alignment, f'.incbin "{CONSTANTS_FILE}", {c.offset}, {c.bytes}', c.bytes
        )
        for c in constants
    )


def memory_source(program: Program, embed_input: bool) -> str:
    """Arena and right behind it scratch, which nobody clears; inputs in flash; embedded inputs; the layer
    section."""
    plan = program.plan
    parts = [
        _object(ARENA, ".noinit", OBJECT_ALIGNMENT, f".space {plan.arena_bytes}", plan.arena_bytes),
        _symbol(SCRATCH, f".space {plan.scratch_bytes}", plan.scratch_bytes),
    ]
    for number, index in enumerate(program.graph.inputs):
        tensor = program.graph.tensors[index]
        content = f'.incbin "{INPUT_FILE.format(number)}"' if embed_input else f".space {tensor.bytes}"
        if index not in program.ranges.buffers:
            symbol = input_symbol(program.graph, index)
            parts.append(_object(symbol, ".rodata", OBJECT_ALIGNMENT, content, tensor.bytes))
        elif embed_input:
            parts.append(_object(embedded_symbol(number), ".rodata", OBJECT_ALIGNMENT, content, tensor.bytes))
    parts.append(f'.section {SECTION_NAME}, "", %progbits\n.incbin "{SECTION_FILE}"\n')
    return "".join(parts)


def embedded_symbol(number: int) -> str:
    """The copy of an input that a test image carries."""
    return f"mcu_embedded_input_{number}"


def main_source(program: Program, *, embed_input: bool, print_crc: bool) -> str:
    """``main``: one inference; a test image fills the input first and prints output CRCs afterwards."""
    graph = program.graph
    declarations = [f"extern int8_t {ARENA}[];", f"void {INVOKE}(void);", "int main(void);"]
    before: list[str] = []
    after: list[str] = []
    for number, index in enumerate(graph.inputs):
        if embed_input and index == program.ranges.camera:
            declarations.append(_embedded_camera(graph.tensors[index], embedded_symbol(number)))
        elif embed_input and index in program.ranges.buffers:
            declarations.append(f"extern const int8_t {embedded_symbol(number)}[];")
            target = _address(program, graph.tensors[index])
            size = graph.tensors[index].bytes
            before.append(f"    memcpy({target}, {embedded_symbol(number)}, {size});")
    for number, index in enumerate(graph.outputs if print_crc else ()):
        tensor = graph.tensors[index]
        after.append(f'    mcu_write_crc("output{number}", {_address(program, tensor)}, {tensor.bytes});')
    if embed_input:
        declarations.insert(0, "void *memcpy(void *restrict to, const void *restrict from, size_t size);")
    lines = [
        '#include "mcu_boot.h"',
        '#include "mcu_camera.h"',
        "",
        "#include <stddef.h>",
        "",
        *declarations,
        "",
    ]
    lines += ["int main(void) {", *before, f"    {INVOKE}();", *after, "    return 0;", "}", ""]
    return "\n".join(lines)


def _embedded_camera(image: Tensor, symbol: str) -> str:
    """The functions of a board whose camera shows the embedded input."""
    _, _, width, channels = image.shape
    size = width * channels
    return (
        f"extern const int8_t {symbol}[];\n\n"
        "void mcu_camera_line(int32_t number, int8_t *line) {\n"
        f"    memcpy(line, {symbol} + number * {size}, {size});\n}}\n\n"
        "void mcu_camera_wait(int32_t number) {\n    (void)number;\n}\n"
    )


def linker_script(template: Path, chip: Chip, stack_bytes: int) -> str:
    """The chip's regions filled into the template."""
    return string.Template(template.read_text(encoding="utf-8")).substitute(
        flash_start=hex(chip.flash.start),
        flash_size=hex(chip.flash.size),
        sram_start=hex(chip.sram.start),
        sram_size=hex(chip.sram.size),
        stack_bytes=stack_bytes,
    )


def _address(program: Program, tensor: Tensor) -> str:
    symbol, offset = location_of(program, tensor.index)
    return f"{symbol} + {offset}"


def _object(symbol: str, section: str, alignment: int, content: str, size: int) -> str:
    flags = '"aw", %nobits' if section == ".noinit" else '"a", %progbits'
    return f".section {section}.{symbol}, {flags}\n.balign {alignment}\n" + _symbol(symbol, content, size)


def _symbol(symbol: str, content: str, size: int) -> str:
    return f".global {symbol}\n.type {symbol}, %object\n{symbol}:\n{content}\n.size {symbol}, {size}\n"
