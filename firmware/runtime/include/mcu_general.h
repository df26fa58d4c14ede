/* What the kernels that assume nothing of a convolution have in common: which taps of a window lie inside the
 * input, and how an output is made of a sum. */
#ifndef MCU_GENERAL_H
#define MCU_GENERAL_H

#include "mcu_kernels.h"

/* The taps of a row inside the input, beside each other but for dilation. */
typedef struct mcu_reach {
    int32_t in;    /* bytes from the row's start to the first one's pixel */
    int32_t first; /* its number in the window */
    int32_t taps;
    int32_t step; /* bytes of the input from one to the next */
} mcu_reach;

/* Of the window that begins at column `x0`. */
static inline mcu_reach mcu_find_reach(const mcu_conv_general_params *p, const mcu_rows *rows, int32_t x0) {
    const int32_t apart = p->dilation_w, inside = (rows->in_width - x0 + apart - 1) / apart;
    const int32_t first = x0 < 0 ? (apart - 1 - x0) / apart : 0;
    const int32_t end = inside < p->kernel_w ? inside : p->kernel_w;
    const mcu_reach found = {(x0 + first * apart) * p->in_channels, first, end - first,
                             apart * p->in_channels};
    return found;
}

/* The input's zero point, negated, in both halfwords. */
static inline int32_t mcu_minus_zeros(const mcu_conv_general_params *p) {
    return mcu_pkhbt(-p->in_zero_point, -p->in_zero_point);
}

static inline int8_t mcu_general_output(const mcu_conv_general_params *p, int32_t channel, int32_t sum) {
    const int32_t value = mcu_requantise(sum, p->multipliers[channel], p->shifts[channel]);
    return (int8_t)mcu_clamp(mcu_add(value, p->out_zero_point), p->act_min, p->act_max);
}

#endif
