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
 *   5 words           multiplier and offset of a, exponent of a + 256 exponent of b, multiplier and offset of
 * b 5 words           the same of c and d (see mcu_scale) A halfword of weights is 256 b + a, so SMLAD on the
 * word as it is adds up 256 B + A, SMLAD on its low bytes (SXTB16) adds up A, and B = (raw - A) >> 8. The
 * lowering proves |B| < 2^23 over all inputs; A and raw may then wrap freely. The input's zero point is
 * folded into the biases.
 *
 * Where one rounding gives the same outputs as two, for every accumulator that can occur, the lowering
 * chooses the functions named "fine" or "coarse". A block then ends with 4 words for a and b, 4 for c and d:
 * multiplier and offset of either. a's output is (offset + (A multiplier >> 32)) >> s and b's (offset + (256
 * B multiplier >> 32)) >> (s + 8), s being 3 or 1; the shift comes with the saturation, and what lies below
 * b's bias are 8 bits of its fraction.
 *
 * Bound: for two pixels a pair of products of four channels takes 4 loads in a row (5 cycles), 8 SMLAD and
 * 2 SXTB16, 15 cycles for 16 MACs; requantisation takes 8 cycles an output, with one rounding 4. For one
 * pixel a quad takes 6 loads (7 cycles), 8 SMLAD and 4 SXTB16, 19 cycles for 16 MACs.
 *
 * A NOP behind the last load of a row is free, and it is what keeps the fetch going: a load that is
 * followed by arithmetic holds it up. */
#include "mcu_asm.h"
#include "mcu_gemm_blocks.h"
#include "mcu_kernels.h"
#include "mcu_widen.h"

#if MCU_TARGET
/* clang-format off */

/* All kernels run through four quads a loop, and begin the first one in the middle where the number of quads
 * is no multiple of four. What does not fit into the core's registers waits in the FPU's:
 *   s0 inputs less the part of a loop that is left out, s1 the last loop's inputs, s6 the inputs' bytes that the
 *   first loop takes, 0 for all, s2 where to begin it
 *   s3, s4 outputs, s5 the end of s3's */

/* s0, s1, s2 and s6 from r1, the inputs, and r4, the quads: of 2^shift bytes of inputs and `code` bytes of code
 * each, four of them a loop. */
#define SET_OUT(shift, loop, code)      \
    "add r5, r1, r4, lsl #" shift "\n\t" \
    "subs r5, #" loop "\n\t"            \
    "vmov s1, r5\n\t"                   \
    "and r4, r4, #3\n\t"                \
    "movs r5, #" code "\n\t"            \
    "muls r5, r4, r5\n\t"               \
    "subs r5, #1\n\t"                   \
    "vmov s2, r5\n\t"                   \
    "lsls r4, r4, #" shift "\n\t"       \
    "vmov s6, r4\n\t"                   \
    "subs r1, #" loop "\n\t"            \
    "adds r1, r1, r4\n\t"               \
    "vmov s0, r1\n\t"

#define PAIR_SET_OUT SET_OUT("4", "64", "100")
#define ONE_SET_OUT SET_OUT("3", "32", "62")

