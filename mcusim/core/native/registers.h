/* The emulator's registers, read fast where it lets them be found. */
#ifndef MCUSIM_REGISTERS_H
#define MCUSIM_REGISTERS_H

#include <string.h>

#include "mcusim_core.h"

enum { CORE_REGISTERS = 16 };

/* The slow path of registers_copy. */
void registers_read(const mcusim_emulator *emulator, uint32_t *values);

/* N, Z, C and V, in the low bits. */
uint32_t registers_flags(const mcusim_emulator *emulator);

/* Whether an instruction with that condition is executed under these flags. */
int condition_holds(uint8_t condition, uint32_t flags);

/* R0 to R14 into `values`, which has room for CORE_REGISTERS. */
static inline void registers_copy(const mcusim_emulator *emulator, uint32_t *values) {
    if (emulator->registers) {
        memcpy(values, emulator->registers, CORE_REGISTERS * sizeof *values);
    } else {
        registers_read(emulator, values);
    }
}

#endif
