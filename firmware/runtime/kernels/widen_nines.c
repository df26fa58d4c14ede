/* Widening of two 3x3 windows of three channels: three runs of nine bytes each.
 *
 * Words and left-over products lie as conv.c states it. Inputs have no alignment; no scratch of its own.
 *
 * Bound: for each row 7 loads, 8 SXTB16, 10 stores, 4 of addresses: 31 cycles, and one or two more for each
 * word that is not aligned. */
#include "mcu_asm.h"
#include "mcu_kernels.h"
#include "mcu_simd.h"

#if MCU_TARGET
/* clang-format off */

/* r0 rows, r1 first window, r2 from there to the second one, r3 outputs: a row's words, and `left_over` bytes
 * behind them its last product. */
#define NINE(row, left_over, store)            \
    "ldr r4, [r0, #" row "]\n\t"               \
    "nop\n\t"                                  \
    "adds r4, r4, r1\n\t"                      \
    "adds r5, r4, r2\n\t"                      \
    "ldr r6, [r4]\n\t"                         \
    "ldr r7, [r5]\n\t"                         \
    "ldr.w r8, [r4, #4]\n\t"                   \
    "ldr.w r9, [r5, #4]\n\t"                   \
    "ldrsb.w r10, [r4, #8]\n\t"                \
    "ldrsb.w r11, [r5, #8]\n\t"                \
    "sxtb16 r12, r6, ror #8\n\t"               \
    "sxtb16 lr, r7, ror #8\n\t"                \
    "sxtb16 r6, r6\n\t"                        \
    "sxtb16 r7, r7\n\t"                        \
    "str r6, [r3]\n\t"                         \
    "str r7, [r3, #4]\n\t"                     \
    "str r12, [r3, #8]\n\t"                    \
    "str lr, [r3, #12]\n\t"                    \
    "sxtb16 r6, r8\n\t"                        \
    "sxtb16 r7, r9\n\t"                        \
    "sxtb16 r8, r8, ror #8\n\t"                \
    "sxtb16 r9, r9, ror #8\n\t"                \
    "str r6, [r3, #16]\n\t"                    \
    "str r7, [r3, #20]\n\t"                    \
    "str r8, [r3, #24]\n\t"                    \
    "str r9, [r3, #28]\n\t"                    \
    store " r10, [r3, #" left_over "]\n\t"     \
    store " r11, [r3, #" left_over " + 4]\n\t" \
    "adds r3, #32\n\t"

MCU_NAKED void mcu_widen_nines(const int8_t *const *rows MCU_IN_REGISTER, int32_t first MCU_IN_REGISTER,
                               int32_t distance MCU_IN_REGISTER, int32_t *x MCU_IN_REGISTER) {
    __asm__("push {r4-r11, lr}\n\t"
            NINE("0", "96", "strh")
            NINE("4", "66", "strh")
            NINE("8", "40", "str")
            "pop {r4-r11, pc}\n\t");
}

/* clang-format on */
#else

void mcu_widen_nines(const int8_t *const *rows, int32_t first, int32_t distance, int32_t *x) {
    int32_t *const left_over = x + 24;
    for (int32_t ky = 0; ky < 3; ky++) {
        const int8_t *run0 = rows[ky] + first, *run1 = run0 + distance;
        int8_t *const place = (int8_t *)left_over + (ky < 2 ? 2 * ky : 8);
        for (int32_t i = 0; i < 8; i += 4, x += 4) {
            const int32_t word0 = mcu_load32(run0 + i), word1 = mcu_load32(run1 + i);
            x[0] = mcu_sxtb16(word0);
            x[1] = mcu_sxtb16(word1);
            x[2] = mcu_sxtb16_ror8(word0);
            x[3] = mcu_sxtb16_ror8(word1);
        }
        mcu_store16(place, run0[8]);
        mcu_store16(place + 4, run1[8]);
    }
}

#endif
