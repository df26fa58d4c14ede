"""Firmware with exceptions: one link, a word in flash selects what the image does. It prints letters, which
tell what happened in which order, and some cycle counts, and ends with code 0."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

from demo_firmware import LINK, LINKER_SCRIPT, TARGET

DEMOS = (
    "call",
    "ticks",
    "sleep",
    "preemption",
    "tail_chain",
    "masked",
    "threads",
    "floating_point",
)
SELECTOR = 0xD3305E1E

SOURCE = r"""
#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define NOINLINE __attribute__((noinline))
#define NAKED __attribute__((naked))
#define CYCLES REGISTER(0xE0001004)
#define ICSR REGISTER(0xE000ED04)
#define BARRIER __asm__ volatile("dsb\n isb" ::: "memory")
#define PEND(n) do { REGISTER(0xE000E200) = 1u << (n); BARRIER; } while (0)

const volatile uint32_t demo_selector = 0xD3305E1Eu;
uint8_t heap_area[256] __attribute__((section(".noinit"), aligned(8)));
static char log_text[64];
static volatile uint32_t logged, ticks, entered, left, went;
static uint64_t stacks[2][64];
static uint32_t *volatile saved[2];
static volatile uint32_t current;

static uint32_t semihost(uint32_t operation, const void *parameter) {
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = parameter;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static void note(char letter) { log_text[logged++] = letter; }

static void number(uint32_t value) {
    char digits[12] = {0};
    int at = 11;
    do digits[--at] = (char)('0' + value % 10); while (value /= 10);
    digits[--at] = ' ';
    semihost(0x04, digits + at);
}

static void finish(void) {
    semihost(0x04, log_text);
    number(ticks);
    number(entered);
    number(left);
    semihost(0x18, (void *)0x20026);
}

NAKED void SVC_Handler(void) {
    __asm__ volatile("ldr r1, =0xE0001004\n ldr r2, [r1]\n ldr r3, =entered_at\n str r2, [r3]\n"
                     "ldr r0, [sp]\n adds r0, #5\n str r0, [sp]\n bx lr\n .ltorg\n");
}
volatile uint32_t entered_at;

void SysTick_Handler(void) {
    if (ticks == 0) entered = CYCLES;
    if (ticks == 3) left = CYCLES;
    ++ticks;
}

void IRQ0_Handler(void) { note('a'); PEND(1); note('A'); }
void IRQ1_Handler(void) { note('b'); entered = CYCLES; }
void IRQ2_Handler(void) { left = CYCLES; note('c'); }

NAKED void PendSV_Handler(void) {
    __asm__ volatile("mrs r0, psp\n stmdb r0!, {r4-r11}\n"
                     "ldr r1, =current\n ldr r2, [r1]\n ldr r3, =saved\n str r0, [r3, r2, lsl #2]\n"
                     "eor r2, r2, #1\n str r2, [r1]\n ldr r0, [r3, r2, lsl #2]\n"
                     "ldmia r0!, {r4-r11}\n msr psp, r0\n bx lr\n .ltorg\n");
}

static void yield(void) { ICSR = 1u << 28; BARRIER; while (went == current) {} }

NOINLINE void thread_a(void) {
    for (int i = 0; i < 3; i++) { note('a'); went = 0; yield(); }
    finish();
}
NOINLINE void thread_b(void) {
    for (;;) { note('b'); went = 1; yield(); }
}

static uint32_t *prepare(uint64_t *stack, void (*entry)(void)) {
    uint32_t *top = (uint32_t *)(stack + 64) - 16;
    top[14] = (uint32_t)entry;
    top[15] = 1u << 24;
    return top;
}

static void start_cycles(void) {
    REGISTER(0xE000EDFC) |= 1u << 24;
    CYCLES = 0;
    REGISTER(0xE0001000) |= 1;
}

static void start_timer(uint32_t period) {
    REGISTER(0xE000E014) = period - 1;
    REGISTER(0xE000E018) = 0;
    REGISTER(0xE000E010) = 7;
}

static void call(void) {
    register uint32_t r0 __asm__("r0") = 37;
    __asm__ volatile("ldr r4, =0xE0001004\n ldr r5, [r4]\n svc 3\n ldr r6, [r4]\n"
                     "ldr r8, =entered_at\n ldr r8, [r8]\n sub r8, r8, r5\n subs r6, r6, r5\n"
                     "ldr r4, =entered\n str r8, [r4]\n ldr r4, =left\n str r6, [r4]\n"
                     : "+r"(r0) : : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "memory");
    ticks = r0;
}

NOINLINE static void spin(uint32_t until) { while (ticks < until) {} }

static void timed(int sleeps) {
    start_timer(1000);
    while (ticks < 4) { if (sleeps) __asm__ volatile("wfi"); else spin(ticks + 1); }
}

static void enable(uint32_t priorities) {
    REGISTER(0xE000E400) = priorities;
    REGISTER(0xE000E100) = 7;
}

static void masked(void) {
    enable(0);
    __asm__ volatile("cpsid i" ::: "memory");
    PEND(1);
    for (volatile int i = 0; i < 100; i++) {}
    note('m');
    __asm__ volatile("cpsie i" ::: "memory");
    for (volatile int i = 0; i < 100; i++) {}
    note('e');
}

static void threads(void) {
    saved[0] = prepare(stacks[0], thread_a);
    saved[1] = prepare(stacks[1], thread_b);
    __asm__ volatile("msr psp, %0\n movs r0, #2\n msr control, r0\n isb\n bx %1\n"
                     : : "r"(stacks[0] + 64), "r"(thread_a) : "r0", "memory");
}

static void floating_point(void) {
    volatile float sum = 0;
    start_timer(500);
    float x = 1.0f, total = 0;
    while (ticks < 20) { total += x; x = x * 0.5f + 0.5f; __asm__ volatile("" : "+t"(x), "+t"(total)); }
    sum = total;
    entered = left = 0;
    note(x == 1.0f && sum > 100.0f && sum == (float)(uint32_t)sum ? 'y' : 'n');
}

void Tick_Clobber(void) {
    __asm__ volatile("vmov s0, %0\n vmov s1, %0\n vmov s2, %0\n vmov s3, %0\n vmov s4, %0\n vmov s15, %0\n"
                     : : "r"(0x7FC00000) : "s0", "s1", "s2", "s3", "s4", "s15");
    ++ticks;
}
void Tick_Handler(void) { if (demo_selector == 7) Tick_Clobber(); else SysTick_Handler(); }

void demo_main(void) {
    REGISTER(0xE000ED88) |= 0xFu << 20;
    __asm__ volatile("dsb\n isb");
    start_cycles();
    switch (demo_selector) {
    case 0: call(); break;
    case 1: timed(0); break;
    case 2: timed(1); break;
    case 3: enable(0x80 | 0x40 << 8); PEND(0); break;
    case 4: enable(0x80 | 0x80 << 8 | 0xC0 << 16); REGISTER(0xE000E200) = 5; BARRIER; break;
    case 5: masked(); break;
    case 6: threads(); break;
    default: floating_point(); break;
    }
    finish();
}
"""

STARTUP = r"""
.syntax unified
.thumb
.section .vectors, "a", %progbits
.word __stack_top
.word Reset_Handler
.space 36
.word SVC_Handler
.space 8
.word PendSV_Handler
.word Tick_Handler
.word IRQ0_Handler
.word IRQ1_Handler
.word IRQ2_Handler
.text
.global Reset_Handler
.type Reset_Handler, %function
Reset_Handler:
    ldr r0, =__bss_start
    ldr r1, =__bss_end
    movs r2, #0
1:  cmp r0, r1
    bhs 2f
    str r2, [r0], #4
    b 1b
2:  bl demo_main
    b .
.ltorg
"""


def build(folder: Path, flash_start: int = 0x0800_0000) -> bytes:
    """The ELF with nothing selected; one call of the compiler."""
    (folder / "exceptions.c").write_text(SOURCE)
    (folder / "startup.s").write_text(STARTUP)
    (folder / "link.ld").write_text(LINKER_SCRIPT.replace("FLASH_START", hex(flash_start)))
    command = [sys.executable, "-m", "ziglang", "cc", *TARGET, "-O2", "-g", "-nostdlib"]
    files = ["exceptions.c", "startup.s", "-o", "exceptions.elf"]
    subprocess.run([*command, *LINK, *files], cwd=folder, check=True)
    return (folder / "exceptions.elf").read_bytes()


def select(elf: bytes, demo: str) -> bytes:
    """The same image with one demo selected."""
    selector = struct.pack("<I", SELECTOR)
    assert elf.count(selector) == 1
    return elf.replace(selector, struct.pack("<I", DEMOS.index(demo)))
