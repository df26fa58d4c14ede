/* Semihosting calls, Arm "Semihosting for AArch32 and AArch64": BKPT 0xAB, operation in r0, argument
 * in r1. */
#include "mcu_boot.h"

#define SYS_WRITE0 0x04u
#define SYS_EXIT_EXTENDED 0x20u
#define ADP_STOPPED_APPLICATION_EXIT 0x20026u

static void semihosting_call(uint32_t operation, const void *argument) {
    register uint32_t r0 __asm("r0") = operation;
    register const void *r1 __asm("r1") = argument;
    __asm volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
}

_Noreturn void mcu_exit(int code) {
    const uint32_t block[2] = {ADP_STOPPED_APPLICATION_EXIT, (uint32_t)code};
    for (;;) {
        semihosting_call(SYS_EXIT_EXTENDED, block);
    }
}

void mcu_write(const char *text) {
    semihosting_call(SYS_WRITE0, text);
}

/* Bit by bit: a table would cost 1 KiB of flash for something that runs once. */
static uint32_t crc32(const uint8_t *data, uint32_t size) {
    uint32_t crc = 0xFFFFFFFFu;
    for (uint32_t i = 0; i < size; ++i) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; ++bit) {
            crc = (crc >> 1) ^ (0xEDB88320u & (0u - (crc & 1u)));
        }
    }
    return ~crc;
}

void mcu_write_crc(const char *name, const void *data, uint32_t size) {
    char digits[10];
    uint32_t crc = crc32(data, size);
    for (int i = 0; i < 8; ++i) {
        digits[i] = "0123456789abcdef"[(crc >> (28 - 4 * i)) & 15u];
    }
    digits[8] = '\n';
    digits[9] = '\0';
    mcu_write("crc ");
    mcu_write(name);
    mcu_write(" ");
    mcu_write(digits);
}