/* Channels a and b of both pixels from a and 256 b: saturated outputs, joined in a halfword. */
#define PAIR_SCALE(w0, w1, w2, w3, w4, a0, a1, b0, b1) \
    "ldr r2, [r0, #" w0 "]\n\t"        \
    "ldr r3, [r0, #" w1 "]\n\t"        \
    "ldr r4, [r0, #" w2 "]\n\t"        \
    "nop\n\t"                          \
    "lsls " a0 ", " a0 ", #1\n\t"      \
    "lsls " a1 ", " a1 ", #1\n\t"      \
    "add r1, r3, " a0 ", asr #31\n\t"  \
    "add r5, r3, " a1 ", asr #31\n\t"  \
    "smmlar " a0 ", " a0 ", r2, r1\n\t" \
    "smmlar " a1 ", " a1 ", r2, r5\n\t" \
    "asrs " a0 ", " a0 ", r4\n\t"      \
    "asrs " a1 ", " a1 ", r4\n\t"      \
    "ldr r2, [r0, #" w3 "]\n\t"        \
    "ldr r3, [r0, #" w4 "]\n\t"        \
    "nop\n\t"                          \
    "lsrs r4, r4, #8\n\t"              \
    "asrs " b0 ", " b0 ", #7\n\t"      \
    "asrs " b1 ", " b1 ", #7\n\t"      \
    "add r1, r3, " b0 ", asr #31\n\t"  \
    "add r5, r3, " b1 ", asr #31\n\t"  \
    "smmlar " b0 ", " b0 ", r2, r1\n\t" \
    "smmlar " b1 ", " b1 ", r2, r5\n\t" \
    "ssat " a0 ", #8, " a0 "\n\t"      \
    "asrs " b0 ", " b0 ", r4\n\t"      \
    "asrs " b1 ", " b1 ", r4\n\t"      \
    "ssat " a1 ", #8, " a1 "\n\t"      \
    "ssat " b0 ", #8, " b0 "\n\t"      \
    "ssat " b1 ", #8, " b1 "\n\t"      \
    "bfi " a0 ", " b0 ", #8, #8\n\t"   \
    "bfi " a1 ", " b1 ", #8, #8\n\t"

/* The same with one rounding. */
#define PAIR_SCALE_ONCE(low, high, w0, w1, w2, w3, a0, a1, b0, b1) \
    "ldr r1, [r0, #" w0 "]\n\t"         \
    "ldr r2, [r0, #" w1 "]\n\t"         \
    "ldr r3, [r0, #" w2 "]\n\t"         \
    "ldr r4, [r0, #" w3 "]\n\t"         \
    "nop\n\t"                           \
    "smmla " a0 ", " a0 ", r1, r2\n\t"  \
    "smmla " a1 ", " a1 ", r1, r2\n\t"  \
    "smmla " b0 ", " b0 ", r3, r4\n\t"  \
    "smmla " b1 ", " b1 ", r3, r4\n\t"  \
    "ssat " a0 ", #8, " a0 ", asr #" low "\n\t" \
    "ssat " a1 ", #8, " a1 ", asr #" low "\n\t" \
    "ssat " b0 ", #8, " b0 ", asr #" high "\n\t" \
    "ssat " b1 ", #8, " b1 ", asr #" high "\n\t" \
    "bfi " a0 ", " b0 ", #8, #8\n\t"   \
    "bfi " a1 ", " b1 ", #8, #8\n\t"

/* All four channels, and the way to the next block: scale words begin 64 bytes behind r0. */
#define PAIR_END(SCALE_AB, SCALE_CD, end) \
    "subs r6, r6, r7\n\t"                \
    "sub r10, r10, r11\n\t"              \
    SCALE_AB                             \
    "sub r8, r8, r9\n\t"                 \
    "sub r12, r12, lr\n\t"               \
    SCALE_CD                             \
    "adds r0, #" end "\n\t"

#define PAIR_TWICE                                                           \
    PAIR_END(PAIR_SCALE("64", "68", "72", "76", "80", "r7", "r11", "r6", "r10"), \
             PAIR_SCALE("84", "88", "92", "96", "100", "r9", "lr", "r8", "r12"), "104")

#define PAIR_ONCE(low, high)                                                             \
    PAIR_END(PAIR_SCALE_ONCE(low, high, "64", "68", "72", "76", "r7", "r11", "r6", "r10"), \
             PAIR_SCALE_ONCE(low, high, "80", "84", "88", "92", "r9", "lr", "r8", "r12"), "96")

/* Blocks of two pixels begin with their biases, and end with four outputs of each. */
#define PAIR_BEGIN                          \
    "ldmia r0!, {r6-r9}\n\t"                \
    "vmov r1, s0\n\t"                       \
    "vmov r2, s6\n\t"                       \
    "mov r10, r6\n\t"                       \
    "mov r11, r7\n\t"                       \
    "mov r12, r8\n\t"                       \
    "mov lr, r9\n\t"

#define PAIR_STORE                          \
    "vmov r2, s3\n\t"                       \
    "vmov r3, s4\n\t"                       \
    "pkhbt r7, r7, r9, lsl #16\n\t"         \
    "pkhbt r11, r11, lr, lsl #16\n\t"       \
    "vmov r4, s5\n\t"                       \
    "str r7, [r2], #4\n\t"                  \
    "str r11, [r3], #4\n\t"                 \
    "cmp r2, r4\n\t"

