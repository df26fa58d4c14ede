/* Widening of int8 inputs to the int16 pairs that gemm.c multiplies.
 *
 * A word of four elements becomes two words, elements (0, 2) and (1, 3). Two pixels' words alternate. Inputs
 * have no alignment, outputs are words.
 *
 * Bound: for two words of two pixels 4 loads in a row, 8 SXTB16, 8 stores, 4 of loop: 1.6 cycles an
 * element. */
#include "mcu_asm.h"
#include "mcu_kernels.h"
#include "mcu_simd.h"

int32_t *mcu_widen_one(const int8_t *in, int32_t words, int32_t *x) {
    for (; words > 0; words--) {
        const int32_t word = mcu_load32(in);
        x[0] = mcu_sxtb16(word);
        x[1] = mcu_sxtb16_ror8(word);
        in += 4;
        x += 2;
    }
    return x;
}

#if MCU_TARGET
/* clang-format off */

/* r0, r1 inputs, r2 words left, r3 outputs; an odd word first. */
MCU_NAKED int32_t *mcu_widen_pair(const int8_t *in0 MCU_IN_REGISTER, const int8_t *in1 MCU_IN_REGISTER,
                                  int32_t words MCU_IN_REGISTER, int32_t *x MCU_IN_REGISTER) {
    __asm__("push {r4-r7, lr}\n\t"
            "lsrs r2, r2, #1\n\t"
            "bcc 1f\n\t"
            "ldr r4, [r0]\n\t"
            "ldr r5, [r1]\n\t"
            "adds r0, #4\n\t"
            "adds r1, #4\n\t"
            "sxtb16 r6, r4, ror #8\n\t"
            "sxtb16 r7, r5, ror #8\n\t"
            "sxtb16 r4, r4\n\t"
            "sxtb16 r5, r5\n\t"
            "stmia r3!, {r4-r7}\n"
            "1:\n\t"
            "cbz r2, 3f\n\t"
            ".balign 4\n"
            "2:\n\t"
            "ldr r4, [r0]\n\t"
            "ldr r5, [r1]\n\t"
            "ldr r6, [r0, #4]\n\t"
            "ldr r7, [r1, #4]\n\t"
            "adds r0, #8\n\t"
            "adds r1, #8\n\t"
            "sxtb16 r12, r4, ror #8\n\t"
            "sxtb16 r4, r4\n\t"
            "sxtb16 lr, r5, ror #8\n\t"
            "sxtb16 r5, r5\n\t"
            "str r4, [r3]\n\t"
            "str r5, [r3, #4]\n\t"
            "str r12, [r3, #8]\n\t"
            "str lr, [r3, #12]\n\t"
            "sxtb16 r12, r6, ror #8\n\t"
            "sxtb16 r6, r6\n\t"
            "sxtb16 lr, r7, ror #8\n\t"
            "sxtb16 r7, r7\n\t"
            "str r6, [r3, #16]\n\t"
            "str r7, [r3, #20]\n\t"
            "str r12, [r3, #24]\n\t"
            "str lr, [r3, #28]\n\t"
            "adds r3, #32\n\t"
            "subs r2, #1\n\t"
            "bne 2b\n"
            "3:\n\t"
            "mov r0, r3\n\t"
            "pop {r4-r7, pc}\n\t");
}

/* clang-format on */
#else

int32_t *mcu_widen_pair(const int8_t *in0, const int8_t *in1, int32_t words, int32_t *x) {
    for (; words > 0; words--) {
        const int32_t word0 = mcu_load32(in0), word1 = mcu_load32(in1);
        x[0] = mcu_sxtb16(word0);
        x[1] = mcu_sxtb16(word1);
        x[2] = mcu_sxtb16_ror8(word0);
        x[3] = mcu_sxtb16_ror8(word1);
        in0 += 4;
        in1 += 4;
        x += 4;
    }
    return x;
}

#endif
