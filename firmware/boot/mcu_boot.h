/* What a firmware image can do without an operating system: write text and end, by semihosting. */
#ifndef MCU_BOOT_H
#define MCU_BOOT_H

#include <stdint.h>

/* End the program with an exit code. */
_Noreturn void mcu_exit(int code);

/* Write a zero-terminated string to the debugger's console. */
void mcu_write(const char *text);

/* Write the line "crc NAME XXXXXXXX": the CRC-32 (as zlib's) of `size` bytes. */
void mcu_write_crc(const char *name, const void *data, uint32_t size);

#endif