/* Takes the stream in r0 and all else in the FPU's registers, and leads r0, s3 and s4 on; no function of C. */
#define PAIR_FUNCTION(name, END)      \
    MCU_NAKED void name(void) {       \
        __asm__(PAIR_BLOCKS(PAIR_BEGIN, END PAIR_STORE)); \
    }

PAIR_FUNCTION(mcu_pair_twice, PAIR_TWICE)
PAIR_FUNCTION(mcu_pair_fine, PAIR_ONCE("3", "11"))
PAIR_FUNCTION(mcu_pair_coarse, PAIR_ONCE("1", "9"))

/* All blocks of a function of mcu_gemm, `place` bytes behind its beginning; r0 mcu_gemm, r1 inputs, r2 and r3
 * outputs. Channels that fill no block are computed into the stack, and as many of them as there are copied; a
 * single pixel's are copied twice, the right ones last. s7 such channels, s8 the function, s9 and s10 their place. */
#define GEMM(place, SET_OUT)         \
    "push {r4-r11, lr}\n\t"          \
    "ldr r6, [r0, #" place "]\n\t"   \
    "ldm r0, {r0, r4, r5}\n\t"       \
    "vmov s3, r2\n\t"                \
    "vmov s4, r3\n\t"                \
    "ands r7, r5, #3\n\t"            \
    "bne 1f\n\t"                     \
    "adds r5, r5, r2\n\t"            \
    "vmov s5, r5\n\t"                \
    SET_OUT                          \
    "blx r6\n\t"                     \
    "pop {r4-r11, pc}\n"             \
    "1:\n\t"                         \
    "push {r0, r1}\n\t"              \
    "subs r3, r5, r7\n\t"            \
    "adds r5, r2, r3\n\t"            \
    "vmov s5, r5\n\t"                \
    "vmov s7, r7\n\t"                \
    "vmov s8, r6\n\t"                \
    SET_OUT                          \
    "cbz r3, 2f\n\t"                 \
    "blx r6\n"                       \
    "2:\n\t"                         \
    "vmov r2, s3\n\t"                \
    "vmov r3, s4\n\t"                \
    "vmov r6, s8\n\t"                \
    "vmov s9, r2\n\t"                \
    "vmov s10, r3\n\t"               \
    "mov r2, sp\n\t"                 \
    "adds r3, r2, #4\n\t"            \
    "vmov s3, r2\n\t"                \
    "vmov s4, r3\n\t"                \
    "vmov s5, r3\n\t"                \
    "blx r6\n\t"                     \
    "vmov r4, s7\n\t"                \
    "vmov r2, s9\n\t"                \
    "vmov r3, s10\n\t"               \
    "pop {r0, r1}\n"                 \
    "3:\n\t"                         \
    "strb r1, [r3], #1\n\t"          \
    "strb r0, [r2], #1\n\t"          \
    "lsrs r1, r1, #8\n\t"            \
    "lsrs r0, r0, #8\n\t"            \
    "subs r4, #1\n\t"                \
    "bne 3b\n\t"                     \
    "pop {r4-r11, pc}\n\t"

MCU_NAKED void mcu_gemm_pair(const mcu_gemm *gemm MCU_IN_REGISTER, const int32_t *x MCU_IN_REGISTER,
                             int8_t *out0 MCU_IN_REGISTER, int8_t *out1 MCU_IN_REGISTER) {
    __asm__(GEMM("12", PAIR_SET_OUT));
}

/* In the FPU besides: s7 inputs, s8 pairs left, s9 stream, s10 bytes of an input pixel, s11 quads, s12 where
 * pairs are widened, s13 bytes of an output pixel, s14 the blocks' function. */
