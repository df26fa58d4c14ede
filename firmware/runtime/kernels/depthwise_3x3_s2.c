/* Depthwise 3x3 convolution, stride 2, channels a multiple of four.
 *
 * Four channels at a time: a strip of pairs of columns is transposed in the scratch. A column's rows (0, 1)
 * of one channel make a word; row 2 is paired with that of the next column, since a window uses columns
 * 0 and 1 together and column 2 alone. An output is five multiplications; two columns of output share
 * a load.
 *
 * Strip: for each pair of columns, for each of four channels, rows (0, 1) of either and row 2 of both.
 * Stream: for each channel 3 words of doubled weights (w0, w1) of each column of the kernel, row 2 of
 * columns (0, 1) and of column (2, -), its doubled bias with the input's zero point folded in, its
 * mcu_scale, and a zero.
 * Scratch: 48 bytes for two columns, for at most MCU_STRIP output columns and 1 more, at least 3.
 *
 * Bound: for two outputs 10 multiplications, 10 cycles of loads, 9 of requantisation, 2 of stores and 9 of
 * loop and setting out; for the strip 14 cycles an output: about 35 cycles an output. */
#include "mcu_asm.h"
#include "mcu_depthwise.h"

enum { CHANNEL_WORDS = 3, PAIR_WORDS = 12 };

/* The lane of a row from column x on, two columns apart; padding if column x is outside. */
static mcu_lane lane_at(const mcu_depthwise_params *p, const mcu_rows *rows, int32_t row, int32_t x,
                        int32_t channel) {
    const int8_t *in = x >= 0 && x < rows->in_width ? rows->in[row] : NULL;
    mcu_lane lane = mcu_find_lane(p, in, x, 2);
    lane.from += lane.step != 0 ? channel : 0;
    return lane;
}

/* `count` pairs of columns from column x on, either all inside the input or a single one. */
static void fill_pairs(const mcu_depthwise_params *p, const mcu_rows *rows, int32_t channel, int32_t x,
                       int32_t count, int32_t *strip) {
    mcu_lane lane[6];
    for (int32_t i = 0; i < 6; i++) {
        lane[i] = lane_at(p, rows, i >> 1, x + (i & 1), channel);
    }
    mcu_transpose_by_3(lane[0], lane[2], count, strip);
    mcu_transpose_by_3(lane[1], lane[3], count, strip + 1);
    mcu_transpose_by_3(lane[4], lane[5], count, strip + 2);
}

static void fill_padding(const mcu_depthwise_params *p, int32_t *strip) {
    const int32_t pair = mcu_sxtb16(p->zero_point);
    for (int32_t i = 0; i < PAIR_WORDS; i++) {
        strip[i] = pair;
    }
}

static void fill_strip(const mcu_depthwise_params *p, const mcu_rows *rows, int32_t channel, int32_t x,
                       int32_t pairs) {
    int32_t *strip = rows->scratch;
    const int32_t end = x + 2 * pairs;
    while (x < end) {
        const int32_t room = (rows->in_width < end ? rows->in_width : end) - x;
        int32_t count = 1;
        if (x < -1 || room < 1) {
            fill_padding(p, strip);
        } else {
            count = x < 0 || room < 2 ? 1 : room >> 1;
            fill_pairs(p, rows, channel, x, count, strip);
        }
        x += 2 * count;
        strip += count * PAIR_WORDS;
    }
}

/* Four channels of a row, for any activation. */
static void any_channels(const mcu_depthwise_params *p, const int32_t *stream, const int32_t *strip,
                         int8_t *out, int32_t width) {
    for (int32_t i = 0; i < 4 * width; i++) {
        const int32_t *in = strip + (i >> 2) * PAIR_WORDS + (i & 3) * CHANNEL_WORDS;
        const int32_t *channel = stream + (i & 3) * MCU_DEPTHWISE_3X3_WORDS;
        int32_t sum = channel[5];
        sum = mcu_smlad(in[0], channel[0], sum);
        sum = mcu_smlad(in[1], channel[1], sum);
        sum = mcu_smlad(in[PAIR_WORDS], channel[2], sum);
        sum = mcu_smlad(in[2], channel[3], sum);
        sum = mcu_smlabb(in[PAIR_WORDS + 2], channel[4], sum);
        out[(i >> 2) * p->channels + (i & 3)] =
            mcu_depthwise_output(p, sum, (const mcu_scale *)(channel + 6));
    }
}

#if MCU_TARGET

/* Where the outputs of a strip's first channel go: see depthwise_3x3_s1.c. */
typedef struct target {
    int8_t *out;
    int8_t *end;
    int32_t again;
    int32_t right;
} target;

static target find_target(const mcu_depthwise_params *p, int8_t *out, int32_t width) {
    const int odd = (width & 1) != 0;
    target to;
    to.out = out;
    to.right = width > 1 ? p->channels : 0;
    to.again = odd && width > 1 ? (width - 2) * p->channels : 0;
    to.end = out + (odd ? 2 : width) * to.right;
    return to;
}

/* clang-format off */

