/* What gemm.c has in assembly, in portable C for hosts: blocks of four outputs of one or two pixels. Layout,
 * ranges and rounding are stated there. */
#include "mcu_asm.h"
#include "mcu_kernels.h"

#if !MCU_TARGET

/* Two channels' outputs from a and 256 b, the first in the low byte; moves on to the next two's words. */
typedef int32_t scale_two(const int32_t **words, int32_t a, int32_t b);

static int32_t twice(const int32_t **words, int32_t a, int32_t b) {
    const int32_t *w = *words;
    const mcu_scale first = {w[0], w[1], w[2] & 0xff}, second = {w[3], w[4], w[2] >> 8};
    *words = w + 5;
    return (mcu_ssat8(mcu_scale_apply(a, &first)) & 0xff) |
           mcu_shift_left(mcu_ssat8(mcu_scale_apply(b >> 8, &second)) & 0xff, 8);
}

static int32_t once(const int32_t **words, int32_t a, int32_t b, int32_t low) {
    const int32_t *w = *words;
    *words = w + 4;
    return (mcu_ssat8(mcu_smmla(a, w[0], w[1]) >> low) & 0xff) |
           mcu_shift_left(mcu_ssat8(mcu_smmla(b, w[2], w[3]) >> (low + 8)) & 0xff, 8);
}

static int32_t fine(const int32_t **words, int32_t a, int32_t b) {
    return once(words, a, b, 3);
}

static int32_t coarse(const int32_t **words, int32_t a, int32_t b) {
    return once(words, a, b, 1);
}

/* One block of the pixel whose words are `step` apart, of which `wanted` outputs are stored; returns the
 * stream behind it. */
static const int32_t *one_block(const mcu_gemm *gemm, const int32_t *stream, const int32_t *x, int32_t step,
                                scale_two *scale, int8_t *out, int32_t wanted) {
    int32_t raw_ab = stream[0], a = stream[1], raw_cd = stream[2], c = stream[3];
    stream += 4;
    for (int32_t pair = 2 * gemm->quads; pair > 0; pair--) {
        raw_ab = mcu_smlad(stream[0], *x, raw_ab);
        raw_cd = mcu_smlad(stream[1], *x, raw_cd);
        a = mcu_smlad(mcu_sxtb16(stream[0]), *x, a);
        c = mcu_smlad(mcu_sxtb16(stream[1]), *x, c);
        stream += 2;
        x += step;
    }
    const int32_t ab = scale(&stream, a, mcu_sub(raw_ab, a));
    const int32_t cd = scale(&stream, c, mcu_sub(raw_cd, c));
    const uint32_t outputs = (uint32_t)mcu_pkhbt(ab, cd);
    for (int32_t i = 0; i < wanted; i++) {
        out[i] = (int8_t)(outputs >> 8 * i & 0xff);
    }
    return stream;
}

static void blocks_of_one(const mcu_gemm *gemm, const int32_t *x, scale_two *scale, int8_t *out) {
    const int32_t *stream = gemm->stream;
    for (int32_t channel = 0; channel < gemm->channels; channel += 4) {
        const int32_t left = gemm->channels - channel, wanted = left < 4 ? left : 4;
        stream = one_block(gemm, stream, x, 1, scale, out + channel, wanted);
    }
}

static void blocks_of_pair(const mcu_gemm *gemm, const int32_t *x, scale_two *scale, int8_t *out0,
                           int8_t *out1) {
    const int32_t *stream = gemm->stream;
    for (int32_t channel = 0; channel < gemm->channels; channel += 4) {
        const int32_t left = gemm->channels - channel, wanted = left < 4 ? left : 4;
        one_block(gemm, stream, x, 2, scale, out0 + channel, wanted);
        stream = one_block(gemm, stream, x + 1, 2, scale, out1 + channel, wanted);
    }
}

#define GEMM_FUNCTIONS(scale)                                                                                \
    void mcu_one_##scale(const mcu_gemm *gemm, const int32_t *x, int8_t *out) {                              \
        blocks_of_one(gemm, x, scale, out);                                                                  \
    }                                                                                                        \
    void mcu_pair_##scale(const mcu_gemm *gemm, const int32_t *x, int8_t *out0, int8_t *out1) {              \
        blocks_of_pair(gemm, x, scale, out0, out1);                                                          \
    }
GEMM_FUNCTIONS(twice)
GEMM_FUNCTIONS(fine)
GEMM_FUNCTIONS(coarse)

void mcu_gemm_one(const mcu_gemm *gemm, const int32_t *x, int8_t *out) {
    gemm->one(gemm, x, out);
}

void mcu_gemm_pair(const mcu_gemm *gemm, const int32_t *x, int8_t *out0, int8_t *out1) {
    gemm->pair(gemm, x, out0, out1);
}

void mcu_gemm_pairs(const mcu_pairs *pairs) {
    const int32_t in_step = pairs->in_channels, out_step = pairs->gemm->channels;
    const int8_t *in = pairs->in;
    int8_t *out = pairs->out;
    for (int32_t i = 0; i < pairs->count; i++) {
        mcu_widen_pair(in, in + in_step, pairs->gemm->quads, pairs->x);
        pairs->gemm->pair(pairs->gemm, pairs->x, out, out + out_step);
        in += 2 * in_step;
        out += 2 * out_step;
    }
}

#endif
