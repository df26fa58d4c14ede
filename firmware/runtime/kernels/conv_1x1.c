/* 1x1 convolution, stride 1, no padding, input channels a multiple of four; also dense layers, as one
 * pixel of as many channels as there are inputs.
 *
 * Two pixels at a time are widened into the scratch (4 bytes an input channel, or 2 for a row of one pixel,
 * widen.c) and multiplied by gemm.c, whose layout, ranges and rounding apply; the last pixel of an odd row
 * goes alone. Outputs may be written over pixels that have been widened. Rows are independent, so that a
 * whole tensor may be one row. Never called with padding.
 *
 * Bound: those of widen.c and gemm.c. */
#include "mcu_kernels.h"

void mcu_conv_1x1(const void *params, const mcu_rows *rows) {
    const mcu_conv_1x1_params *p = params;
    const int32_t in_step = p->in_channels, out_step = p->gemm.channels;
    const int8_t *in = rows->in[0] + rows->in_x0 * in_step;
    int8_t *out = rows->out[0];
    int32_t left = rows->out_width;
    if (left >= 2 && (out_step & 3) == 0) {
        const mcu_pairs pairs = {&p->gemm, rows->scratch, out, in, in_step, left >> 1};
        mcu_gemm_pairs(&pairs);
        in += (left & ~1) * in_step;
        out += (left & ~1) * out_step;
        left &= 1;
    }
    for (; left >= 2; left -= 2) {
        mcu_widen_pair(in, in + in_step, p->gemm.quads, rows->scratch);
        mcu_gemm_pair(&p->gemm, rows->scratch, out, out + out_step);
        in += 2 * in_step;
        out += 2 * out_step;
    }
    if (left > 0) {
        mcu_widen_one(in, p->gemm.quads, rows->scratch);
        mcu_gemm_one(&p->gemm, rows->scratch, out);
    }
    if (p->gemm.clamped) {
        mcu_clamp_row(rows->out[0], rows->out_width * out_step, p->gemm.act_min, p->gemm.act_max);
    }
}
