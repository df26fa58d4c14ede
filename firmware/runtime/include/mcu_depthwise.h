/* What the depthwise kernels share: strips of transposed columns. */
#ifndef MCU_DEPTHWISE_H
#define MCU_DEPTHWISE_H

#include "mcu_kernels.h"
#include "mcu_requantise.h"

#include <stddef.h>

/* Output columns for which a strip is built at once; bounds the scratch. */
#define MCU_STRIP 24

/* Words of the stream for one channel of a 3x3 kernel. Weights and bias are doubled, as the high
 * multiplication of the requantisation wants the accumulator. */
#define MCU_DEPTHWISE_3X3_WORDS 10

/* Four channels of one row, for columns one `step` apart; a row of padding has step 0. */
typedef struct mcu_lane {
    const int8_t *from;
    int32_t step;
} mcu_lane;

/* The lane of a row that begins at column x0. */
static inline mcu_lane mcu_find_lane(const mcu_depthwise_params *p, const int8_t *row, int32_t x0,
                                     int32_t step) {
    mcu_lane lane = {(const int8_t *)&p->zero_point, 0};
    if (row != NULL) {
        lane.from = row + x0 * p->channels;
        lane.step = step * p->channels;
    }
    return lane;
}

/* Widen and transpose `count` columns of two lanes: word `to[c * spacing]` becomes (first, second) of channel
 * c, for the column after that at to + stride, and so on. */
static inline void mcu_transpose(mcu_lane first, mcu_lane second, int32_t count, int32_t *to, int32_t spacing,
                                 int32_t stride) {
    for (; count > 0; count--) {
        const int32_t a = mcu_load32(first.from), b = mcu_load32(second.from);
        const int32_t a02 = mcu_sxtb16(a), a13 = mcu_sxtb16_ror8(a);
        const int32_t b02 = mcu_sxtb16(b), b13 = mcu_sxtb16_ror8(b);
        first.from += first.step;
        second.from += second.step;
        to[0] = mcu_pkhbt(a02, b02);
        to[spacing] = mcu_pkhbt(a13, b13);
        to[2 * spacing] = mcu_pkhtb(b02, a02);
        to[3 * spacing] = mcu_pkhtb(b13, a13);
        to += stride;
    }
}

/* Requantise and saturate a doubled accumulator. */
static inline int8_t mcu_depthwise_output(const mcu_depthwise_params *p, int32_t doubled,
                                          const mcu_scale *scale) {
    const int32_t sign = p->rectified ? 0 : doubled >> 31;
    const int32_t offset = mcu_add(scale->offset, sign);
    return (int8_t)mcu_ssat8(mcu_smmlar(doubled, scale->multiplier, offset) >> scale->exponent);
}

/* Bring the call's outputs into the activation's range, where that is narrower than int8. */
static inline void mcu_depthwise_clamp(const mcu_depthwise_params *p, const mcu_rows *rows) {
    for (int32_t i = 0; p->clamped && i < rows->rows; i++) {
        mcu_clamp_row(rows->out[i], rows->out_width * p->channels, p->act_min, p->act_max);
    }
}

#endif
