/* What operators of two operands share that take any constants: one operand may be a single pixel, which is
 * handed in as such for every row. */
#ifndef MCU_ELEMENTWISE_H
#define MCU_ELEMENTWISE_H

#include "mcu_kernels.h"

/* The output of one element of either operand. */
typedef int8_t mcu_operation(const void *params, int32_t x1, int32_t x2);

/* A row of outputs; `single`: which operand (1 or 2) is one pixel, or 0. */
__attribute__((always_inline)) static inline void mcu_operate(const void *params, const mcu_rows *rows,
                                                              int32_t channels, int32_t single,
                                                              mcu_operation *operation) {
    const int32_t first = rows->in_x0 * channels;
    const int32_t back1 = single == 1 ? channels : 0, back2 = single == 2 ? channels : 0;
    const int8_t *in1 = rows->in[0] + (back1 == 0 ? first : 0);
    const int8_t *in2 = rows->in2[0] + (back2 == 0 ? first : 0);
    int8_t *out = rows->out[0];
    for (int32_t x = 0; x < rows->out_width; x++) {
        for (int32_t c = 0; c < channels; c++) {
            *out++ = operation(params, *in1++, *in2++);
        }
        in1 -= back1;
        in2 -= back2;
    }
}

#endif
