/* Element-wise sum as a linear form: out = saturate((offset + (factor1 * x1 >> 16) + (factor2 * x2 >> 16)) >>
 * 20).
 *
 * The lowering searches factors and offset for which this equals the reference's three rounded steps on
 * all 65,536 pairs of operands, and takes add_exact.c if there are none. In place on either operand; no
 * scratch.
 *
 * Bound: for four elements two loads, 4 SXTB16, 8 SMLAW, 4 SSAT with their shift, 3 packings, a store:
 * about 6.5 cycles an element. */
#include "mcu_kernels.h"
#include "mcu_simd.h"

#define ADD_FRACTION_BITS 20

static int32_t add4(const mcu_add_linear_params *p, int32_t word1, int32_t word2) {
    const int32_t even1 = mcu_sxtb16(word1), odd1 = mcu_sxtb16_ror8(word1);
    const int32_t even2 = mcu_sxtb16(word2), odd2 = mcu_sxtb16_ror8(word2);
    const int32_t f1 = p->factor1, f2 = p->factor2, offset = p->offset;
    const int32_t sum0 = mcu_smlawb(f2, even2, mcu_smlawb(f1, even1, offset));
    const int32_t sum1 = mcu_smlawb(f2, odd2, mcu_smlawb(f1, odd1, offset));
    const int32_t sum2 = mcu_smlawt(f2, even2, mcu_smlawt(f1, even1, offset));
    const int32_t sum3 = mcu_smlawt(f2, odd2, mcu_smlawt(f1, odd1, offset));
    int32_t packed = mcu_pack4(mcu_ssat8(sum0 >> ADD_FRACTION_BITS), mcu_ssat8(sum1 >> ADD_FRACTION_BITS),
                               mcu_ssat8(sum2 >> ADD_FRACTION_BITS), mcu_ssat8(sum3 >> ADD_FRACTION_BITS));
    if (p->clamped) {
        packed = mcu_min8(mcu_max8(packed, p->act_min), p->act_max);
    }
    return packed;
}

void mcu_add_linear(const void *params, const mcu_rows *rows) {
    const mcu_add_linear_params *p = params;
    const int32_t first = rows->in_x0 * p->channels;
    const int8_t *in1 = rows->in[0] + first;
    const int8_t *in2 = rows->in2[0] + first;
    int8_t *out = rows->out[0];
    int32_t left = rows->out_width * p->channels;
    for (; left >= 4; left -= 4) {
        mcu_store32(out, add4(p, mcu_load32(in1), mcu_load32(in2)));
        in1 += 4;
        in2 += 4;
        out += 4;
    }
    for (; left > 0; left--) {
        *out++ = (int8_t)add4(p, *in1++, *in2++);
    }
}
