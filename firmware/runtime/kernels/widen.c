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
#include "mcu_widen.h"

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

MCU_NAKED int32_t *mcu_widen_pair(const int8_t *in0 MCU_IN_REGISTER, const int8_t *in1 MCU_IN_REGISTER,
                                  int32_t words MCU_IN_REGISTER, int32_t *x MCU_IN_REGISTER) {
    __asm__("push {r4-r7, lr}\n\t"
            MCU_WIDEN_PAIR
            "mov r0, r3\n\t"
            "pop {r4-r7, pc}\n\t");
}

/* r8 rows, r9 rows left, r10 first, r11 distance, s0 words; the rest as in MCU_WIDEN_PAIR. */
MCU_NAKED void mcu_widen_windows(const mcu_windows *windows MCU_IN_REGISTER) {
    __asm__("push {r4-r11, lr}\n\t"
            "ldm r0, {r3, r8-r12}\n\t"
            "vmov s0, r12\n"
            "1:\n\t"
            "ldr r0, [r8], #4\n\t"
            "vmov r2, s0\n\t"
            "add r0, r0, r10\n\t"
            "add r1, r0, r11\n\t"
            MCU_WIDEN_PAIR
            "subs.w r9, r9, #1\n\t"
            "bne 1b\n\t"
            "pop {r4-r11, pc}\n\t");
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

void mcu_widen_windows(const mcu_windows *windows) {
    int32_t *x = windows->x;
    for (int32_t i = 0; i < windows->count; i++) {
        const int8_t *run = windows->rows[i] + windows->first;
        x = mcu_widen_pair(run, run + windows->distance, windows->words, x);
    }
}

#endif
