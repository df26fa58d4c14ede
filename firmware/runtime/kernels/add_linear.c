/* Element-wise sum as a linear form:
 * out = saturate((offset + (factor1 * x1 >> 8) + (factor2 * x2 >> 8)) >> 20).
 *
 * The lowering searches factors and offset for which this equals the reference's three rounded steps on
 * all 65,536 pairs of operands, and takes add_exact.c if there are none. Operands are used where they lie
 * in a word, in the upper bytes of halfwords; SMLAW drops 16 bits of each product, 8 of them zeros. In place
 * on either operand; no scratch.
 *
 * Bound: for four elements two loads, 4 maskings, 8 SMLAW, 4 SSAT with their shift, 3 BFI, a store: about
 * 6.5 cycles an element. */
#include "mcu_kernels.h"
#include "mcu_simd.h"

#define ADD_UPPER_BYTES ((int32_t)0xFF00FF00)

static inline int32_t add4(const mcu_add_linear_params *p, int32_t word1, int32_t word2) {
    const int32_t even1 = mcu_shift_left(word1, 8) & ADD_UPPER_BYTES, odd1 = word1 & ADD_UPPER_BYTES;
    const int32_t even2 = mcu_shift_left(word2, 8) & ADD_UPPER_BYTES, odd2 = word2 & ADD_UPPER_BYTES;
    const int32_t f1 = p->factor1, f2 = p->factor2, offset = p->offset;
    const int32_t sum0 = mcu_smlawb(f2, even2, mcu_smlawb(f1, even1, offset));
    const int32_t sum1 = mcu_smlawb(f2, odd2, mcu_smlawb(f1, odd1, offset));
    const int32_t sum2 = mcu_smlawt(f2, even2, mcu_smlawt(f1, even1, offset));
    const int32_t sum3 = mcu_smlawt(f2, odd2, mcu_smlawt(f1, odd1, offset));
    return mcu_pack4(mcu_ssat8_asr20(sum0), mcu_ssat8_asr20(sum1), mcu_ssat8_asr20(sum2),
                     mcu_ssat8_asr20(sum3));
}

void mcu_add_linear(const void *params, const mcu_rows *rows) {
    const mcu_add_linear_params p = *(const mcu_add_linear_params *)params;
    const int32_t first = rows->in_x0 * p.channels;
    const int8_t *in1 = rows->in[0] + first;
    const int8_t *in2 = rows->in2[0] + first;
    int8_t *out = rows->out[0];
    const int32_t count = rows->out_width * p.channels;
    int32_t left = count;
    for (; left >= 4; left -= 4) {
        mcu_store32(out, add4(&p, mcu_load32(in1), mcu_load32(in2)));
        in1 += 4;
        in2 += 4;
        out += 4;
    }
    for (; left > 0; left--) {
        *out++ = (int8_t)add4(&p, *in1++, *in2++);
    }
    if (p.clamped) {
        mcu_clamp_row(rows->out[0], count, p.act_min, p.act_max);
    }
}
