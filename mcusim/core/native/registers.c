#include "registers.h"

enum { READABLE_REGISTERS = 15, ALWAYS = 14 };
enum { FLAG_N = 8, FLAG_Z = 4, FLAG_C = 2, FLAG_V = 1 };

void registers_read(const mcusim_emulator *emulator, uint32_t *values) {
    for (uint32_t i = 0; i < READABLE_REGISTERS; ++i) {
        emulator->reg_read(emulator->engine, emulator->core_registers[i], values + i);
    }
}

uint32_t registers_flags(const mcusim_emulator *emulator) {
    uint64_t status = 0;
    emulator->reg_read(emulator->engine, emulator->status_register, &status);
    return (uint32_t)status >> 28;
}

/* Arm DDI 0403E, A7.3.1; odd conditions are the opposites of the even ones before them. */
int condition_holds(uint8_t condition, uint32_t flags) {
    int n = (flags & FLAG_N) != 0;
    int z = (flags & FLAG_Z) != 0;
    int c = (flags & FLAG_C) != 0;
    int v = (flags & FLAG_V) != 0;
    const int even[] = {z, c, n, v, c && !z, n == v, n == v && !z, 1};
    return condition >= ALWAYS || even[condition >> 1] != (condition & 1);
}
