/* Weights times one or two pixels as in gemm.c, added to sums that lie in memory: for a convolution that gets
 * its input channels a few at a time.
 *
 * Sums of each four channels a, b, c, d of a pixel are four words, the accumulators of gemm.c as they are:
 * 256 b + a (wrapped), a, 256 d + c (wrapped), c; so there are as many words as channels, and a further
 * product goes on where the last one stopped. They begin as biases (sums_begin.c) and end as outputs
 * (sums_end.c). Addition wraps, so that only the whole sum is bounded: |B| < 2^23, which the lowering proves
 * over all inputs.
 *
 * The stream has one block for each four channels: 4 words a quad, as in gemm.c, with nothing before or
 * behind. `channels` of mcu_gemm are bytes of a pixel's sums, a multiple of 16; `clamped` is 0. Sums are
 * words; inputs are widened as for gemm.c.
 *
 * Bound: that of gemm.c without its requantisation; 20 cycles for sums of two pixels and four channels. */
#include "mcu_asm.h"
#include "mcu_gemm_blocks.h"
#include "mcu_kernels.h"

#if MCU_TARGET
/* clang-format off */

#define PAIR_BEGIN                  \
    "vmov r2, s3\n\t"               \
    "vmov r3, s4\n\t"               \
    "ldmia r2, {r6-r9}\n\t"         \
    "ldmia r3, {r10-r12, lr}\n\t"   \
    "vmov r1, s0\n\t"               \
    "vmov r2, s6\n\t"

#define PAIR_END                    \
    "vmov r2, s3\n\t"               \
    "vmov r3, s4\n\t"               \
    "vmov r4, s5\n\t"               \
    "adds r0, #64\n\t"              \
    "stmia r2!, {r6-r9}\n\t"        \
    "stmia r3!, {r10-r12, lr}\n\t"  \
    "cmp r2, r4\n\t"

#define ONE_BEGIN                   \
    "ldmia r12, {r8-r11}\n\t"       \
    "vmov r1, s0\n\t"               \
    "vmov r2, s6\n\t"

#define ONE_END                     \
    "adds r0, #64\n\t"              \
    "stmia r12!, {r8-r11}\n\t"

MCU_NAKED void mcu_pair_sums(void) {
    __asm__(PAIR_BLOCKS(PAIR_BEGIN, PAIR_END));
}

MCU_NAKED void mcu_one_sums(void) {
    __asm__(ONE_BLOCKS(ONE_BEGIN, ONE_END));
}

/* clang-format on */
#else

/* One block of the pixel whose words are `step` apart; returns the stream behind it. */
static const int32_t *add_block(const int32_t *stream, int32_t quads, const int32_t *x, int32_t step,
                                int8_t *sums) {
    for (int32_t two = 0; two < 16; two += 8) {
        const int32_t *weights = stream + two / 8;
        int32_t raw = mcu_load32(sums + two), low = mcu_load32(sums + two + 4);
        for (int32_t pair = 0; pair < 2 * quads; pair++) {
            raw = mcu_smlad(weights[2 * pair], x[step * pair], raw);
            low = mcu_smlad(mcu_sxtb16(weights[2 * pair]), x[step * pair], low);
        }
        mcu_store32(sums + two, raw);
        mcu_store32(sums + two + 4, low);
    }
    return stream + 4 * quads;
}

void mcu_one_sums(const mcu_gemm *gemm, const int32_t *x, int8_t *out) {
    const int32_t *stream = gemm->stream;
    for (int32_t place = 0; place < gemm->channels; place += 16) {
        stream = add_block(stream, gemm->quads, x, 1, out + place);
    }
}

void mcu_pair_sums(const mcu_gemm *gemm, const int32_t *x, int8_t *out0, int8_t *out1) {
    const int32_t *stream = gemm->stream;
    for (int32_t place = 0; place < gemm->channels; place += 16) {
        add_block(stream, gemm->quads, x, 2, out0 + place);
        stream = add_block(stream, gemm->quads, x + 1, 2, out1 + place);
    }
}

#endif
