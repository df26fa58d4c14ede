"""Firmware that mcusim has no part in: GCC, newlib's start-up, printf and malloc over semihosting."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from mcusim.simulate import simulate

GCC = shutil.which("arm-none-eabi-gcc")
TARGET = ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16")

PROGRAM = r"""
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
extern char end[];
int main(void) {
    volatile float two = 2.0f;
    char *text = malloc(100);
    snprintf(text, 100, "%.5f", sqrtf(two));
    printf("the root of %d is %s\n", 2, text);
    free(text);
    text = malloc(3000);
    for (int i = 0; i < 2000; i++) text[i] = (char)i;
    for (int i = 0; i < 1000; i++) two += text[i];
    free(text);
    printf("the heap ends %d bytes above its start\n", (int)((char *)sbrk(0) - end));
    return 5;
}
"""

STARTUP = r"""
.syntax unified
.thumb
.section .isr_vector, "a", %progbits
.word __stack
.word Reset_Handler
.text
.thumb_func
.global Reset_Handler
Reset_Handler:
    ldr r0, =0xE000ED88
    ldr r1, [r0]
    orr r1, r1, #0xF00000
    str r1, [r0]
    dsb
    isb
    ldr r0, =_sidata
    ldr r1, =_sdata
    ldr r2, =_edata
1:  cmp r1, r2
    bhs 2f
    ldr r3, [r0], #4
    str r3, [r1], #4
    b 1b
2:  b _start
"""

LINKER_SCRIPT = r"""
ENTRY(Reset_Handler)
MEMORY {
  FLASH (rx) : ORIGIN = 0x08000000, LENGTH = 1M
  RAM (rwx) : ORIGIN = 0x20000000, LENGTH = 128K
}
SECTIONS {
  .text : { KEEP(*(.isr_vector)) *(.text*) *(.rodata*) KEEP(*(.init)) KEEP(*(.fini)) *(.eh_frame*) } > FLASH
  .ARM.exidx : { *(.ARM.exidx*) } > FLASH
  .init_array : {
    __preinit_array_start = .; __preinit_array_end = .;
    __init_array_start = .; KEEP(*(.init_array*)) __init_array_end = .;
    __fini_array_start = .; KEEP(*(.fini_array*)) __fini_array_end = .;
  } > FLASH
  _sidata = LOADADDR(.data);
  .data : { _sdata = .; *(.data*) . = ALIGN(4); _edata = .; } > RAM AT > FLASH
  .bss : {
    __bss_start__ = .; *(.bss*) *(COMMON) . = ALIGN(8); __bss_end__ = .;
    end = .; __end__ = .;
  } > RAM
  __stack = ORIGIN(RAM) + LENGTH(RAM);
}
"""


def _build(folder: Path) -> Path:
    for name, text in (("main.c", PROGRAM), ("startup.S", STARTUP), ("link.ld", LINKER_SCRIPT)):
        (folder / name).write_text(text)
    options = [*TARGET, "--specs=rdimon.specs", "-O2", "-g", "-T", "link.ld", "-u", "_printf_float"]
    built = subprocess.run(
        [str(GCC), *options, "main.c", "startup.S", "-lm", "-o", "newlib.elf"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if "rdimon.specs" in built.stderr:
        pytest.skip("arm-none-eabi-gcc has no newlib")
    assert built.returncode == 0, built.stderr
    return folder / "newlib.elf"


@pytest.mark.skipif(GCC is None, reason="arm-none-eabi-gcc is not installed")
def test_printf_over_semihosting(tmp_path: Path) -> None:
    texts: list[str] = []
    result = simulate(_build(tmp_path), "stm32f407", console=texts.append, layers_regex=".*printf.*")
    assert result.error is None
    assert result.trace.exit.code == 5
    root, heap = "".join(texts).splitlines()
    assert root == "the root of 2 is 1.41421"
    memory = result.trace.memory
    assert heap == f"the heap ends {memory.heap_bytes} bytes above its start"
    assert 1000 <= memory.heap_live_peak_bytes <= memory.heap_bytes
    total = result.trace.totals.cycles
    assert sum(layer.cycles for layer in result.trace.layers) + result.profile.rest_cycles == total
    assert sum(cost.cycles for cost in result.instruction_costs().values()) == total
    main = next(function for function in result.trace.functions if function.name == "main")
    assert main.file.endswith("main.c")
    assert main.cycles_total > main.cycles_self
