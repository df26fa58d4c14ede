/* What every harness shares: the cycle counter, and the line by which an image reports its figure. */
#ifndef COUNTED_H
#define COUNTED_H

#include "mcu_boot.h"

#include <stdint.h>

/* ARMv7-M ARM (DDI 0403E): C1.6.5 DEMCR, C1.8.7 DWT_CTRL, C1.8.8 DWT_CYCCNT. */
#define DEMCR (*(volatile uint32_t *)0xE000EDFCu)
#define DEMCR_TRCENA (1u << 24)
#define DWT_CTRL (*(volatile uint32_t *)0xE0001000u)
#define DWT_CTRL_CYCCNTENA 1u
#define DWT_CYCCNT (*(volatile uint32_t *)0xE0001004u)

static inline void start_counter(void) {
    DEMCR |= DEMCR_TRCENA;
    DWT_CTRL |= DWT_CTRL_CYCCNTENA;
}

/* Writes the line "cycles N". */
static inline void report_cycles(uint32_t cycles) {
    char digits[12];
    char *first = digits + sizeof digits - 2;
    first[0] = '\n';
    first[1] = '\0';
    do {
        *--first = (char)('0' + cycles % 10);
        cycles /= 10;
    } while (cycles != 0);
    mcu_write("cycles ");
    mcu_write(first);
}

#endif
