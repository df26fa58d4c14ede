"""The runtime's kernels compiled for the target, and single operators run on an emulated core.

The emulator is used bare: these tests are about what the kernels compute, not about what it costs.
"""

from __future__ import annotations

import functools
import re
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from elftools.elf.elffile import ELFFile
from numpy.typing import NDArray
from unicorn import UC_ARCH_ARM, UC_MODE_MCLASS, UC_MODE_THUMB, Uc
from unicorn.arm_const import (
    UC_ARM_REG_LR,
    UC_ARM_REG_R0,
    UC_ARM_REG_R1,
    UC_ARM_REG_R2,
    UC_ARM_REG_R3,
    UC_ARM_REG_SP,
    UC_CPU_ARM_CORTEX_M4,
)

from mcusim.compiler import firmware, toolchains
from mcusim.compiler.lowering import LoweredOp

Int8Array = NDArray[np.int8]

FLASH, SRAM, SIZE = 0x08000000, 0x20000000, 1 << 20
STACK_TOP = SRAM + SIZE
RETURN = FLASH + SIZE - 4
GUARD = 0x5A
GUARD_BYTES = 64
SCRIPT = """
ENTRY(mcu_run)
SECTIONS {
    .text 0x08000000 : { KEEP(*(.text* .rodata*)) }
    /DISCARD/ : { *(.ARM.exidx* .ARM.attributes) }
}
"""


@dataclass(frozen=True)
class Blob:
    """Linked kernels: bytes for the start of flash, and the addresses of functions."""

    code: bytes
    symbols: dict[str, int]


@functools.cache
def blob(toolchain_name: str) -> Blob:
    """All kernels, linked by a toolchain; raises ToolchainError where it is missing."""
    toolchain = toolchains.find(toolchain_name)
    sources = [
        s
        for s in firmware.sources(toolchain)
        if s.path.parent.name != "boot" or s.path.stem in {"camera", "memory"}
    ]
    objects = toolchains.compile_all(toolchain, sources)
    folder = Path(tempfile.mkdtemp(prefix="mcusim-target-"))
    script, out = folder / "kernels.ld", folder / "kernels.elf"
    script.write_text(SCRIPT)
    toolchains.link(toolchain, objects, script, out)
    with out.open("rb") as file:
        elf = ELFFile(file)
        code = elf.get_section_by_name(".text").data()
        symbols = {s.name: s["st_value"] for s in elf.get_section_by_name(".symtab").iter_symbols()}
    return Blob(code, symbols)


class Memory:
    """Hands out SRAM from the bottom, in the order of calls."""

    def __init__(self, machine: Uc) -> None:
        self.machine = machine
        self.free = SRAM

    def place(self, data: bytes, alignment: int = 4) -> int:
        """The address of a copy of ``data``."""
        address = -(-self.free // alignment) * alignment
        self.machine.mem_write(address, data)
        self.free = address + len(data)
        return address


def run_images(
    toolchain: str,
    lowered: LoweredOp,
    first: Int8Array,
    out_shape: tuple[int, ...],
    second: Int8Array | None = None,
) -> Int8Array:
    """Run one operator over whole images [height, width, channels] by ``mcu_run`` on the target."""
    linked = blob(toolchain)
    machine = Uc(UC_ARCH_ARM, UC_MODE_THUMB | UC_MODE_MCLASS)
    machine.ctl_set_cpu_model(UC_CPU_ARM_CORTEX_M4)
    machine.mem_map(FLASH, SIZE)
    machine.mem_map(SRAM, SIZE)
    machine.mem_write(FLASH, linked.code)
    memory = Memory(machine)
    out_size, scratch_size = int(np.prod(out_shape)), lowered.scratch_bytes(first.shape[1], out_shape[1])
    guard = bytes([GUARD]) * GUARD_BYTES
    images = [memory.place(image.tobytes()) for image in (first, second) if image is not None]
    out = memory.place(guard + bytes(out_size) + guard) + GUARD_BYTES
    scratch = memory.place(bytes(scratch_size) + guard, 8)
    op = memory.place(_operator(lowered, linked, memory))
    views = [
        memory.place(_view(address, shape))
        for address, shape in zip(images, (first.shape, first.shape), strict=False)
    ]
    target = memory.place(_view(out, out_shape))
    rect = memory.place(struct.pack("<4h", 0, out_shape[0], 0, out_shape[1]))
    arguments = [op, views[0], views[1] if second is not None else 0, target]
    registers = (UC_ARM_REG_R0, UC_ARM_REG_R1, UC_ARM_REG_R2, UC_ARM_REG_R3)
    for register, value in zip(registers, arguments, strict=True):
        machine.reg_write(register, value)
    machine.mem_write(STACK_TOP - 8, struct.pack("<2I", rect, scratch))
    machine.reg_write(UC_ARM_REG_SP, STACK_TOP - 8)
    machine.reg_write(UC_ARM_REG_LR, RETURN | 1)
    machine.emu_start(linked.symbols["mcu_run"] | 1, RETURN)
    assert machine.reg_read(UC_ARM_REG_SP) == STACK_TOP - 8
    assert machine.mem_read(scratch + scratch_size, GUARD_BYTES) == guard, "beyond the scratch"
    around = machine.mem_read(out - GUARD_BYTES, out_size + 2 * GUARD_BYTES)
    assert around[:GUARD_BYTES] == guard == around[-GUARD_BYTES:], "beyond the output"
    return np.frombuffer(bytes(around[GUARD_BYTES:-GUARD_BYTES]), np.int8).reshape(out_shape)


def _view(address: int, shape: tuple[int, ...]) -> bytes:
    height, width, channels = shape
    return struct.pack("<Ii6h", address, width * channels, 0, height, 0, width, channels, height)


def _operator(lowered: LoweredOp, linked: Blob, memory: Memory) -> bytes:
    """An ``mcu_op``, its constants and parameters (words, all of them) placed before it."""
    addresses = {
        f"${constant.name}": memory.place(constant.data, constant.alignment) for constant in lowered.constants
    }
    addresses |= {name: address | 1 for name, address in linked.symbols.items()}
    addresses["NULL"] = 0
    tokens = re.findall(r"= (\$\w+|mcu_\w+|NULL|-?\d+)", lowered.params)
    words = [addresses[token] if token in addresses else int(token) & 0xFFFFFFFF for token in tokens]
    params = memory.place(struct.pack(f"<{len(words)}I", *words))
    return struct.pack(
        "<2I6B2x",
        linked.symbols[lowered.kernel] | 1,
        params,
        lowered.kernel_h,
        lowered.stride_h,
        lowered.pad_top,
        lowered.stride_w,
        lowered.pad_left,
        lowered.rows_per_call,
    )
