/* The camera that the simulator has where a real chip has none: three registers in the region that the
 * architecture leaves to vendors (ARMv7-M ARM, B3.1). A board's own functions replace these. */
#include "mcu_camera.h"

typedef struct camera_registers {
    uint32_t line;    /* written: bring this line to `address` */
    uint32_t address; /* where the line goes */
    uint32_t ready;   /* lines of the image that are there */
} camera_registers;

#define CAMERA ((volatile camera_registers *)0xF0000000u)

__attribute__((weak)) void mcu_camera_line(int32_t number, int8_t *line) {
    CAMERA->address = (uint32_t)(uintptr_t)line;
    CAMERA->line = (uint32_t)number;
}

__attribute__((weak)) void mcu_camera_wait(int32_t number) {
    while (CAMERA->ready <= (uint32_t)number) {
    }
}
