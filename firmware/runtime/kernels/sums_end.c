/* Outputs from sums of gemm_sums.c, pixel by pixel of a row.
 *
 * `scales` has the words with which a block ends in gemm.c: ten for each four channels, or, where one
 * rounding gives the same outputs as two, eight; `shift` is then that of a and c, 3 or 1, and else 0. A last
 * block of fewer than four channels is filled up, in the sums too. Outputs may be written over the beginning
 * of the sums, from their first byte on.
 *
 * Bound: 4 loads, 2 SUB, about 28 cycles of requantisation (16 with one rounding) and a store for four
 * outputs. */
#include "mcu_kernels.h"

/* Two channels' outputs from a and 256 b, the first in the low byte, and the words behind theirs. */
static inline int32_t round_twice(const int32_t **words, int32_t a, int32_t b) {
    const int32_t *w = *words;
    const mcu_scale first = {w[0], w[1], w[2] & 0xff}, second = {w[3], w[4], w[2] >> 8};
    *words = w + 5;
    return (mcu_ssat8(mcu_scale_apply(a, &first)) & 0xff) |
           mcu_shift_left(mcu_ssat8(mcu_scale_apply(b >> 8, &second)) & 0xff, 8);
}

static inline int32_t round_once(const int32_t **words, int32_t a, int32_t b, int32_t shift) {
    const int32_t *w = *words;
    *words = w + 4;
    return (mcu_ssat8(mcu_smmla(a, w[0], w[1]) >> shift) & 0xff) |
           mcu_shift_left(mcu_ssat8(mcu_smmla(b, w[2], w[3]) >> (shift + 8)) & 0xff, 8);
}

static int32_t round_two(const int32_t **words, const int8_t *sums, int32_t shift) {
    const int32_t a = mcu_load32(sums + 4), b = mcu_sub(mcu_load32(sums), a);
    return shift > 0 ? round_once(words, a, b, shift) : round_twice(words, a, b);
}

static void store_outputs(int8_t *out, int32_t outputs, int32_t wanted) {
    for (int32_t i = 0; i < wanted; i++) {
        out[i] = (int8_t)((uint32_t)outputs >> 8 * i & 0xff);
    }
}

void mcu_sums_end(const void *params, const mcu_rows *rows) {
    const mcu_sums_end_params *p = params;
    const int8_t *sums = rows->in[0];
    int8_t *out = rows->out[0];
    for (int32_t pixel = 0; pixel < rows->out_width; pixel++) {
        const int32_t *words = p->scales;
        for (int32_t left = p->channels; left > 0; left -= 4) {
            const int32_t ab = round_two(&words, sums, p->shift);
            const int32_t outputs = mcu_pkhbt(ab, round_two(&words, sums + 8, p->shift));
            if (left >= 4) {
                mcu_store32(out, outputs);
            } else {
                store_outputs(out, outputs, left);
            }
            sums += 16;
            out += left < 4 ? left : 4;
        }
    }
    if (p->clamped) {
        mcu_clamp_row(rows->out[0], rows->out_width * p->channels, p->act_min, p->act_max);
    }
}
