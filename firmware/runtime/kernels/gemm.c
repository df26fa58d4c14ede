/* Weights times one or two pixels, four output channels at a time, with requantisation.
 *
 * Inputs x are widened to int16. For one pixel a quad is two words: elements (0, 2) and (1, 3) of four
 * consecutive products, the order in which SXTB16 widens a word of bytes. For two pixels the words
 * alternate: pixel 0 (0, 2), pixel 1 (0, 2), pixel 0 (1, 3), pixel 1 (1, 3).
 *
 * The weight stream has one block for each four channels a, b, c, d (the last block is filled up with
 * channels that are computed and not stored):
 *   4 words           biases: 256 b + a (wrapped), a, 256 d + c (wrapped), c
 *   4 words a quad    products (0, 2) of a and b, of c and d; products (1, 3) of a and b, of c and d
 *   12 words          mcu_scale of a, b, c, d
 * A halfword of weights is 256 b + a, so SMLAD on the word as it is adds up 256 B + A, SMLAD on its low
 * bytes (SXTB16) adds up A, and B = (raw - A) >> 8. The lowering proves |B| < 2^23 over all inputs; A and
 * raw may then wrap freely. The input's zero point is folded into the biases.
 *
 * Bound: a quad of two pixels and four channels costs 8 loads in two groups, 4 SXTB16 and 16 SMLAD, 30
 * cycles for 32 MACs; requantisation about 10 cycles an output. */
#include "mcu_kernels.h"
#include "mcu_requantise.h"

static void store_outputs(const mcu_gemm *gemm, int32_t packed, int32_t channels, int8_t *out) {
    if (gemm->clamped) {
        packed = mcu_min8(mcu_max8(packed, gemm->act_min), gemm->act_max);
    }
    if (channels >= 4) {
        mcu_store32(out, packed);
        return;
    }
    for (int32_t i = 0; i < channels; i++) {
        out[i] = (int8_t)(packed >> (8 * i));
    }
}

static int32_t requantise4(int32_t raw_ab, int32_t a, int32_t raw_cd, int32_t c, const mcu_scale *scale) {
    const int32_t b = mcu_sub(raw_ab, a) >> 8;
    const int32_t d = mcu_sub(raw_cd, c) >> 8;
    return mcu_pack4(mcu_ssat8(mcu_scale_apply(a, &scale[0])), mcu_ssat8(mcu_scale_apply(b, &scale[1])),
                     mcu_ssat8(mcu_scale_apply(c, &scale[2])), mcu_ssat8(mcu_scale_apply(d, &scale[3])));
}

void mcu_gemm_one(const mcu_gemm *gemm, const int32_t *x, int8_t *out) {
    const int32_t *stream = gemm->stream;
    for (int32_t left = gemm->channels; left > 0; left -= 4) {
        int32_t raw_ab = stream[0], a = stream[1], raw_cd = stream[2], c = stream[3];
        const int32_t *from = x;
        stream += 4;
        for (int32_t pair = 2 * gemm->quads; pair > 0; pair--) {
            const int32_t ab = stream[0], cd = stream[1];
            raw_ab = mcu_smlad(ab, from[0], raw_ab);
            raw_cd = mcu_smlad(cd, from[0], raw_cd);
            a = mcu_smlad(mcu_sxtb16(ab), from[0], a);
            c = mcu_smlad(mcu_sxtb16(cd), from[0], c);
            stream += 2;
            from += 1;
        }
        store_outputs(gemm, requantise4(raw_ab, a, raw_cd, c, (const mcu_scale *)stream), left, out);
        stream += 12;
        out += 4;
    }
}

void mcu_gemm_pair(const mcu_gemm *gemm, const int32_t *x, int8_t *out0, int8_t *out1) {
    const int32_t *stream = gemm->stream;
    for (int32_t left = gemm->channels; left > 0; left -= 4) {
        int32_t raw_ab0 = stream[0], a0 = stream[1], raw_cd0 = stream[2], c0 = stream[3];
        int32_t raw_ab1 = raw_ab0, a1 = a0, raw_cd1 = raw_cd0, c1 = c0;
        const int32_t *from = x;
        stream += 4;
        for (int32_t pair = 2 * gemm->quads; pair > 0; pair--) {
            const int32_t x0 = from[0], x1 = from[1], ab = stream[0], cd = stream[1];
            raw_ab0 = mcu_smlad(ab, x0, raw_ab0);
            raw_ab1 = mcu_smlad(ab, x1, raw_ab1);
            raw_cd0 = mcu_smlad(cd, x0, raw_cd0);
            raw_cd1 = mcu_smlad(cd, x1, raw_cd1);
            const int32_t low_ab = mcu_sxtb16(ab), low_cd = mcu_sxtb16(cd);
            a0 = mcu_smlad(low_ab, x0, a0);
            a1 = mcu_smlad(low_ab, x1, a1);
            c0 = mcu_smlad(low_cd, x0, c0);
            c1 = mcu_smlad(low_cd, x1, c1);
            stream += 2;
            from += 2;
        }
        store_outputs(gemm, requantise4(raw_ab0, a0, raw_cd0, c0, (const mcu_scale *)stream), left, out0);
        store_outputs(gemm, requantise4(raw_ab1, a1, raw_cd1, c1, (const mcu_scale *)stream), left, out1);
        stream += 12;
        out0 += 4;
        out1 += 4;
    }
}
