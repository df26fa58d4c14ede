/* The loops of gemm.c over blocks of four channels, for assembly: what a block's sums begin with and what
 * becomes of them is up to the user. They take the stream in r0 and all else in the FPU's registers: s0, s1,
 * s2 and s6 where inputs and the first loop begin and end (see gemm.c), s3 and s4 outputs, s5 the end of
 * those in s3.
 *
 * BEGIN sets the accumulators, r1 to s0 and r2 to s6; r3 to r5 are free. END finds the words behind the
 * weights 64 bytes behind r0, moves r0 on to the next block, and ends with a comparison of the next output
 * with its end. */
#ifndef MCU_GEMM_BLOCKS_H
#define MCU_GEMM_BLOCKS_H

/* clang-format off */

/* One pair of products of two pixels: r0 weights, r1 inputs, r2 to r5 what is loaded from there; the
 * accumulators are r6 raw ab, r7 a, r8 raw cd, r9 c of pixel 0 and r10, r11, r12, lr of pixel 1. */
#define PAIR_MACS               \
    "nop\n\t"                   \
    "smlad r6, r2, r4, r6\n\t"  \
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

/* Blocks of two pixels: END leaves the outputs' next places in r2 and r3. */
#define PAIR_BLOCKS(BEGIN, END)             \
    "vmov s15, lr\n\t"                      \
    ".balign 4\n"                           \
    "1:\n\t"                                \
    BEGIN                                   \
    "subs r0, #64\n\t"                      \
    "cmp r2, #0\n\t"                        \
    "bne.w 8f\n\t"                          \
    ".balign 4\n"                           \
    "2:\n\t"                                \
    "ldr r2, [r0, #64]!\n\t"                \
    "ldr r4, [r1, #64]!\n\t"                \
    "ldr r3, [r0, #4]\n\t"                  \
    "ldr r5, [r1, #4]\n\t"                  \
    PAIR_MACS                               \
    PAIR_STEP("8", "12")                    \
    PAIR_STEP("16", "20")                   \
    PAIR_STEP("24", "28")                   \
    PAIR_STEP("32", "36")                   \
    PAIR_STEP("40", "44")                   \
    PAIR_STEP("48", "52")                   \
    PAIR_STEP("56", "60") "\n"              \
    "3:\n\t"                                \
    "vmov r2, s1\n\t"                       \
    "cmp r1, r2\n\t"                        \
    "bne.w 2b\n\t"                          \
    END                                     \
    "vmov s3, r2\n\t"                       \
    "vmov s4, r3\n\t"                       \
    "bne.w 1b\n\t"                          \
    "vmov lr, s15\n\t"                      \
    "bx lr\n"                               \
    "8:\n\t"                                \
    "vmov r4, s2\n\t"                       \
    "adr.w r3, 3b\n\t"                      \
    "adds r0, r0, r2\n\t"                   \
    "subs r3, r3, r4\n\t"                   \
    "bx r3\n\t"

/* One quad of one pixel: r0 weights, r1 inputs, r2, r3, r6, r7 and r4, r5 what is loaded from there; the
 * accumulators are r8 raw ab, r9 a, r10 raw cd, r11 c. */
#define ONE_MACS                 \
    "nop\n\t"                    \
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

#define ONE_STEP(w0, w1, w2, w3, x0, x1) \
    "ldr r2, [r0, #" w0 "]\n\t"          \
    "ldr r3, [r0, #" w1 "]\n\t"          \
    "ldr r6, [r0, #" w2 "]\n\t"          \
    "ldr r7, [r0, #" w3 "]\n\t"          \
    "ldr r4, [r1, #" x0 "]\n\t"          \
    "ldr r5, [r1, #" x1 "]\n\t"          \
    ONE_MACS

/* Blocks of one pixel: r12 output, lr its end. */
#define ONE_BLOCKS(BEGIN, END)                           \
    "vmov s15, lr\n\t"                                     \
    "vmov r12, s3\n\t"                                     \
    "vmov lr, s5\n\t"                                      \
    ".balign 4\n"                                          \
    "1:\n\t"                                               \
    BEGIN                                                  \
    "subs r0, #64\n\t"                                     \
    "cmp r2, #0\n\t"                                       \
    "bne.w 8f\n\t"                                         \
    ".balign 4\n"                                          \
    "2:\n\t"                                               \
    "ldr r2, [r0, #64]!\n\t"                               \
    "ldr r4, [r1, #32]!\n\t"                               \
    "ldr r3, [r0, #4]\n\t"                                 \
    "ldr r5, [r1, #4]\n\t"                                 \
    "ldr r6, [r0, #8]\n\t"                                 \
    "ldr r7, [r0, #12]\n\t"                                \
    ONE_MACS                                               \
    ONE_STEP("16", "20", "24", "28", "8", "12")            \
    ONE_STEP("32", "36", "40", "44", "16", "20")           \
    ONE_STEP("48", "52", "56", "60", "24", "28") "\n"      \
    "3:\n\t"                                               \
    "vmov r2, s1\n\t"                                      \
    "cmp r1, r2\n\t"                                       \
    "bne.w 2b\n\t"                                         \
    END                                                    \
    "cmp r12, lr\n\t"                                      \
    "bne.w 1b\n\t"                                         \
    "vmov lr, s15\n\t"                                     \
    "vmov s3, r12\n\t"                                     \
    "vmov s4, r12\n\t"                                     \
    "bx lr\n"                                              \
    "8:\n\t"                                               \
    "vmov r4, s2\n\t"                                      \
    "adr.w r3, 3b\n\t"                                     \
    "add r0, r0, r2, lsl #1\n\t"                           \
    "subs r3, r3, r4\n\t"                                  \
    "bx r3\n\t"

/* clang-format on */
#endif
