/* Four outputs of a depthwise convolution that slide over the columns of a strip.
 *
 * Words of the strip are 16 bytes apart. Each tap loads one new column and one word of weights, and
 * multiplies four times. Ranges and rounding are those of mcu_requantise.h; no scratch.
 *
 * Bound: 7 cycles a tap, 20 for each phase, 24 of requantisation and 9 of stores. */
#include "mcu_depthwise.h"

#if MCU_TARGET
/* clang-format off */

/* The first three columns of a phase. */
#define PRELOAD(x0, x1, x2)        \
    "ldr " x0 ", [r1]\n\t"         \
    "ldr " x1 ", [r1, #16]\n\t"    \
    "ldr " x2 ", [r1, #32]\n\t"

/* Where a phase of fewer than seven taps begins: columns and weights are led to where `tap` expects them. */
#define ENTER(label, x0, x1, x2, column, weights, tap) \
    label ":\n\t"                                      \
    PRELOAD(x0, x1, x2)                                \
    column                                             \
    "subs r0, #" weights "\n\t"                        \
    "b " tap "f\n"

/* One tap of four outputs, whose columns are x0 to x3; x3 is loaded. The NOP is free behind a load, and keeps the
 * fetch going. */
#define TAP(column, weight, x0, x1, x2, x3) \
    "ldr " x3 ", [r1, #" column "]\n\t"     \
    "ldr r2, [r0, #" weight "]\n\t"         \
    "nop\n\t"                              \
    "smlad r8, " x0 ", r2, r8\n\t"          \
    "smlad r9, " x1 ", r2, r9\n\t"          \
    "smlad r10, " x2 ", r2, r10\n\t"        \
    "smlad r11, " x3 ", r2, r11\n\t"

#define SCALE(acc, offset)                        \
    "smmlar " acc ", " acc ", r1, " offset "\n\t" \
    "asr " acc ", " acc ", r3\n\t"                \
    "ssat " acc ", #8, " acc "\n\t"

/* r0 stream, r1 strip, r2 weights, r4 to r7 columns in turn, r8 to r11 sums, r12 taps, lr the phase's strip; s0 to
 * s2 the scale, s3 output, s4 pitch, s5 steps. A phase of fewer than seven taps begins in the middle, with
 * the columns in the registers that the next tap expects. Returns the stream behind the channel. */
MCU_NAKED const int32_t *mcu_slide(const int32_t *stream MCU_IN_REGISTER,
                                              const int32_t *in MCU_IN_REGISTER,
                                              int8_t *out MCU_IN_REGISTER,
                                              const mcu_slide_plan *by MCU_IN_REGISTER) {
    __asm__("push {r4-r11, lr}\n\t"
            "ldmia r0!, {r4-r7}\n\t"
            "vmov s3, r2\n\t"
            "vmov s0, r5\n\t"
            "vmov s1, r6\n\t"
            "vmov s2, r7\n\t"
            "mov r8, r4\n\t"
            "mov r9, r4\n\t"
            "mov r10, r4\n\t"
            "mov r11, r4\n\t"
            "ldmia r3!, {r4, r5}\n\t"
            "mov lr, r1\n\t"
            "mov r12, r5\n\t"
            "vmov s4, r4\n\t"
            "vmov s5, r3\n"
            "1:\n\t"
            "ldrb r3, [r12], #1\n\t"
            "tbb [pc, r3]\n"
            "3:\n\t"
            ".byte (10f - 3b) / 2, (11f - 3b) / 2, (12f - 3b) / 2, (13f - 3b) / 2\n\t"
            ".byte (14f - 3b) / 2, (15f - 3b) / 2, (16f - 3b) / 2, (17f - 3b) / 2\n"
            ENTER("11", "r6", "r7", "r4", "subs r1, #48\n\t", "24", "26")
            ENTER("12", "r5", "r6", "r7", "subs r1, #32\n\t", "20", "25")
            ENTER("13", "r4", "r5", "r6", "subs r1, #16\n\t", "16", "24")
            ENTER("14", "r7", "r4", "r5", "", "12", "23")
            ENTER("15", "r6", "r7", "r4", "adds r1, #16\n\t", "8", "22")
            ENTER("16", "r5", "r6", "r7", "adds r1, #32\n\t", "4", "21")
            "17:\n\t"
            PRELOAD("r4", "r5", "r6")
            "adds r1, #48\n\t"
            "20:\n\t"
            TAP("0", "0", "r4", "r5", "r6", "r7")
            "21:\n\t"
            TAP("16", "4", "r5", "r6", "r7", "r4")
            "22:\n\t"
            TAP("32", "8", "r6", "r7", "r4", "r5")
            "23:\n\t"
            TAP("48", "12", "r7", "r4", "r5", "r6")
            "24:\n\t"
            TAP("64", "16", "r4", "r5", "r6", "r7")
            "25:\n\t"
            TAP("80", "20", "r5", "r6", "r7", "r4")
            "26:\n\t"
            TAP("96", "24", "r6", "r7", "r4", "r5")
            "vmov r3, s4\n\t"
            "adds r0, #28\n\t"
            "add lr, lr, r3\n\t"
            "mov r1, lr\n\t"
            "b 1b\n"
            "10:\n\t"
            "vmov r1, s0\n\t"
            "vmov r2, s1\n\t"
            "vmov r3, s2\n\t"
            "add r4, r2, r8, asr #31\n\t"
            "add r5, r2, r9, asr #31\n\t"
            "add r6, r2, r10, asr #31\n\t"
            "add r7, r2, r11, asr #31\n\t"
            SCALE("r8", "r4")
            SCALE("r9", "r5")
            SCALE("r10", "r6")
            SCALE("r11", "r7")
            "vmov r1, s5\n\t"
            "vmov r2, s3\n\t"
            "ldm r1, {r4-r6}\n\t"
            "adds r4, r4, r2\n\t"
            "adds r5, r5, r4\n\t"
            "adds r6, r6, r5\n\t"
            "strb r11, [r6]\n\t"
            "strb r10, [r5]\n\t"
            "strb r9, [r4]\n\t"
            "strb r8, [r2]\n\t"
            "pop {r4-r11, pc}\n\t");
}

/* clang-format on */
#else

const int32_t *mcu_slide(const int32_t *stream, const int32_t *in, int8_t *out, const mcu_slide_plan *by) {
    const mcu_scale scale = {stream[1], stream[2], stream[3]};
    const int32_t at[4] = {0, by->steps[0], by->steps[0] + by->steps[1],
                           by->steps[0] + by->steps[1] + by->steps[2]};
    int32_t sums[4] = {stream[0], stream[0], stream[0], stream[0]};
    stream += 4;
    for (const uint8_t *taps = by->taps; *taps != 0; taps++) {
        for (int32_t tap = 0; tap < *taps; tap++, stream++) {
            for (int32_t i = 0; i < 4; i++) {
                sums[i] = mcu_smlad(in[4 * (tap + i)], *stream, sums[i]);
            }
        }
        in += by->pitch >> 2;
    }
    for (int32_t i = 3; i >= 0; i--) {
        out[at[i]] = mcu_output_twice(sums[i], &scale);
    }
    return stream;
}

#endif
