/* Element-wise product of two tensors of one shape, or of a tensor and a single pixel, four elements at a
 * time.
 *
 * For constants that the lowering has proved fit for mcu_scale_apply; mul.c takes all others. SXTAB16 widens
 * the elements of a word and takes their zero points off. The single pixel is handed in as such for every
 * row. In place on an operand of full size; no scratch.
 *
 * Bound: for four elements two loads, 4 SXTAB16, 4 products, 20 to requantise, 4 SSAT, 3 BFI, a store: about
 * 10 cycles an element. */
#include "mcu_kernels.h"
#include "mcu_requantise.h"

static inline int32_t output(const mcu_mul_packed_params *p, int32_t product) {
    return mcu_ssat8(mcu_scale_apply(product, &p->scale));
}

static inline int32_t output4(const mcu_mul_packed_params *p, int32_t word1, int32_t word2) {
    const int32_t even1 = mcu_sxtab16(p->minus_zero_points1, word1);
    const int32_t even2 = mcu_sxtab16(p->minus_zero_points2, word2);
    const int32_t odd1 = mcu_sxtab16_ror8(p->minus_zero_points1, word1);
    const int32_t odd2 = mcu_sxtab16_ror8(p->minus_zero_points2, word2);
    return mcu_pack4(output(p, mcu_smlabb(even1, even2, 0)), output(p, mcu_smlabb(odd1, odd2, 0)),
                     output(p, mcu_smlatt(even1, even2, 0)), output(p, mcu_smlatt(odd1, odd2, 0)));
}

static int8_t *multiply_run(const mcu_mul_packed_params *p, const int8_t *in1, const int8_t *in2,
                            int32_t count, int8_t *out) {
    const mcu_mul_packed_params constants = *p;
    for (; count >= 4; count -= 4) {
        mcu_store32(out, output4(&constants, mcu_load32(in1), mcu_load32(in2)));
        in1 += 4;
        in2 += 4;
        out += 4;
    }
    for (; count > 0; count--) {
        *out++ = (int8_t)output4(&constants, *in1++, *in2++);
    }
    return out;
}

void mcu_mul_packed(const void *params, const mcu_rows *rows) {
    const mcu_mul_packed_params *p = params;
    const int32_t first = rows->in_x0 * p->channels;
    const int8_t *in1 = rows->in[0] + (p->single == 1 ? 0 : first);
    const int8_t *in2 = rows->in2[0] + (p->single == 2 ? 0 : first);
    const int32_t run = p->single == 0 ? rows->out_width * p->channels : p->channels;
    const int32_t step1 = p->single == 1 ? 0 : run, step2 = p->single == 2 ? 0 : run;
    int8_t *out = rows->out[0];
    int8_t *const end = out + rows->out_width * p->channels;
    while (out < end) {
        out = multiply_run(p, in1, in2, run, out);
        in1 += step1;
        in2 += step2;
    }
    if (p->clamped) {
        mcu_clamp_row(rows->out[0], rows->out_width * p->channels, p->act_min, p->act_max);
    }
}
