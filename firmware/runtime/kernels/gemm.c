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
 * Bound: for two pixels a pair of products of four channels takes 4 loads in a row (5 cycles), 8 SMLAD and
 * 2 SXTB16, 15 cycles for 16 MACs; requantisation takes 8.5 cycles an output. For one pixel a quad
 * takes 6 loads (7 cycles), 8 SMLAD, 4 SXTB16 and 2 additions, 21 cycles for 16 MACs. */
#include "mcu_asm.h"
#include "mcu_kernels.h"
#include "mcu_requantise.h"

#if MCU_TARGET
/* clang-format off */

/* One pair of products of two pixels: r0 weights, r1 inputs, r2 to r5 what is loaded from there; the
 * accumulators are r6 raw ab, r7 a, r8 raw cd, r9 c of pixel 0 and r10, r11, r12, lr of pixel 1. */
#define PAIR_MACS               \
    "nop\n\t"                    \
    "smlad r6, r2, r4, r6\n\t"   \
    "smlad r10, r2, r5, r10\n\t" \
    "sxtb16 r2, r2\n\t"          \
    "smlad r8, r3, r4, r8\n\t"   \
    "smlad r12, r3, r5, r12\n\t" \
    "sxtb16 r3, r3\n\t"          \
    "smlad r7, r2, r4, r7\n\t"   \
    "smlad r11, r2, r5, r11\n\t" \
    "smlad r9, r3, r4, r9\n\t"   \
    "smlad lr, r3, r5, lr\n\t"

#define PAIR_STEP(first, second)     \
    "ldr r2, [r0, #" first "]\n\t"   \
    "ldr r3, [r0, #" second "]\n\t"  \
    "ldr r4, [r1, #" first "]\n\t"   \
    "ldr r5, [r1, #" second "]\n\t"  \
    PAIR_MACS

/* One channel of both pixels: doubled accumulators become saturated outputs. The scale's three words come
 * into r2, r3, r4; `prepare` is what the channel's accumulators still need. */
#define PAIR_SCALE(prepare, pixel0, pixel1)      \
    "ldmia r0!, {r2, r3, r4}\n\t"                \
    prepare                                      \
    "add r1, r3, " pixel0 ", asr #31\n\t"        \
    "add r5, r3, " pixel1 ", asr #31\n\t"        \
    "smmlar " pixel0 ", " pixel0 ", r2, r1\n\t"  \
    "smmlar " pixel1 ", " pixel1 ", r2, r5\n\t"  \
    "asr " pixel0 ", " pixel0 ", r4\n\t"         \
    "asr " pixel1 ", " pixel1 ", r4\n\t"         \
    "ssat " pixel0 ", #8, " pixel0 "\n\t"        \
    "ssat " pixel1 ", #8, " pixel1 "\n\t"

/* The same where the sign of ties is indifferent. */
#define PAIR_SCALE_RECTIFIED(prepare, pixel0, pixel1) \
    "ldmia r0!, {r2, r3, r4}\n\t"                     \
    prepare                                           \
    "smmlar " pixel0 ", " pixel0 ", r2, r3\n\t"       \
    "smmlar " pixel1 ", " pixel1 ", r2, r3\n\t"       \
    "asr " pixel0 ", " pixel0 ", r4\n\t"              \
    "asr " pixel1 ", " pixel1 ", r4\n\t"              \
    "ssat " pixel0 ", #8, " pixel0 "\n\t"             \
    "ssat " pixel1 ", #8, " pixel1 "\n\t"

/* `blocks` times four channels of two pixels; the stream behind them is returned. What does not fit into the
 * core's registers waits in the FPU's: s0 inputs less a loop's step, s1 the last loop's inputs, s2 quads
 * modulo 2, s3 and s4 outputs, s5 the end of the outputs of pixel 0. */
