"""Firmware that misuses or spreads its memory: null pointers, alignment, heap, stacks; one demo an image.

SRAM is laid out as small C libraries have it: data, then the heap from ``end`` upwards, and the stack from
the top of SRAM down to it, with no limit between them.
"""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

from demo_firmware import LINK, STARTUP, TARGET

from mcusim import image

DEMOS = (
    "null_member",
    "null_write",
    "unaligned_pair",
    "unaligned_many",
    "unaligned_word",
    "unaligned_trap",
    "unaligned_trap_half",
    "stack_into_data",
    "stack_into_heap",
    "heap_into_stack",
    "heap",
    "heap_shrinks",
    "threads",
    "thread_overflow",
    "longjmp",
    "pool",
)

SOURCE = r"""
#include <stddef.h>
#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define NOINLINE __attribute__((noinline))

const volatile uint32_t demo_selector = 0xD3305E1Eu;
static volatile uint32_t sink;
static uint8_t bytes[32] __attribute__((aligned(8)));
static volatile uint8_t pool[512] __attribute__((section(".noinit")));
struct node { uint32_t words[4]; uint32_t value; };
extern char end[];

static void leave(uint32_t code) {
    const uint32_t block[2] = {0x20026u, code};
    register uint32_t r0 __asm__("r0") = 0x20;
    register const void *r1 __asm__("r1") = block;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    for (;;) {
    }
}

NOINLINE void *_sbrk(ptrdiff_t more) {
    static char *break_at = end;
    char *before = break_at;
    break_at += more;
    return before;
}

NOINLINE uint32_t value_of(const struct node *node) { return node->value; }
NOINLINE void set_value(struct node *node) { node->value = 1; }

NOINLINE uint32_t read_pair(const void *from) {
    uint32_t low, high;
    __asm__ volatile("ldrd %0, %1, [%2]" : "=r"(low), "=r"(high) : "r"(from));
    return low + high;
}

NOINLINE void write_many(void *to) { __asm__ volatile("stm %0, {r1-r3}" ::"r"(to) : "memory"); }
NOINLINE uint32_t read_word(const void *from) { return *(const volatile uint32_t *)from; }
NOINLINE void write_half(void *to) { *(volatile uint16_t *)to = 7; }

NOINLINE int recurse(int depth) {
    volatile char frame[64];
    frame[0] = (char)depth;
    int below = depth > 0 ? recurse(depth - 1) : 0;
    return below + frame[0];
}

static void use_heap(void) {
    uint8_t *first = _sbrk(1000);
    for (int i = 0; i < 300; i++) first[i] = (uint8_t)i;
    for (int i = 0; i < 200; i++) sink += first[i];
    _sbrk(500);
}

static uint64_t stack_a[64], stack_b[64];
uint32_t *other;

/* Save what a call preserves, and go on where the other thread stopped. */
__attribute__((naked)) NOINLINE void yield(void) {
    __asm__ volatile(
        "push {r4-r11, lr}\n"
        "ldr r0, =other\n"
        "ldr r1, [r0]\n"
        "mrs r2, psp\n"
        "str r2, [r0]\n"
        "msr psp, r1\n"
        "isb\n"
        "pop {r4-r11, pc}\n");
}

NOINLINE void thread_a(void) {
    for (int i = 0; i < 3; i++) {
        sink += (uint32_t)recurse(1);
        yield();
    }
    leave(0);
}

NOINLINE void thread_b(void) {
    for (;;) {
        sink += (uint32_t)recurse(demo_selector == 13 ? 40 : 3);
        yield();
    }
}

NOINLINE void start_threads(void) {
    uint32_t *b = (uint32_t *)(stack_b + 64) - 9;
    b[8] = (uint32_t)thread_b;
    other = b;
    __asm__ volatile("msr psp, %0\n movs r0, #2\n msr control, r0\n isb\n b thread_a" ::"r"(stack_a + 64)
                     : "r0");
}

static uint32_t jump_buffer[10];

__attribute__((naked, noinline, returns_twice)) int save_place(uint32_t *place) {
    __asm__ volatile("mov r1, sp\n stm r0, {r1, r4-r11, lr}\n movs r0, #0\n bx lr");
}

__attribute__((naked, noinline)) void jump_to(const uint32_t *place) {
    __asm__ volatile("ldm r0, {r1, r4-r11, lr}\n mov sp, r1\n movs r0, #1\n bx lr");
}

NOINLINE void jump_back(void) {
    sink = (uint32_t)recurse(4);
    jump_to(jump_buffer);
}

static void long_jump(void) {
    if (!save_place(jump_buffer)) jump_back();
    sink = (uint32_t)recurse(1);
    leave(0);
}

void demo_main(void) {
    switch (demo_selector) {
    case 0: sink = value_of(NULL); break;
    case 1: set_value(NULL); break;
    case 2: sink = read_pair(bytes + 2); break;
    case 3: write_many(bytes + 1); break;
    case 4: sink = read_word(bytes + 1); break;
    case 5:
        REGISTER(0xE000ED14) |= 8;
        sink = read_word(bytes + 1);
        break;
    case 6:
        REGISTER(0xE000ED14) |= 8;
        sink = read_word(bytes);
        write_half(bytes + 3);
        break;
    case 7: sink = (uint32_t)recurse(100000); break;
    case 8:
        _sbrk(2000);
        sink = (uint32_t)recurse(100000);
        break;
    case 9: sink = *(volatile uint8_t *)_sbrk(20000); break;
    case 10: use_heap(); break;
    case 11:
        use_heap();
        _sbrk(-1200);
        _sbrk(100);
        break;
    case 12:
    case 13: start_threads(); break;
    case 14: long_jump(); break;
    case 15:
        for (int i = 0; i < 100; i++) pool[i] = 1;
        for (int i = 0; i < 50; i++) sink += pool[i];
        break;
    }
    leave(0);
}
"""

