"""Small firmware images for tests: one link, and a word in flash that selects what the image does."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

from mcusim import image, layer_section
from mcusim.layer_section import ArenaEntry, LayerEntry, LayerSection, Location, TensorPort

DEMOS = (
    "hello",
    "undefined",
    "unmapped_read",
    "unmapped_write",
    "flash_write",
    "jump_nowhere",
    "jump_arm",
    "endless",
    "deep_recursion",
    "push_below_sram",
    "breakpoint",
    "supervisor_call",
    "sleep",
    "cycle_counter",
    "tick_timer",
    "unmodelled_register",
    "exit_200",
    "network",
    "reset_request",
    "wait_for_event",
    "crash_in_layer",
    "console_handle",
    "exception_return",
    "heap",
    "stale_read",
)

SOURCE = r"""
#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define NOINLINE __attribute__((noinline))

const volatile uint32_t demo_selector = 0xD3305E1Eu;
static volatile uint32_t sink;
int8_t arena[64] __attribute__((section(".noinit"), aligned(8)));
uint8_t heap_area[256] __attribute__((section(".noinit"), aligned(8)));
static int bss_word;
static int data_word = 42;

static uint32_t semihost(uint32_t operation, const void *parameter) {
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = parameter;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static void print(const char *text) { semihost(0x04, text); }

static void leave(uint32_t code) {
    const uint32_t block[2] = {0x20026u, code};
    semihost(0x20, block);
    for (;;) {
    }
}

NOINLINE int recurse(int depth) {
    volatile char frame[64];
    frame[0] = (char)depth;
    int below = depth > 0 ? recurse(depth - 1) : 0;
    return below + frame[0];
}

NOINLINE void layer_double(void) {
    for (int i = 0; i < 8; i++) arena[8 + i] = (int8_t)(2 * arena[i]);
    sink = (uint32_t)recurse(2);
}

NOINLINE void layer_add(void) {
    for (int i = 0; i < 8; i++) arena[16 + i] = (int8_t)(arena[8 + i] + 3);
    if (demo_selector == 20) __asm__ volatile("udf #7");
}

NOINLINE void network_invoke(void) {
    layer_double();
    layer_add();
    __asm__ volatile("");
}

NOINLINE void spin(void) {
    for (;;) __asm__ volatile("");
}

static void hello(void) {
    const char letters[] = "ok\n";
    print("hello, ");
    print(bss_word == 0 && data_word == 42 ? "memory is set up, " : "memory is wrong, ");
    for (int i = 0; letters[i]; i++) semihost(0x03, &letters[i]);
    leave(7);
}

static void cycle_counter(void) {
    REGISTER(0xE000EDFC) |= 1u << 24;
    REGISTER(0xE0001004) = 0;
    REGISTER(0xE0001000) |= 1;
    uint32_t first = REGISTER(0xE0001004);
    for (int i = 0; i < 1000; i++) __asm__ volatile("");
    uint32_t spent = REGISTER(0xE0001004) - first;
    leave(spent >= 2000 && spent < 6000 ? 0 : 1);
}

static void tick_timer(void) {
    REGISTER(0xE000E014) = 999;
    REGISTER(0xE000E018) = 0;
    REGISTER(0xE000E010) = 5;
    int wraps = 0;
    for (int i = 0; i < 10000 && wraps < 3; i++) wraps += (REGISTER(0xE000E010) >> 16) & 1;
    leave(wraps == 3 && REGISTER(0xE000E018) < 1000 ? 0 : 1);
}

static void console_handle(void) {
    const uint32_t open[3] = {(uint32_t)":tt", 4, 3};
    const uint32_t handle = semihost(0x01, open);
    const uint32_t write[3] = {handle, (uint32_t)"to a handle\n", 12};
    leave(semihost(0x05, write));
}

void demo_main(void) {
    uint32_t nothing[1] = {0};
    switch (demo_selector) {
    case 1: __asm__ volatile("udf #3");
    case 2: sink = REGISTER(0x30000000); break;
    case 3: REGISTER(0x30000000) = 1; break;
    case 4: REGISTER((uint32_t)&demo_selector) = 1; break;
    case 5: ((void (*)(void))0x30000001)(); break;
    case 6: ((void (*)(void))0x08000100)(); break;
    case 7: spin(); break;
    case 8: sink = (uint32_t)recurse(100000); break;
    case 9: __asm__ volatile("mov sp, %0\n push {r0-r7}" ::"r"(0x20000008)); break;
    case 10: __asm__ volatile("bkpt 1"); break;
    case 11: __asm__ volatile("svc 5"); break;
    case 12: __asm__ volatile("wfi"); break;
    case 13: cycle_counter(); break;
    case 14: tick_timer(); break;
    case 15:
        sink = REGISTER(0x40023800);
        REGISTER(0x40023800) = 5;
        leave(REGISTER(0x40023800) == 5 ? 0 : 1);
        break;
    case 16: leave(200); break;
    case 17:
    case 20: network_invoke(); break;
    case 18: REGISTER(0xE000ED0C) = 0x05FA0004; break;
    case 19: __asm__ volatile("sev\n wfe\n nop"); break;
    case 21: console_handle(); break;
    case 22: __asm__ volatile("bx %0" ::"r"(0xFFFFFFF9u)); break;
    case 23: heap_area[99] = 1; break;
    case 24: sink = heap_area[8] + heap_area[9]; break;
    default: hello();
    }
    semihost(0x18, (const void *)0x20026);
    sink = nothing[0];
    for (;;) {
    }
}
"""

STARTUP = r"""
.syntax unified
.thumb
.section .vectors, "a", %progbits
.word __stack_top
.word Reset_Handler
.text
.global Reset_Handler
.type Reset_Handler, %function
Reset_Handler:
    ldr r0, =__data_start
    ldr r1, =__data_end
    ldr r2, =__data_load
1:  cmp r0, r1
    bhs 2f
    ldr r3, [r2], #4
    str r3, [r0], #4
    b 1b
2:  ldr r0, =__bss_start
    ldr r1, =__bss_end
    movs r2, #0
3:  cmp r0, r1
    bhs 4f
    str r2, [r0], #4
    b 3b
4:  bl demo_main
    b .
.ltorg
.section .mcusim.layers, "", %progbits
.incbin "layers.json"
"""

LINKER_SCRIPT = r"""
ENTRY(Reset_Handler)
MEMORY {
  FLASH (rx) : ORIGIN = FLASH_START, LENGTH = 128K
  SRAM (rwx) : ORIGIN = 0x20000000, LENGTH = 128K
}
SECTIONS {
  .text : { KEEP(*(.vectors)) *(.text*) *(.rodata*) . = ALIGN(4); } > FLASH
  .data : { __data_start = .; *(.data*) . = ALIGN(4); __data_end = .; } > SRAM AT > FLASH
  __data_load = LOADADDR(.data);
  .bss (NOLOAD) : { __bss_start = .; *(.bss*) . = ALIGN(4); __bss_end = .; } > SRAM
  .noinit (NOLOAD) : { *(.noinit) . = ALIGN(8); } > SRAM
  __heap_start = heap_area;
  __heap_end = heap_area + 256;
  .stack (NOLOAD) : { . = ALIGN(8); __stack_limit = .; . += 1024; __stack_top = .; } > SRAM
  /DISCARD/ : { *(.ARM.exidx*) *(.ARM.extab*) }
}
"""

LINK = ("-Wl,-e,Reset_Handler", "-T", "link.ld")
TARGET = ("-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m4+vfp4d16sp")


def section() -> LayerSection:
    """What the images say of the network in them: two layers on eight bytes, out = 2 * in + 3."""

    def port(name: str, offset: int) -> TensorPort:
        location = Location(symbol="arena", offset=offset, bytes=8)
        return TensorPort(
            name=name,
            shape=(1, 8),
            dtype="int8",
            scale=1.0,
            zero_point=0,
            location=location,
            memory="sram",
        )

    def layer(index: int, symbol: str, offset: int) -> LayerEntry:
        return LayerEntry(
            index=index,
            name=symbol,
            op="MUL" if index == 0 else "ADD",
            symbol=symbol,
            shape_in=(1, 8),
            shape_out=(1, 8),
            macs=8,
            output=Location(symbol="arena", offset=offset, bytes=8),
        )

    return LayerSection(
        network="demo",
        invoke="network_invoke",
        inputs=(port("in", 0),),
        outputs=(port("out", 16),),
        arena=ArenaEntry(symbol="arena", bytes=64, input_bytes=8, scratch_symbol="", scratch_bytes=0),
        layers=(layer(0, "layer_double", 8), layer(1, "layer_add", 16)),
        schedule={},
        build={},
    )


def build(folder: Path, flash_start: int = 0x0800_0000) -> bytes:
    """The ELF with nothing selected; one call of the compiler."""
    (folder / "demo.c").write_text(SOURCE)
    (folder / "startup.s").write_text(STARTUP)
    (folder / "link.ld").write_text(LINKER_SCRIPT.replace("FLASH_START", hex(flash_start)))
    (folder / "layers.json").write_bytes(layer_section.encode(section()))
    command = [sys.executable, "-m", "ziglang", "cc", *TARGET, "-O2", "-g", "-nostdlib"]
    subprocess.run([*command, *LINK, "demo.c", "startup.s", "-o", "demo.elf"], cwd=folder, check=True)
    return (folder / "demo.elf").read_bytes()


def select(elf: bytes, demo: str) -> bytes:
    """The same image with one demo selected."""
    selector = struct.pack("<I", 0xD3305E1E)
    loaded = image.load(elf)
    assert loaded.symbol("demo_selector") is not None
    assert elf.count(selector) == 1
    return elf.replace(selector, struct.pack("<I", DEMOS.index(demo)))
