/* Depthwise 3x3 convolution, stride 1, channels a multiple of four, two output rows a call.
 *
 * Four channels at a time: a strip of columns is transposed in the scratch into words that hold one
 * channel's rows (0, 1) and (2, 3) of the four input rows of a pair of output rows. Two output rows and
 * two output columns are then computed at once; each column costs four multiplications for two outputs.
 * Padding is written into the strip, so that the inner loop has no bounds tests.
 *
 * Strip: for each column, for each of four channels, the words of rows (0, 1) and (2, 3).
 * Stream: for each channel 6 words of doubled weights, (w0, w1) and (w1, w2) of each column of the kernel
 * from left to right, its doubled bias with the input's zero point folded in, and its mcu_scale.
 * Scratch: 32 bytes a column, for at most MCU_STRIP output columns and 2 more, at least 4.
 *
 * Bound: for four outputs 24 multiplications, 12 cycles of loads, 15 of requantisation, 8 of stores, 7 of
 * loop and setting out; for the strip 4.5 cycles an output: about 22 cycles an output. */
#include "mcu_asm.h"
#include "mcu_depthwise.h"

enum { CHANNEL_WORDS = 2, COLUMN_WORDS = 8 };

static void fill_padding(const mcu_depthwise_params *p, int32_t columns, int32_t *strip) {
    const int32_t pair = mcu_sxtb16(p->zero_point);
    for (int32_t i = 0; i < columns * COLUMN_WORDS; i++) {
        strip[i] = pair;
    }
}

/* The strip's columns [x0, x0 + columns), of which those outside the input are padding. */
static void fill_strip(const mcu_depthwise_params *p, const mcu_rows *rows, int32_t channel, int32_t x0,
                       int32_t columns) {
    int32_t *strip = rows->scratch;
    const int32_t before = x0 < 0 ? -x0 : 0;
    const int32_t room = rows->in_width - x0;
    const int32_t end = room < before ? before : room < columns ? room : columns;
    const mcu_lane padding = {(const int8_t *)&p->zero_point, 0};
    mcu_lane lane[4];
    for (int32_t i = 0; i < 4; i++) {
        lane[i] = i < rows->rows + 2 ? mcu_find_lane(p, rows->in[i], x0 + before, 1) : padding;
        lane[i].from += lane[i].step != 0 ? channel : 0;
    }
    fill_padding(p, before, strip);
    strip += before * COLUMN_WORDS;
    mcu_transpose_by_2(lane[0], lane[1], end - before, strip);
    mcu_transpose_by_2(lane[2], lane[3], end - before, strip + 1);
    fill_padding(p, columns - end, strip + (end - before) * COLUMN_WORDS);
}

/* Where the outputs of a strip's first channel go: the second column is `right` bytes further, the bottom
 * row `below`; two columns on there are the next outputs. An odd row's first two columns are computed alone,
 * up to `end`, and the rest, `again` bytes more, from the second column on. A single row has below 0 and a
 * single column right 0: what is not wanted is written first. */
typedef struct target {
    int8_t *out;
    int8_t *end;
    int32_t again;
    int32_t right;
    int32_t below;
} target;

static target find_target(const mcu_depthwise_params *p, const mcu_rows *rows, int32_t offset,
                          int32_t width) {
    const int odd = (width & 1) != 0;
    target to;
    to.out = rows->out[0] + offset;
    to.right = width > 1 ? p->channels : 0;
    to.below = rows->rows > 1 ? (int32_t)(rows->out[1] - rows->out[0]) : 0;
    to.again = odd && width > 1 ? (width - 2) * p->channels : 0;
    to.end = to.out + (odd ? 2 : width) * to.right;
    return to;
}

static void store_outputs(const mcu_depthwise_params *p, const mcu_scale *scale, const target *to,
                          const int32_t sums[4]) {
    int8_t *out = to->out;
    out[to->right + to->below] = mcu_depthwise_output(p, sums[3], scale);
    out[to->right] = mcu_depthwise_output(p, sums[2], scale);
    out[to->below] = mcu_depthwise_output(p, sums[1], scale);
    out[0] = mcu_depthwise_output(p, sums[0], scale);
}

/* One channel of two rows, for any activation. */
static void any_channel(const mcu_depthwise_params *p, const int32_t *stream, const int32_t *strip,
                        target to) {
    for (;;) {
        int32_t sums[4] = {stream[6], stream[6], stream[6], stream[6]};
        for (int32_t i = 0; i < 6; i++) {
            const int32_t kx = i >> 1, column = kx + (i & 1);
            const int32_t w01 = stream[2 * kx], w12 = stream[2 * kx + 1];
            const int32_t upper = strip[COLUMN_WORDS * column], lower = strip[COLUMN_WORDS * column + 1];
            int32_t *sum = sums + 2 * (i & 1);
            sum[0] = mcu_smlabt(lower, w12, mcu_smlad(upper, w01, sum[0]));
            sum[1] = mcu_smlatb(upper, w01, mcu_smlad(lower, w12, sum[1]));
        }
        store_outputs(p, (const mcu_scale *)(stream + 7), &to, sums);
        to.out += 2 * to.right;
        strip += 2 * COLUMN_WORDS;
        if (to.out != to.end) {
            continue;
        }
        if (to.again == 0) {
            return;
        }
        to.out -= to.right;
        to.end += to.again;
        to.again = 0;
        strip -= COLUMN_WORDS;
    }
}

