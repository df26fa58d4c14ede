/* A camera: the image comes line by line, each line once and in order, while the network works on the lines
 * before. A stream reads it as a ring of lines; nowhere is the image as a whole. */
#ifndef MCU_CAMERA_H
#define MCU_CAMERA_H

#include "mcu_stream.h"

/* What a board brings along for its own camera; without, it is the simulator's (camera.c). A line is a row of
 * the network's input, quantised: columns from left to right, of each all channels.
 *
 * Have line `number` brought to `line`, which may go on behind the call; 0 begins an image. */
void mcu_camera_line(int32_t number, int8_t *line);

/* Come back when line `number`, which was asked for last, is there. */
void mcu_camera_wait(int32_t number);

/* Line `number` is in the ring `lines` behind this, and the one after it is on its way there. */
void mcu_take_line(const mcu_stream_tensor *lines, int32_t number);

#endif
