#include "mcu_camera.h"

static int8_t *place_of(const mcu_stream_tensor *lines, int32_t number) {
    return lines->view.base + (number % lines->view.capacity) * lines->view.pitch;
}

void mcu_take_line(const mcu_stream_tensor *lines, int32_t number) {
    if (number == 0) {
        mcu_camera_line(0, place_of(lines, 0));
    }
    mcu_camera_wait(number);
    if (number + 1 < lines->view.height) {
        mcu_camera_line(number + 1, place_of(lines, number + 1));
    }
}