static void any_channels(const mcu_depthwise_params *p, const int32_t *stream, const int32_t *strip,
                         target to) {
    for (int32_t i = 0; i < 4; i++) {
        any_channel(p, stream, strip, to);
        stream += MCU_DEPTHWISE_3X3_WORDS;
        strip += CHANNEL_WORDS;
        to.out++;
        to.end++;
    }
}

#if MCU_TARGET
/* clang-format off */

/* Column of the strip in r2, r3 times column of the kernel. */
#define COLUMN(top, bottom, w01, w12)              \
    "smlad " top ", r2, " w01 ", " top "\n\t"       \
    "smlad " bottom ", r3, " w12 ", " bottom "\n\t" \
    "smlabt " top ", r3, " w12 ", " top "\n\t"      \
    "smlatb " bottom ", r2, " w01 ", " bottom "\n\t"

/* Four channels whose activation makes the sign of ties indifferent. r0 out, r1 strip, r2 and r3 loads, r4
 * and r5 the left column's sums, r6 and r7 the right one's, r8 to lr the weights; s0 to s2 the scale, s3
 * the bias, s4 right, s5 below, s6 end, s7 again, s8 stream, s9 strip, s10 target, s11 channel. */
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
            "vmov s3, r4\n\t"
            "vmov s0, r5\n\t"
            "vmov s1, r6\n\t"
            "vmov s2, r7\n\t"
            "ldmia r2, {r0, r2, r4, r5, r6}\n\t"
            "vmov s4, r5\n\t"
            "vmov s5, r6\n\t"
            "adds r0, r0, r3\n\t"
            "adds r2, r2, r3\n\t"
            "vmov s6, r2\n\t"
            "vmov s7, r4\n\t"
            ".balign 4\n"
            "1:\n\t"
            "vmov r4, s3\n\t"
            "ldr r2, [r1]\n\t"
            "ldr r3, [r1, #4]\n\t"
            "mov r5, r4\n\t"
            "mov r6, r4\n\t"
            COLUMN("r4", "r5", "r8", "r9")
            "ldr r2, [r1, #32]\n\t"
            "ldr r3, [r1, #36]\n\t"
            "adds r1, r1, #64\n\t"
            "mov r7, r6\n\t"
            COLUMN("r4", "r5", "r10", "r11")
            COLUMN("r6", "r7", "r8", "r9")
            "ldr r2, [r1]\n\t"
            "ldr r3, [r1, #4]\n\t"
            COLUMN("r4", "r5", "r12", "lr")
            COLUMN("r6", "r7", "r10", "r11")
            "ldr r2, [r1, #32]\n\t"
            "ldr r3, [r1, #36]\n\t"
            COLUMN("r6", "r7", "r12", "lr")
            "vmov r2, s0\n\t"
            "vmov r3, s1\n\t"
            "smmlar r4, r4, r2, r3\n\t"
            "smmlar r5, r5, r2, r3\n\t"
            "smmlar r6, r6, r2, r3\n\t"
            "smmlar r7, r7, r2, r3\n\t"
            "vmov r2, s2\n\t"
            "asrs r4, r2\n\t"
            "asrs r5, r2\n\t"
            "asrs r6, r2\n\t"
            "asrs r7, r2\n\t"
            "vmov r2, s4\n\t"
            "vmov r3, s5\n\t"
            "ssat r4, #8, r4\n\t"
            "ssat r5, #8, r5\n\t"
            "adds r2, r2, r0\n\t"
            "ssat r6, #8, r6\n\t"
            "ssat r7, #8, r7\n\t"
            "strb r7, [r2, r3]\n\t"
            "strb r6, [r2]\n\t"
            "strb r5, [r0, r3]\n\t"
            "strb r4, [r0]\n\t"
            "vmov r3, s4\n\t"
            "vmov r4, s6\n\t"
            "adds r0, r2, r3\n\t"
            "cmp r0, r4\n\t"
            "bne 1b\n\t"
            "vmov r5, s7\n\t"
            "cbz r5, 2f\n\t"
            "subs r0, r0, r3\n\t"
            "subs r1, r1, #32\n\t"
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
            "adds r1, r1, #8\n\t"
            "vmov s11, r3\n\t"
            "vmov s9, r1\n\t"
            "cmp r3, #4\n\t"
            "bne 0b\n\t"
            "pop {r4-r11, pc}\n\t");
}

/* clang-format on */
#endif

static void convolve_channels(const mcu_depthwise_params *p, const int32_t *stream, const int32_t *strip,
                              const target *to) {
#if MCU_TARGET
    if (p->rectified) {
        rectified_channels(stream, strip, to);
        return;
    }
#endif
    any_channels(p, stream, strip, *to);
}

void mcu_depthwise_3x3_s1(const void *params, const mcu_rows *rows) {
    const mcu_depthwise_params *p = params;
    for (int32_t x = 0; x < rows->out_width; x += MCU_STRIP) {
        const int32_t left = rows->out_width - x;
        const int32_t width = left < MCU_STRIP ? left : MCU_STRIP;
        const int32_t *stream = p->stream;
        target to = find_target(p, rows, x * p->channels, width);
        for (int32_t channel = 0; channel < p->channels; channel += 4) {
            fill_strip(p, rows, channel, rows->in_x0 + x, (width > 1 ? width : 2) + 2);
            convolve_channels(p, stream, rows->scratch, &to);
            stream += 4 * MCU_DEPTHWISE_3X3_WORDS;
            to.out += 4;
            to.end += 4;
        }
    }
    mcu_depthwise_clamp(p, rows);
}