#define PAIR_BLOCKS(SCALE)                  \
    "push {r4-r11, lr}\n\t"                 \
    "ldr r4, [sp, #36]\n\t"                 \
    "ldr r5, [sp, #40]\n\t"                 \
    "add r3, r4, r3, lsl #2\n\t"            \
    "vmov s3, r4\n\t"                       \
    "vmov s4, r5\n\t"                       \
    "vmov s5, r3\n\t"                       \
    "add r4, r1, r2, lsl #4\n\t"            \
    "subs r4, #32\n\t"                      \
    "ands r2, r2, #1\n\t"                   \
    "subs r1, #32\n\t"                      \
    "add r1, r1, r2, lsl #4\n\t"            \
    "vmov s0, r1\n\t"                       \
    "vmov s1, r4\n\t"                       \
    "vmov s2, r2\n\t"                       \
    ".balign 4\n"                           \
    "1:\n\t"                                \
    "ldmia r0!, {r6-r9}\n\t"                \
    "mov r10, r6\n\t"                       \
    "mov r11, r7\n\t"                       \
    "vmov r1, s0\n\t"                       \
    "vmov r2, s2\n\t"                       \
    "mov r12, r8\n\t"                       \
    "mov lr, r9\n\t"                        \
    "subs r0, #32\n\t"                      \
    "cbz r2, 2f\n\t"                        \
    "adds r0, #16\n\t"                      \
    "b 3f\n\t"                              \
    ".balign 4\n"                           \
    "2:\n\t"                                \
    "ldr r2, [r0, #32]!\n\t"                \
    "ldr r4, [r1, #32]!\n\t"                \
    "ldr r3, [r0, #4]\n\t"                  \
    "ldr r5, [r1, #4]\n\t"                  \
    PAIR_MACS                               \
    PAIR_STEP("8", "12") "\n"               \
    "3:\n\t"                                \
    PAIR_STEP("16", "20")                   \
    PAIR_STEP("24", "28")                   \
    "vmov r2, s1\n\t"                       \
    "cmp r1, r2\n\t"                        \
    "bne 2b\n\t"                            \
    "adds r0, #32\n\t"                      \
    "subs r6, r6, r7\n\t"                   \
    "sub r10, r10, r11\n\t"                 \
    SCALE("lsls r7, r7, #1\n\t"             \
          "asrs r6, r6, #7\n\t"             \
          "lsl r11, r11, #1\n\t",           \
          "r7", "r11")                      \
    SCALE("asr r10, r10, #7\n\t"            \
          "sub r8, r8, r9\n\t",             \
          "r6", "r10")                      \
    SCALE("lsl r9, r9, #1\n\t"              \
          "sub r12, r12, lr\n\t"            \
          "lsl lr, lr, #1\n\t",             \
          "r9", "lr")                       \
    SCALE("asr r8, r8, #7\n\t"              \
          "asr r12, r12, #7\n\t",           \
          "r8", "r12")                      \
    "vmov r2, s3\n\t"                       \
    "vmov r3, s4\n\t"                       \
    "bfi r7, r6, #8, #8\n\t"                \
    "bfi r11, r10, #8, #8\n\t"              \
    "bfi r7, r9, #16, #8\n\t"               \
    "bfi r11, lr, #16, #8\n\t"              \
    "bfi r7, r8, #24, #8\n\t"               \
    "bfi r11, r12, #24, #8\n\t"             \
    "str r7, [r2], #4\n\t"                  \
    "str r11, [r3], #4\n\t"                 \
    "vmov r4, s5\n\t"                       \
    "vmov s3, r2\n\t"                       \
    "vmov s4, r3\n\t"                       \
    "cmp r2, r4\n\t"                        \
    "bne 1b\n\t"                            \
    "pop {r4-r11, pc}\n\t"

MCU_NAKED static const int32_t *pair_blocks(const int32_t *stream MCU_IN_REGISTER,
                                            const int32_t *x MCU_IN_REGISTER, int32_t quads MCU_IN_REGISTER,
                                            int32_t blocks MCU_IN_REGISTER, int8_t *out0 MCU_IN_REGISTER,
                                            int8_t *out1 MCU_IN_REGISTER) {
    __asm__(PAIR_BLOCKS(PAIR_SCALE));
}

