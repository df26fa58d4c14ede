/* Mean over one dimension, or over neighbouring ones, of a whole tensor [outer][count][inner].
 *
 * Sees whole tensors. Four neighbours at a time are added up in two words of two int16 sums, which hold 255
 * int8 values; the sums go over into int32 before that. The sum less count times the zero point is
 * requantised by a multiplier that contains the division; rounding is that of mcu_requantise. No scratch.
 * About 2 cycles an element, 6 where fewer than four lie beside each other. */
#include "mcu_kernels.h"
#include "mcu_requantise.h"

enum { SUMS_BEFORE_OVERFLOW = 255 };

static int8_t mean_of(const mcu_mean_params *p, int32_t sum) {
    const int32_t value = mcu_requantise(sum - p->zero_points, p->multiplier, p->shift) + p->out_zero_point;
    return (int8_t)mcu_clamp(value, INT8_MIN, INT8_MAX);
}

static void mean_of_four(const mcu_mean_params *p, const int8_t *from, int8_t *out) {
    int32_t sums[4] = {0, 0, 0, 0};
    for (int32_t left = p->count; left > 0; left -= SUMS_BEFORE_OVERFLOW) {
        int32_t even = 0, odd = 0;
        for (int32_t n = left < SUMS_BEFORE_OVERFLOW ? left : SUMS_BEFORE_OVERFLOW; n > 0; n--) {
            const int32_t word = mcu_load32(from);
            even = mcu_sxtab16(even, word);
            odd = mcu_sxtab16_ror8(odd, word);
            from += p->inner;
        }
        sums[0] += (int16_t)(even & 0xFFFF);
        sums[1] += (int16_t)(odd & 0xFFFF);
        sums[2] += even >> 16;
        sums[3] += odd >> 16;
    }
    for (int32_t i = 0; i < 4; i++) {
        out[i] = mean_of(p, sums[i]);
    }
}

static int8_t mean_of_one(const mcu_mean_params *p, const int8_t *from) {
    int32_t sum = 0;
    for (int32_t n = p->count; n > 0; n--) {
        sum += *from;
        from += p->inner;
    }
    return mean_of(p, sum);
}

void mcu_mean(const void *params, const mcu_rows *rows) {
    const mcu_mean_params *p = params;
    const int8_t *block = rows->in[0];
    int8_t *out = rows->out[0];
    for (int32_t i = 0; i < p->outer; i++) {
        int32_t c = 0;
        for (; c + 4 <= p->inner; c += 4) {
            mean_of_four(p, block + c, out + c);
        }
        for (; c < p->inner; c++) {
            out[c] = mean_of_one(p, block + c);
        }
        block += p->count * p->inner;
        out += p->inner;
    }
}
