/* Filters a square wave, prints whether its fundamental came through, and ends. */
#include "filter.h"

enum { BLOCKS = 16, HALF_PERIOD = 40, ADP_STOPPED_APPLICATION_EXIT = 0x20026 };

extern uint32_t stack_top;
extern volatile uint32_t bss_start[], bss_end[];

static uint32_t semihosting_call(uint32_t operation, const void *argument) {
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static _Noreturn void leave(uint32_t code) {
    const uint32_t block[2] = {ADP_STOPPED_APPLICATION_EXIT, code};
    for (;;) {
        semihosting_call(0x20, block);
    }
}

static void next_block(int16_t *samples, int block) {
    for (int i = 0; i < FILTER_BLOCK; ++i) {
        int phase = (block * FILTER_BLOCK + i) / HALF_PERIOD;
        samples[i] = phase % 2 ? 10000 : -10000;
    }
}

_Noreturn void reset_handler(void) {
    for (volatile uint32_t *word = bss_start; word < bss_end; ++word) {
        *word = 0;
    }
    int16_t samples[FILTER_BLOCK];
    int16_t out[FILTER_BLOCK];
    int32_t largest = 0;
    for (int block = 0; block < BLOCKS; ++block) {
        next_block(samples, block);
        filter_block(samples, out, FILTER_BLOCK);
        for (int i = 0; i < FILTER_BLOCK; ++i) {
            largest = out[i] > largest ? out[i] : largest;
        }
    }
    int passed = largest > 5000;
    semihosting_call(0x04, passed ? "passed\n" : "silent\n");
    leave(passed ? 0 : 1);
}

__attribute__((section(".vectors"), used)) static const void *const vectors[2] = {&stack_top,
                                                                                  (void *)reset_handler};
