/* Widening and transposing of depthwise inputs, four channels at a time.
 *
 * Of two lanes, a word each of four int8 channels, come four words: channel c's elements of both lanes as a
 * pair of int16. Words of successive channels are 1, 2, 3 or 5 words apart, those of successive columns four
 * times that.
 *
 * Bound: two loads, 4 SXTB16, 4 PKH, 4 stores, 7 of addresses and loop: 21 cycles for eight elements. */
#include "mcu_asm.h"
#include "mcu_depthwise.h"

#if MCU_TARGET
/* clang-format off */

/* r0, r1 the first lane and its step, r2, r3 the second, r4 columns left, r5 where they go. */
#define TRANSPOSE(second, third, fourth, column) \
    "push {r4-r8, lr}\n\t"                       \
    "ldr r4, [sp, #24]\n\t"                      \
    "ldr r5, [sp, #28]\n\t"                      \
    "cmp r4, #0\n\t"                             \
    "ble 2f\n\t"                                 \
    ".balign 4\n"                                \
    "1:\n\t"                                     \
    "ldr r6, [r0]\n\t"                           \
    "ldr r7, [r2]\n\t"                           \
    "adds r0, r0, r1\n\t"                        \
    "adds r2, r2, r3\n\t"                        \
    "sxtb16 r12, r6\n\t"                         \
    "sxtb16 lr, r7\n\t"                          \
    "sxtb16 r6, r6, ror #8\n\t"                  \
    "sxtb16 r7, r7, ror #8\n\t"                  \
    "pkhbt r8, r12, lr, lsl #16\n\t"             \
    "pkhtb r12, lr, r12, asr #16\n\t"            \
    "pkhbt lr, r6, r7, lsl #16\n\t"              \
    "pkhtb r6, r7, r6, asr #16\n\t"              \
    "str r8, [r5]\n\t"                           \
    "str lr, [r5, #" second "]\n\t"              \
    "str r12, [r5, #" third "]\n\t"              \
    "str r6, [r5, #" fourth "]\n\t"              \
    "adds r5, #" column "\n\t"                   \
    "subs r4, #1\n\t"                            \
    "bne 1b\n"                                   \
    "2:\n\t"                                     \
    "pop {r4-r8, pc}\n\t"

MCU_NAKED void mcu_transpose_lanes_by_1(const int8_t *first MCU_IN_REGISTER,
                                        int32_t first_step MCU_IN_REGISTER,
                                        const int8_t *second MCU_IN_REGISTER,
                                        int32_t second_step MCU_IN_REGISTER, int32_t count MCU_IN_REGISTER,
                                        int32_t *to MCU_IN_REGISTER) {
    __asm__(TRANSPOSE("4", "8", "12", "16"));
}

MCU_NAKED void mcu_transpose_lanes_by_2(const int8_t *first MCU_IN_REGISTER,
                                        int32_t first_step MCU_IN_REGISTER,
                                        const int8_t *second MCU_IN_REGISTER,
                                        int32_t second_step MCU_IN_REGISTER, int32_t count MCU_IN_REGISTER,
                                        int32_t *to MCU_IN_REGISTER) {
    __asm__(TRANSPOSE("8", "16", "24", "32"));
}

MCU_NAKED void mcu_transpose_lanes_by_3(const int8_t *first MCU_IN_REGISTER,
                                        int32_t first_step MCU_IN_REGISTER,
                                        const int8_t *second MCU_IN_REGISTER,
                                        int32_t second_step MCU_IN_REGISTER, int32_t count MCU_IN_REGISTER,
                                        int32_t *to MCU_IN_REGISTER) {
    __asm__(TRANSPOSE("12", "24", "36", "48"));
}

MCU_NAKED void mcu_transpose_lanes_by_5(const int8_t *first MCU_IN_REGISTER,
                                        int32_t first_step MCU_IN_REGISTER,
                                        const int8_t *second MCU_IN_REGISTER,
                                        int32_t second_step MCU_IN_REGISTER, int32_t count MCU_IN_REGISTER,
                                        int32_t *to MCU_IN_REGISTER) {
    __asm__(TRANSPOSE("20", "40", "60", "80"));
}

/* clang-format on */
#else

static void transpose(mcu_lane first, mcu_lane second, int32_t count, int32_t *to, int32_t spacing) {
    for (; count > 0; count--) {
        const int32_t a = mcu_load32(first.from), b = mcu_load32(second.from);
        const int32_t a02 = mcu_sxtb16(a), a13 = mcu_sxtb16_ror8(a);
        const int32_t b02 = mcu_sxtb16(b), b13 = mcu_sxtb16_ror8(b);
        to[0] = mcu_pkhbt(a02, b02);
        to[spacing] = mcu_pkhbt(a13, b13);
        to[2 * spacing] = mcu_pkhtb(b02, a02);
        to[3 * spacing] = mcu_pkhtb(b13, a13);
        to += 4 * spacing;
        first.from += first.step;
        second.from += second.step;
    }
}

void mcu_transpose_lanes_by_1(const int8_t *first, int32_t first_step, const int8_t *second,
                              int32_t second_step, int32_t count, int32_t *to) {
    transpose((mcu_lane){first, first_step}, (mcu_lane){second, second_step}, count, to, 1);
}

void mcu_transpose_lanes_by_2(const int8_t *first, int32_t first_step, const int8_t *second,
                              int32_t second_step, int32_t count, int32_t *to) {
    transpose((mcu_lane){first, first_step}, (mcu_lane){second, second_step}, count, to, 2);
}

void mcu_transpose_lanes_by_3(const int8_t *first, int32_t first_step, const int8_t *second,
                              int32_t second_step, int32_t count, int32_t *to) {
    transpose((mcu_lane){first, first_step}, (mcu_lane){second, second_step}, count, to, 3);
}

void mcu_transpose_lanes_by_5(const int8_t *first, int32_t first_step, const int8_t *second,
                              int32_t second_step, int32_t count, int32_t *to) {
    transpose((mcu_lane){first, first_step}, (mcu_lane){second, second_step}, count, to, 5);
}

#endif