LINKER_SCRIPT = r"""
ENTRY(Reset_Handler)
MEMORY {
  FLASH (rx) : ORIGIN = FLASH_START, LENGTH = 128K
  SRAM (rwx) : ORIGIN = 0x20000000, LENGTH = 16K
}
SECTIONS {
  .text : { KEEP(*(.vectors)) *(.text*) *(.rodata*) . = ALIGN(4); } > FLASH
  .data : { __data_start = .; *(.data*) . = ALIGN(4); __data_end = .; } > SRAM AT > FLASH
  __data_load = LOADADDR(.data);
  .bss (NOLOAD) : { __bss_start = .; *(.bss*) . = ALIGN(8); __bss_end = .; } > SRAM
  .noinit (NOLOAD) : { *(.noinit) . = ALIGN(8); end = .; } > SRAM
  __stack_top = ORIGIN(SRAM) + LENGTH(SRAM);
  /DISCARD/ : { *(.ARM.exidx*) *(.ARM.extab*) }
}
"""


def build(folder: Path, flash_start: int = 0x0800_0000) -> bytes:
    """The ELF with nothing selected; one call of the compiler."""
    (folder / "memory.c").write_text(SOURCE)
    startup = STARTUP.partition(".section .mcusim.layers")[0]
    whole_table = startup.replace(".word Reset_Handler\n", ".word Reset_Handler\n.space 56\n", 1)
    (folder / "startup.s").write_text(whole_table)
    (folder / "link.ld").write_text(LINKER_SCRIPT.replace("FLASH_START", hex(flash_start)))
    command = [sys.executable, "-m", "ziglang", "cc", *TARGET, "-O2", "-g", "-nostdlib"]
    subprocess.run([*command, *LINK, "memory.c", "startup.s", "-o", "memory.elf"], cwd=folder, check=True)
    return (folder / "memory.elf").read_bytes()


def select(elf: bytes, demo: str) -> bytes:
    """The same image with one demo selected."""
    selector = struct.pack("<I", 0xD3305E1E)
    assert image.load(elf).symbol("demo_selector") is not None
    assert elf.count(selector) == 1
    return elf.replace(selector, struct.pack("<I", DEMOS.index(demo)))
