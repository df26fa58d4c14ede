/* Vector table and reset: the stack pointer, the FPU, .data and .bss, then main.
 *
 * The stack lies at the bottom of SRAM, so that an overflow leaves the memory instead of destroying data.
 * The activation arena and the kernels' scratch are not cleared: the network writes before it reads. */
#include "mcu_boot.h"

#include <stdint.h>

extern uint32_t __stack_top[];
extern uint32_t __data_load[];
extern uint32_t __data_start[];
extern uint32_t __data_end[];
extern uint32_t __bss_start[];
extern uint32_t __bss_end[];

extern int main(void);

_Noreturn void Reset_Handler(void);
_Noreturn void Default_Handler(void);

/* Coprocessor access control register, ARMv7-M ARM B3.2.20: full access to CP10 and CP11, the FPU. */
#define CPACR ((volatile uint32_t *)0xE000ED88u)
#define CPACR_FPU (0xFu << 20)

#define EXIT_UNEXPECTED_EXCEPTION 255

typedef union vector {
    uint32_t *stack;
    void (*handler)(void);
} vector;

/* System exceptions 1 to 15, ARMv7-M ARM B1.5.2. Interrupts are never enabled. */
__attribute__((section(".vectors"), used)) static const vector vectors[16] = {
    {.stack = __stack_top},
    {.handler = Reset_Handler},
    {.handler = Default_Handler},
    {.handler = Default_Handler},
    {.handler = Default_Handler},
    {.handler = Default_Handler},
    {.handler = Default_Handler},
    {.handler = 0},
    {.handler = 0},
    {.handler = 0},
    {.handler = 0},
    {.handler = Default_Handler},
    {.handler = Default_Handler},
    {.handler = 0},
    {.handler = Default_Handler},
    {.handler = Default_Handler},
};

_Noreturn void Reset_Handler(void) {
    *CPACR |= CPACR_FPU;
    __asm volatile("dsb\n\tisb" ::: "memory");
    const uint32_t *from = __data_load;
    for (uint32_t *to = __data_start; to != __data_end; ++to) {
        *to = *from++;
    }
    for (uint32_t *to = __bss_start; to != __bss_end; ++to) {
        *to = 0;
    }
    mcu_exit(main());
}

_Noreturn void Default_Handler(void) {
    mcu_exit(EXIT_UNEXPECTED_EXCEPTION);
}