MCU_NAKED static const int32_t *
pair_blocks_rectified(const int32_t *stream MCU_IN_REGISTER, const int32_t *x MCU_IN_REGISTER,
                      int32_t quads MCU_IN_REGISTER, int32_t blocks MCU_IN_REGISTER,
                      int8_t *out0 MCU_IN_REGISTER, int8_t *out1 MCU_IN_REGISTER) {
    __asm__(PAIR_BLOCKS(PAIR_SCALE_RECTIFIED));
}

/* One quad of one pixel: r0 weights, r1 inputs, r2, r3, r6, r7 and r4, r5 what is loaded from there; the
 * accumulators are r8 raw ab, r9 a, r10 raw cd, r11 c. */
#define ONE_STEP                 \
    "ldr r2, [r0]\n\t"           \
    "ldr r3, [r0, #4]\n\t"       \
    "ldr r6, [r0, #8]\n\t"       \
    "ldr r7, [r0, #12]\n\t"      \
    "ldr r4, [r1]\n\t"           \
    "ldr r5, [r1, #4]\n\t"       \
    "adds r0, #16\n\t"           \
    "adds r1, #8\n\t"            \
    "smlad r8, r2, r4, r8\n\t"   \
    "sxtb16 r2, r2\n\t"          \
    "smlad r10, r3, r4, r10\n\t" \
    "sxtb16 r3, r3\n\t"          \
    "smlad r9, r2, r4, r9\n\t"   \
    "smlad r11, r3, r4, r11\n\t" \
    "smlad r8, r6, r5, r8\n\t"   \
    "sxtb16 r6, r6\n\t"          \
    "smlad r10, r7, r5, r10\n\t" \
    "sxtb16 r7, r7\n\t"          \
    "smlad r9, r6, r5, r9\n\t"   \
    "smlad r11, r7, r5, r11\n\t"

#define ONE_SCALE(acc)                    \
    "ldmia r0!, {r2, r3, r4}\n\t"         \
    "add r3, r3, " acc ", asr #31\n\t"    \
    "smmlar " acc ", " acc ", r2, r3\n\t" \
    "asr " acc ", " acc ", r4\n\t"        \
    "ssat " acc ", #8, " acc "\n\t"

/* The same for one pixel; r12 output, lr its end; s0 inputs, s1 their end, s2 quads modulo 2. */
MCU_NAKED static const int32_t *one_blocks(const int32_t *stream MCU_IN_REGISTER,
                                           const int32_t *x MCU_IN_REGISTER, int32_t quads MCU_IN_REGISTER,
                                           int32_t blocks MCU_IN_REGISTER, int8_t *out MCU_IN_REGISTER) {
    __asm__("push {r4-r11, lr}\n\t"
            "ldr r12, [sp, #36]\n\t"
            "add lr, r12, r3, lsl #2\n\t"
            "add r4, r1, r2, lsl #3\n\t"
            "ands r2, r2, #1\n\t"
            "vmov s0, r1\n\t"
            "vmov s1, r4\n\t"
            "vmov s2, r2\n\t"
            ".balign 4\n"
            "1:\n\t"
            "ldmia r0!, {r8-r11}\n\t"
            "vmov r1, s0\n\t"
            "vmov r2, s2\n\t"
            "cbz r2, 2f\n\t"
            "b 3f\n\t"
            ".balign 4\n"
            "2:\n\t"
            ONE_STEP "\n"
            "3:\n\t"
            ONE_STEP
            "vmov r2, s1\n\t"
            "cmp r1, r2\n\t"
            "bne 2b\n\t"
            "sub r8, r8, r9\n\t"
            "sub r10, r10, r11\n\t"
            "lsl r9, r9, #1\n\t"
            "asr r8, r8, #7\n\t"
            "lsl r11, r11, #1\n\t"
            "asr r10, r10, #7\n\t"
            ONE_SCALE("r9")
            ONE_SCALE("r8")
            ONE_SCALE("r11")
            ONE_SCALE("r10")
            "bfi r9, r8, #8, #8\n\t"
            "bfi r9, r11, #16, #8\n\t"
            "bfi r9, r10, #24, #8\n\t"
            "str r9, [r12], #4\n\t"
            "cmp r12, lr\n\t"
            "bne 1b\n\t"
            "pop {r4-r11, pc}\n\t");
}

