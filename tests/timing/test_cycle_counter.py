"""Firmware that reads DWT CYCCNT around a snippet sees what the micro-benchmarks say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest
from micro_benchmarks import MICRO_BENCHMARKS, MicroBenchmark

from mcusim import chips, image
from mcusim.machine import EventKind, Machine, Setup

RESULTS = 0x20002000
ROWS = [benchmark for benchmark in MICRO_BENCHMARKS if benchmark.target < 0 and not benchmark.in_sram]
"""A loop's branch goes back into the snippet, where nothing reads the counter; this code is in flash."""

AROUND = 4
"""The first reading load and the branch behind it, and the refill up to the second reading load."""

HEAD = """
.syntax unified
.thumb
.cpu cortex-m4
.fpu fpv4-sp-d16
.section .vectors, "ax", %progbits
.word 0x20001000
.word Reset_Handler
.text
.global Reset_Handler
.type Reset_Handler, %function
.type prepare, %function
prepare:  // r0: where the snippet goes, r1: its r0
mov r11, r1
mov r12, lr
mov lr, r0
ldr r1, =0x20000000
add r2, r1, #256
1: subs r2, #4
str r1, [r2]
cmp r2, r1
bhi 1b
add r2, r1, #0x1000
mov sp, r2
movs r3, #8
2: str lr, [r2], #4
subs r3, #1
bne 2b
mov r2, r1
mov r3, r1
mov r4, r1
mov r5, r1
mov r6, r1
mov r7, r1
mov r0, r11
bx r12
.ltorg
Reset_Handler:
ldr r10, =0xE0001004
movs r0, #1
str r0, [r10, #-4]
"""

SNIPPET = """
ldr r0, =out{index} + 1
ldr r1, ={r0}
bl prepare
b entry{index}
.ltorg
.p2align 6
entry{index}: ldr.w r9, [r10]
b.n start{index}
.space {space}
start{index}:
{code}
.space 16
.p2align 2
9: out{index}: ldr.w r12, [r10]
sub.w r12, r12, r9
ldr r0, ={result}
str r12, [r0]
"""

STRAIGHT = """
mov r4, r10
b.n 1f
.p2align 2
1: ldr r1, [r4]
adds r0, #1
mul r0, r0, r0
ldr r2, [r4]
ldr r3, [r4]
subs r1, r2, r1
subs r2, r3, r2
mov r8, r8
ldr r5, [r4]
movs r3, #0
cmp r3, #1
it eq
ldreq r0, [r4]
udiv r0, r0, r3
ldr r6, [r4]
cmp r6, #0
subs r3, r6, r5
ldr r0, ={result}
str r1, [r0]
str r2, [r0, #4]
str r3, [r0, #8]
b 2f
.ltorg
2:
"""

LEAVE = """
movs r0, #0x18
ldr r1, =0x20026
bkpt 0xab
"""

SCRIPT = "SECTIONS { . = 0x08000000; .text : { KEEP(*(.vectors)) *(.text*) } /DISCARD/ : { *(.ARM.*) } }"


def _snippet(index: int, benchmark: MicroBenchmark) -> str:
    pointer = "[r0]" in benchmark.code or "ldm r0" in benchmark.code
    return SNIPPET.format(
        index=index,
        r0="0x20000000" if pointer else "1",
        space=2 + benchmark.offset,
        code=benchmark.code.format(start=f"loop{index}"),
        result=hex(RESULTS + 4 * index),
    )


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """All snippets, each between two readings, then a straight line with five."""
    folder: Path = tmp_path_factory.mktemp("cycle_counter")
    straight = STRAIGHT.format(result=hex(RESULTS + 4 * len(ROWS)))
    text = HEAD + "".join(_snippet(i, b) for i, b in enumerate(ROWS)) + straight + LEAVE
    (folder / "all.s").write_text(text)
    (folder / "link.ld").write_text(SCRIPT)
    target = ["-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m4+vfp4d16sp"]
    link = ["-nostdlib", "-Wl,-e,Reset_Handler", "-T", "link.ld"]
    command = [sys.executable, "-m", "ziglang", "cc", *target, *link, "all.s", "-o", "all.elf"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return (folder / "all.elf").read_bytes()


@pytest.mark.parametrize("core", ["native", "twin"])
def test_readings_around_snippets(firmware: bytes, core: Literal["native", "twin"]) -> None:
    machine = Machine(image.load(firmware), chips.load("stm32l4r5"), Setup(core=core))
    assert machine.run().kind is EventKind.EXITED
    raw = machine.memory.read(RESULTS, 4 * (len(ROWS) + 3)) or b""
    machine.close()
    readings = [int.from_bytes(raw[i : i + 4], "little") for i in range(0, len(raw), 4)]
    expected = {benchmark.name: benchmark.expected + AROUND for benchmark in ROWS}
    assert dict(zip(expected, readings, strict=False)) == expected
    # A load (2), an addition and a multiplication; then a load that the next one follows (1); then a load
    # (2), two instructions with a folded IT, a skipped load (1), and a division by zero (2).
    assert readings[len(ROWS) :] == [4, 1, 7]
