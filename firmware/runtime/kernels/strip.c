/* Widening and transposing of depthwise inputs, four channels at a time.
 *
 * Of two lanes, a word each of four int8 channels, come four words: channel c's elements of both lanes as a
 * pair of int16, or these less the zero point. Words of successive channels are 1, 2, 3 or 5 words apart,
 * those of successive columns four times that. Lanes come in lists, which serve four channels after the
 * other.
 *
 * Bound: for two columns 4 loads, 8 SXTB16, 4 PKH, 8 stores, 7 of addresses and loop: 32 cycles for sixteen
 * elements. */
#include "mcu_asm.h"
#include "mcu_depthwise.h"

#if MCU_TARGET
/* clang-format off */

/* Halves of a word, widened as they are or less the zero point in r9. */
#define AS_IT_IS(to, from) "sxtb16 " to ", " from "\n\t"
#define LESS_ZERO(to, from) "sxtab16 " to ", r9, " from "\n\t"

/* Through r7 and r8, the words of the loads `a` and `b`; `a` may be r6. */
#define WIDEN(widen, a, b, first, second, third, fourth) \
    "pkhbt r8, " a ", " b ", lsl #16\n\t"        \
    "pkhtb r6, " b ", " a ", asr #16\n\t"        \
    widen("r7", "r8, ror #8")                    \
    widen("r8", "r8")                            \
    "str r7, [r5, #" second "]\n\t"              \
    "str r8, [r5, #" first "]\n\t"               \
    widen("r7", "r6, ror #8")                    \
    widen("r6", "r6")                            \
    "str r7, [r5, #" fourth "]\n\t"              \
    "str r6, [r5, #" third "]\n\t"

/* r10 fills, r11 how many are left, r0, r1 the first lane and its step, r2, r3 the second, r4 columns left, r5
 * where they go; an odd column first, then two at a time. Lanes move on by four channels, padding does not. A
 * channel's word is `w1` bytes behind the one before. */
#define TRANSPOSE(widen, w1, w2, w3, w4, w5, w6, w7, w8) \
    "push {r4-r11, lr}\n\t"                      \
    "mov r10, r0\n\t"                            \
    "mov r11, r1\n\t"                            \
    "mov r9, r2\n"                               \
    "0:\n\t"                                     \
    "ldm r10, {r0-r5}\n\t"                       \
    "adds r6, r0, #4\n\t"                        \
    "adds r7, r2, #4\n\t"                        \
    "cmp r1, #0\n\t"                             \
    "it eq\n\t"                                  \
    "moveq r6, r0\n\t"                           \
    "cmp r3, #0\n\t"                             \
    "it eq\n\t"                                  \
    "moveq r7, r2\n\t"                           \
    "lsrs r4, r4, #1\n\t"                        \
    "str.w r6, [r10]\n\t"                        \
    "str.w r7, [r10, #8]\n\t"                    \
    "bcc 1f\n\t"                                 \
    "ldr r6, [r0]\n\t"                           \
    "ldr r7, [r2]\n\t"                           \
    "adds r0, r0, r1\n\t"                        \
    "adds r2, r2, r3\n\t"                        \
    WIDEN(widen, "r6", "r7", "0", w1, w2, w3)    \
    "adds r5, #" w4 "\n"                         \
    "1:\n\t"                                     \
    "cbz r4, 3f\n\t"                             \
    ".balign 4\n"                                \
    "2:\n\t"                                     \
    "ldr r6, [r0]\n\t"                           \
    "ldr r7, [r2]\n\t"                           \
    "ldr.w r12, [r0, r1]\n\t"                    \
    "ldr.w lr, [r2, r3]\n\t"                     \
    "add r0, r0, r1, lsl #1\n\t"                 \
    "add r2, r2, r3, lsl #1\n\t"                 \
    WIDEN(widen, "r6", "r7", "0", w1, w2, w3)    \
    WIDEN(widen, "r12", "lr", w4, w5, w6, w7)    \
    "adds r5, #" w8 "\n\t"                       \
    "subs r4, #1\n\t"                            \
    "bne 2b\n"                                   \
    "3:\n\t"                                     \
    "add.w r10, r10, #24\n\t"                    \
    "subs.w r11, r11, #1\n\t"                    \
    "bne 0b\n\t"                                 \
    "pop {r4-r11, pc}\n\t"

MCU_NAKED void mcu_transpose_less(mcu_fill *fills MCU_IN_REGISTER, int32_t count MCU_IN_REGISTER, int32_t zeros MCU_IN_REGISTER) {
    __asm__(TRANSPOSE(LESS_ZERO, "4", "8", "12", "16", "20", "24", "28", "32"));
}

MCU_NAKED void mcu_transpose_by_2(mcu_fill *fills MCU_IN_REGISTER, int32_t count MCU_IN_REGISTER) {
    __asm__(TRANSPOSE(AS_IT_IS, "8", "16", "24", "32", "40", "48", "56", "64"));
}

MCU_NAKED void mcu_transpose_by_3(mcu_fill *fills MCU_IN_REGISTER, int32_t count MCU_IN_REGISTER) {
    __asm__(TRANSPOSE(AS_IT_IS, "12", "24", "36", "48", "60", "72", "84", "96"));
}

MCU_NAKED void mcu_transpose_by_5(mcu_fill *fills MCU_IN_REGISTER, int32_t count MCU_IN_REGISTER) {
    __asm__(TRANSPOSE(AS_IT_IS, "20", "40", "60", "80", "100", "120", "140", "160"));
}

/* clang-format on */
#else

static void transpose_one(mcu_fill *fill, int32_t spacing, int32_t zeros) {
    const int8_t *first = fill->first, *second = fill->second;
    int32_t *to = fill->to;
    for (int32_t i = 0; i < fill->columns; i++) {
        const int32_t a = mcu_load32(first), b = mcu_load32(second);
        const int32_t low = mcu_pkhbt(a, b), high = mcu_pkhtb(b, a);
        to[0] = mcu_sxtab16(zeros, low);
        to[spacing] = mcu_sxtab16_ror8(zeros, low);
        to[2 * spacing] = mcu_sxtab16(zeros, high);
        to[3 * spacing] = mcu_sxtab16_ror8(zeros, high);
        to += 4 * spacing;
        first += fill->first_step;
        second += fill->second_step;
    }
    fill->first += fill->first_step != 0 ? 4 : 0;
    fill->second += fill->second_step != 0 ? 4 : 0;
}

static void transpose(mcu_fill *fills, int32_t count, int32_t spacing, int32_t zeros) {
    for (int32_t i = 0; i < count; i++) {
        transpose_one(fills + i, spacing, zeros);
    }
}

void mcu_transpose_less(mcu_fill *fills, int32_t count, int32_t zeros) {
    transpose(fills, count, 1, zeros);
}

void mcu_transpose_by_2(mcu_fill *fills, int32_t count) {
    transpose(fills, count, 2, 0);
}

void mcu_transpose_by_3(mcu_fill *fills, int32_t count) {
    transpose(fills, count, 3, 0);
}

void mcu_transpose_by_5(mcu_fill *fills, int32_t count) {
    transpose(fills, count, 5, 0);
}

#endif
