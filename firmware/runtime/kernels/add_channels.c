/* Sum of a tensor and a constant per channel, or a difference of them, with the roundings of add_exact.c.
 *
 * Addends are at the common scale already, their sign included; `sign` is -1 where the tensor is what is
 * subtracted. In place; no scratch. About 35 cycles an element. */
#include "mcu_kernels.h"
#include "mcu_requantise.h"

enum { ADD_LEFT_SHIFT = 20 };

void mcu_add_channels(const void *params, const mcu_rows *rows) {
    const mcu_add_channels_params *p = params;
    const int8_t *in = rows->in[0] + rows->in_x0 * p->channels;
    int8_t *out = rows->out[0];
    for (int32_t x = 0; x < rows->out_width; x++) {
        for (int32_t c = 0; c < p->channels; c++) {
            const int32_t wide = mcu_shift_left(*in++ - p->zero_point, ADD_LEFT_SHIFT);
            const int32_t own = p->sign * mcu_requantise(wide, p->multiplier, p->shift);
            const int32_t sum = mcu_add(own, p->addends[c]);
            const int32_t value = mcu_requantise(sum, p->out_multiplier, p->out_shift) + p->out_zero_point;
            *out++ = (int8_t)mcu_clamp(value, p->act_min, p->act_max);
        }
    }
}