/* clang-format on */
#else

static int32_t requantise4(int32_t raw_ab, int32_t a, int32_t raw_cd, int32_t c, const mcu_scale *scale) {
    const int32_t b = mcu_sub(raw_ab, a) >> 8;
    const int32_t d = mcu_sub(raw_cd, c) >> 8;
    return mcu_pack4(mcu_ssat8(mcu_scale_apply(a, &scale[0])), mcu_ssat8(mcu_scale_apply(b, &scale[1])),
                     mcu_ssat8(mcu_scale_apply(c, &scale[2])), mcu_ssat8(mcu_scale_apply(d, &scale[3])));
}

/* One block of the pixel whose words are `step` apart. */
static void one_block(const int32_t *stream, const int32_t *x, int32_t quads, int32_t step, int8_t *out) {
    int32_t raw_ab = stream[0], a = stream[1], raw_cd = stream[2], c = stream[3];
    stream += 4;
    for (int32_t pair = 2 * quads; pair > 0; pair--) {
        raw_ab = mcu_smlad(stream[0], *x, raw_ab);
        raw_cd = mcu_smlad(stream[1], *x, raw_cd);
        a = mcu_smlad(mcu_sxtb16(stream[0]), *x, a);
        c = mcu_smlad(mcu_sxtb16(stream[1]), *x, c);
        stream += 2;
        x += step;
    }
    mcu_store32(out, requantise4(raw_ab, a, raw_cd, c, (const mcu_scale *)stream));
}

static const int32_t *one_blocks(const int32_t *stream, const int32_t *x, int32_t quads, int32_t blocks,
                                 int8_t *out) {
    for (; blocks > 0; blocks--) {
        one_block(stream, x, quads, 1, out);
        stream += 16 + 4 * quads;
        out += 4;
    }
    return stream;
}

static const int32_t *pair_blocks(const int32_t *stream, const int32_t *x, int32_t quads, int32_t blocks,
                                  int8_t *out0, int8_t *out1) {
    for (; blocks > 0; blocks--) {
        one_block(stream, x, quads, 2, out0);
        one_block(stream, x + 1, quads, 2, out1);
        stream += 16 + 4 * quads;
        out0 += 4;
        out1 += 4;
    }
    return stream;
}

/* The sign of ties does no harm where it is indifferent. */
static const int32_t *pair_blocks_rectified(const int32_t *stream, const int32_t *x, int32_t quads,
                                            int32_t blocks, int8_t *out0, int8_t *out1) {
    return pair_blocks(stream, x, quads, blocks, out0, out1);
}

#endif

static void copy_left_over(int8_t *to, const int8_t *from, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        to[i] = from[i];
    }
}

void mcu_gemm_one(const mcu_gemm *gemm, const int32_t *x, int8_t *out) {
    const int32_t *stream = gemm->stream;
    const int32_t blocks = gemm->channels >> 2, left_over = gemm->channels & 3;
    if (blocks > 0) {
        stream = one_blocks(stream, x, gemm->quads, blocks, out);
    }
    if (left_over > 0) {
        int8_t last[4];
        one_blocks(stream, x, gemm->quads, 1, last);
        copy_left_over(out + 4 * blocks, last, left_over);
    }
}

void mcu_gemm_pair(const mcu_gemm *gemm, const int32_t *x, int8_t *out0, int8_t *out1) {
    const int32_t *stream = gemm->stream;
    const int32_t blocks = gemm->channels >> 2, left_over = gemm->channels & 3;
    if (blocks > 0 && gemm->rectified) {
        stream = pair_blocks_rectified(stream, x, gemm->quads, blocks, out0, out1);
    } else if (blocks > 0) {
        stream = pair_blocks(stream, x, gemm->quads, blocks, out0, out1);
    }
    if (left_over > 0) {
        int8_t last0[4], last1[4];
        pair_blocks(stream, x, gemm->quads, 1, last0, last1);
        copy_left_over(out0 + 4 * blocks, last0, left_over);
        copy_left_over(out1 + 4 * blocks, last1, left_over);
    }
}