/* Four channels whose activation makes the sign of ties indifferent. r0 out, r1 strip, r2 to r5 loads, r6
 * and r7 the sums, r8 to r12 the weights, lr the bias; s0 to s2 the scale, s4 right, s6 end, s7 again, s8
 * stream, s9 strip, s10 target, s11 channel. */
MCU_NAKED static void rectified_channels(const int32_t *stream MCU_IN_REGISTER,
                                         const int32_t *strip MCU_IN_REGISTER,
                                         const target *to MCU_IN_REGISTER) {
    __asm__("push {r4-r11, lr}\n\t"
            "movs r3, #0\n\t"
            "vmov s10, r2\n\t"
            "vmov s11, r3\n\t"
            "vmov s9, r1\n"
            "0:\n\t"
            "ldmia r0!, {r8-r12, lr}\n\t"
            "ldmia r0!, {r4-r7}\n\t"
            "vmov s8, r0\n\t"
            "vmov s0, r4\n\t"
            "vmov s1, r5\n\t"
            "vmov s2, r6\n\t"
            "ldmia r2, {r0, r2, r4, r5}\n\t"
            "vmov s4, r5\n\t"
            "adds r0, r0, r3\n\t"
            "adds r2, r2, r3\n\t"
            "vmov s6, r2\n\t"
            "vmov s7, r4\n\t"
            ".balign 4\n"
            "1:\n\t"
            "ldr r2, [r1]\n\t"
            "ldr r3, [r1, #4]\n\t"
            "ldr r4, [r1, #8]\n\t"
            "ldr r5, [r1, #48]\n\t"
            "mov r6, lr\n\t"
            "mov r7, lr\n\t"
            "smlad r6, r2, r8, r6\n\t"
            "smlad r6, r3, r9, r6\n\t"
            "smlad r6, r4, r11, r6\n\t"
            "smlad r6, r5, r10, r6\n\t"
            "smlad r7, r5, r8, r7\n\t"
            "ldr r2, [r1, #52]\n\t"
            "ldr r3, [r1, #56]\n\t"
            "ldr r4, [r1, #96]\n\t"
            "ldr r5, [r1, #104]\n\t"
            "smlad r7, r2, r9, r7\n\t"
            "smlabb r6, r3, r12, r6\n\t"
            "smlad r7, r3, r11, r7\n\t"
            "smlad r7, r4, r10, r7\n\t"
            "smlabb r7, r5, r12, r7\n\t"
            "vmov r2, s0\n\t"
            "vmov r3, s1\n\t"
            "smmlar r6, r6, r2, r3\n\t"
            "smmlar r7, r7, r2, r3\n\t"
            "vmov r2, s2\n\t"
            "asrs r6, r2\n\t"
            "asrs r7, r2\n\t"
            "vmov r2, s4\n\t"
            "ssat r6, #8, r6\n\t"
            "ssat r7, #8, r7\n\t"
            "adds r3, r0, r2\n\t"
            "adds r1, r1, #96\n\t"
            "strb r7, [r3]\n\t"
            "strb r6, [r0]\n\t"
            "vmov r4, s6\n\t"
            "adds r0, r3, r2\n\t"
            "cmp r0, r4\n\t"
            "bne 1b\n\t"
            "vmov r5, s7\n\t"
            "cbz r5, 2f\n\t"
            "subs r0, r0, r2\n\t"
            "subs r1, r1, #48\n\t"
            "adds r4, r4, r5\n\t"
            "movs r5, #0\n\t"
            "vmov s6, r4\n\t"
            "vmov s7, r5\n\t"
            "b 1b\n"
            "2:\n\t"
            "vmov r2, s10\n\t"
            "vmov r3, s11\n\t"
            "vmov r0, s8\n\t"
            "vmov r1, s9\n\t"
            "adds r3, r3, #1\n\t"
            "adds r1, r1, #12\n\t"
            "vmov s11, r3\n\t"
            "vmov s9, r1\n\t"
            "cmp r3, #4\n\t"
            "bne 0b\n\t"
            "pop {r4-r11, pc}\n\t");
}

/* clang-format on */
#endif

static void convolve_channels(const mcu_depthwise_params *p, const int32_t *stream, const int32_t *strip,
                              int8_t *out, int32_t width) {
#if MCU_TARGET
    if (p->rectified) {
        const target to = find_target(p, out, width);
        rectified_channels(stream, strip, &to);
        return;
    }
#endif
    any_channels(p, stream, strip, out, width);
}

void mcu_depthwise_3x3_s2(const void *params, const mcu_rows *rows) {
    const mcu_depthwise_params *p = params;
    for (int32_t x = 0; x < rows->out_width; x += MCU_STRIP) {
        const int32_t left = rows->out_width - x;
        const int32_t width = left < MCU_STRIP ? left : MCU_STRIP;
        const int32_t *stream = p->stream;
        int8_t *out = rows->out[0] + x * p->channels;
        for (int32_t channel = 0; channel < p->channels; channel += 4) {
            fill_strip(p, rows, channel, rows->in_x0 + 2 * x, (width > 1 ? width : 2) + 1);
            convolve_channels(p, stream, rows->scratch, out + channel, width);
            stream += 4 * MCU_DEPTHWISE_3X3_WORDS;
        }
    }
    mcu_depthwise_clamp(p, rows);
}