MCU_NAKED void mcu_gemm_pairs(const mcu_pairs *pairs MCU_IN_REGISTER) {
    __asm__("push {r4-r11, lr}\n\t"
            "ldm r0, {r0-r5}\n\t"
            "vmov s12, r1\n\t"
            "vmov s4, r2\n\t"
            "vmov s7, r3\n\t"
            "vmov s10, r4\n\t"
            "vmov s8, r5\n\t"
            "ldm r0, {r0, r4, r5, r6}\n\t"
            "vmov s9, r0\n\t"
            "vmov s11, r4\n\t"
            "vmov s13, r5\n\t"
            "vmov s14, r6\n\t"
            PAIR_SET_OUT
            ".balign 4\n"
            "1:\n\t"
            "vmov r0, s7\n\t"
            "vmov r4, s10\n\t"
            "vmov r2, s11\n\t"
            "adds r1, r0, r4\n\t"
            "adds r4, r1, r4\n\t"
            "vmov r3, s12\n\t"
            "vmov s7, r4\n\t"
            MCU_WIDEN_PAIR
            "vmov r2, s4\n\t"
            "vmov r3, s13\n\t"
            "vmov r0, s9\n\t"
            "vmov r4, s14\n\t"
            "adds r3, r2, r3\n\t"
            "vmov s3, r2\n\t"
            "vmov s4, r3\n\t"
            "vmov s5, r3\n\t"
            "blx r4\n\t"
            "vmov r2, s8\n\t"
            "subs r2, #1\n\t"
            "vmov s8, r2\n\t"
            "bne 1b\n\t"
            "pop {r4-r11, pc}\n\t");
}

#define ONE_SCALE(a, b)              \
    "ldmia r0!, {r2-r6}\n\t"         \
    "lsls " a ", " a ", #1\n\t"      \
    "asrs " b ", " b ", #7\n\t"      \
    "add r3, r3, " a ", asr #31\n\t" \
    "add r6, r6, " b ", asr #31\n\t" \
    "smmlar " a ", " a ", r2, r3\n\t" \
    "smmlar " b ", " b ", r5, r6\n\t" \
    "asrs " a ", " a ", r4\n\t"      \
    "lsrs r4, r4, #8\n\t"            \
    "asrs " b ", " b ", r4\n\t"      \
    "ssat " a ", #8, " a "\n\t"      \
    "ssat " b ", #8, " b "\n\t"      \
    "bfi " a ", " b ", #8, #8\n\t"

#define ONE_SCALE_ONCE(low, high, a, b)            \
    "ldmia r0!, {r2-r5}\n\t"            \
    "smmla " a ", " a ", r2, r3\n\t"    \
    "smmla " b ", " b ", r4, r5\n\t"    \
    "ssat " a ", #8, " a ", asr #" low "\n\t" \
    "ssat " b ", #8, " b ", asr #" high "\n\t" \
    "bfi " a ", " b ", #8, #8\n\t"

#define ONE_SCALE_FINE(a, b) ONE_SCALE_ONCE("3", "11", a, b)
#define ONE_SCALE_COARSE(a, b) ONE_SCALE_ONCE("1", "9", a, b)

#define ONE_BEGIN               \
    "ldmia r0!, {r8-r11}\n\t"   \
    "vmov r1, s0\n\t"           \
    "vmov r2, s6\n\t"

#define ONE_END(SCALE)              \
    "adds r0, #64\n\t"              \
    "sub r8, r8, r9\n\t"            \
    "sub r10, r10, r11\n\t"         \
    SCALE("r9", "r8")               \
    SCALE("r11", "r10")             \
    "pkhbt r9, r9, r11, lsl #16\n\t" \
    "str r9, [r12], #4\n\t"

#define ONE_FUNCTION(name, SCALE)     \
    MCU_NAKED void name(void) {       \
        __asm__(ONE_BLOCKS(ONE_BEGIN, ONE_END(SCALE)));   \
    }

ONE_FUNCTION(mcu_one_twice, ONE_SCALE)
ONE_FUNCTION(mcu_one_fine, ONE_SCALE_FINE)
ONE_FUNCTION(mcu_one_coarse, ONE_SCALE_COARSE)

MCU_NAKED void mcu_gemm_one(const mcu_gemm *gemm MCU_IN_REGISTER, const int32_t *x MCU_IN_REGISTER,
                            int8_t *out MCU_IN_REGISTER) {
    __asm__("mov r3, r2\n\t" GEMM("16", ONE_SET_OUT));
}

/* clang-format on */

#endif
