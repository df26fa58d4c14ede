/* Depthwise convolution of any kernel and stride, at most seven taps of a row a stride apart, channels a
 * multiple of four.
 *
 * Four channels at a time: a strip of columns is transposed in the scratch into words of two rows (0, 1),
 * (2, 3), ... of one channel, less the zero point; the last row of an odd number is paired with padding.
 * Columns a stride apart follow each other, so that four outputs side by side slide over them: each tap loads
 * one new column and one pair of weights, and multiplies four times.
 *
 * Strip: for each pair of rows, for each phase (column modulo stride), columns of four channels' words. Each
 * phase has room for the outputs, rounded up to four, and the most taps of a phase less one.
 * Stream: for each channel its doubled bias and its mcu_scale, then, for each pair of rows, for each phase,
 * its taps from left to right: doubled weights of both rows.
 * Scratch: the strip, 16 bytes a column, for at most MCU_SLIDE output columns.
 *
 * Bound: for four outputs of a kernel of w columns and h pairs of rows h (7 w + 4) cycles, 16 of
 * requantisation and 4 of stores, and 20 for each phase; for the strip 5.2 cycles a pair of rows, phase and
 * column of four channels.
 */
#include "mcu_asm.h"
#include "mcu_depthwise.h"

#include <stddef.h>

/* Output columns for which a strip is built at once, a multiple of four. */
enum { MCU_SLIDE = 12, MAX_PHASES = 4 };

/* Columns of a phase that lie inside the input: `count` from the strip's column `first` on. */
typedef struct phase {
    int32_t first;
    int32_t count;
    int32_t taps;
} phase;

typedef struct layout {
    phase phase[MAX_PHASES];
    int32_t phases;
    int32_t columns;
} layout;

static layout find_layout(const mcu_depthwise_any_params *p, const mcu_rows *rows, int32_t x0,
                          int32_t width) {
    layout found;
    const int32_t stride = p->stride_w, most = (p->kernel_w + stride - 1) / stride;
    found.phases = stride < p->kernel_w ? stride : p->kernel_w;
    found.columns = ((width + 3) & ~3) + most - 1;
    for (int32_t i = 0; i < found.phases; i++) {
        phase *each = &found.phase[i];
        const int32_t start = x0 + i;
        const int32_t end = start < rows->in_width ? (rows->in_width - start + stride - 1) / stride : 0;
        each->first = start < 0 ? (stride - 1 - start) / stride : 0;
        each->count = (end < found.columns ? end : found.columns) - each->first;
        each->taps = (p->kernel_w - i + stride - 1) / stride;
    }
    return found;
}

static void fill_padding(const mcu_depthwise_any_params *p, const layout *at, int32_t *strip) {
    const int32_t words = ((p->kernel_h + 1) >> 1) * at->phases * at->columns * 4;
    for (int32_t i = 0; i < words; i++) {
        strip[i] = 0;
    }
}

/* Fill in what lies inside the input of four channels. */
static void fill_strip(const mcu_depthwise_any_params *p, const mcu_rows *rows, int32_t channel, int32_t x0,
                       const layout *at) {
    const int32_t zeros = mcu_less_zero(&p->base);
    int32_t *strip = rows->scratch;
    for (int32_t ky = 0; ky < p->kernel_h; ky += 2) {
        const int8_t *upper = rows->in[ky], *lower = ky + 1 < p->kernel_h ? rows->in[ky + 1] : NULL;
        for (int32_t i = 0; i < at->phases; i++, strip += 4 * at->columns) {
            const phase *each = &at->phase[i];
            const int32_t x = x0 + i + each->first * p->stride_w;
            if ((upper == NULL && lower == NULL) || each->count <= 0) {
                continue;
            }
            mcu_lane first = mcu_find_lane(&p->base, upper, x, p->stride_w);
            mcu_lane second = mcu_find_lane(&p->base, lower, x, p->stride_w);
            first.from += upper != NULL ? channel : 0;
            second.from += lower != NULL ? channel : 0;
            mcu_fill fill = mcu_find_fill(first, second, each->count, strip + 4 * each->first);
            mcu_transpose_less(&fill, 1, zeros);
        }
    }
}

/* Four outputs of a channel side by side: `taps` of every phase of every pair of rows, up to a 0, `pitch`
 * bytes from phase to phase in the strip, and how far each of the last three outputs is from the one before;
 * 0 for those that are not wanted, which are written first. */
typedef struct slide {
    int32_t pitch;
    const uint8_t *taps;
    int32_t steps[3];
} slide;

#if MCU_TARGET
/* clang-format off */

/* The first three columns of a phase. */
#define PRELOAD(x0, x1, x2)        \
    "ldr " x0 ", [r1]\n\t"         \
    "ldr " x1 ", [r1, #16]\n\t"    \
    "ldr " x2 ", [r1, #32]\n\t"

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
MCU_NAKED static const int32_t *slide_channel(const int32_t *stream MCU_IN_REGISTER,
                                              const int32_t *in MCU_IN_REGISTER,
                                              int8_t *out MCU_IN_REGISTER,
                                              const slide *by MCU_IN_REGISTER) {
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
            "11:\n\t"
            PRELOAD("r6", "r7", "r4")
            "subs r1, #48\n\t"
            "subs r0, #24\n\t"
            "b 26f\n"
            "12:\n\t"
            PRELOAD("r5", "r6", "r7")
            "subs r1, #32\n\t"
            "subs r0, #20\n\t"
            "b 25f\n"
            "13:\n\t"
            PRELOAD("r4", "r5", "r6")
            "subs r1, #16\n\t"
            "subs r0, #16\n\t"
            "b 24f\n"
            "14:\n\t"
            PRELOAD("r7", "r4", "r5")
            "subs r0, #12\n\t"
            "b 23f\n"
            "15:\n\t"
            PRELOAD("r6", "r7", "r4")
            "adds r1, #16\n\t"
            "subs r0, #8\n\t"
            "b 22f\n"
            "16:\n\t"
            PRELOAD("r5", "r6", "r7")
            "adds r1, #32\n\t"
            "subs r0, #4\n\t"
            "b 21f\n"
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

static const int32_t *slide_channel(const int32_t *stream, const int32_t *in, int8_t *out, const slide *by) {
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
        const int32_t offset = mcu_add(scale.offset, sums[i] >> 31);
        out[at[i]] = (int8_t)mcu_ssat8(mcu_smmlar(sums[i], scale.multiplier, offset) >> scale.exponent);
    }
    return stream;
}

#endif

/* One channel of `width` outputs, four at a time. Returns the next channel's part of the stream. */
static const int32_t *convolve_channel(const mcu_depthwise_any_params *p, slide *by, const int32_t *stream,
                                       const int32_t *strip, int8_t *out, int32_t width) {
    const int32_t *end = stream;
    for (; width > 0; width -= 4) {
        for (int32_t i = 0; i < 3; i++) {
            by->steps[i] = i + 1 < width ? p->base.channels : 0;
        }
        end = slide_channel(stream, strip, out, by);
        strip += 16;
        out += 4 * p->base.channels;
    }
    return end;
}

/* The taps of all phases of all pairs of rows. */
static void list_taps(const mcu_depthwise_any_params *p, const layout *at, uint8_t *taps) {
    for (int32_t ky = 0; ky < p->kernel_h; ky += 2) {
        for (int32_t i = 0; i < at->phases; i++) {
            *taps++ = (uint8_t)at->phase[i].taps;
        }
    }
    *taps = 0;
}

void mcu_depthwise(const void *params, const mcu_rows *rows) {
    const mcu_depthwise_any_params *p = params;
    for (int32_t x = 0; x < rows->out_width; x += MCU_SLIDE) {
        const int32_t left = rows->out_width - x, x0 = rows->in_x0 + x * p->stride_w;
        const int32_t width = left < MCU_SLIDE ? left : MCU_SLIDE;
        const layout at = find_layout(p, rows, x0, width);
        const int32_t *stream = p->base.stream;
        uint8_t taps[MAX_PHASES * (MCU_MAX_ROWS / 2) + 1];
        slide by = {16 * at.columns, taps, {0, 0, 0}};
        list_taps(p, &at, taps);
        fill_padding(p, &at, rows->scratch);
        for (int32_t channel = 0; channel < p->base.channels; channel += 4) {
            fill_strip(p, rows, channel, x0, &at);
            for (int32_t i = 0; i < 4; i++) {
                stream = convolve_channel(p, &by, stream, (const int32_t *)rows->scratch + i,
                                          rows->out[0] + x * p->base.channels + channel + i, width);
            }
        }
    }
    mcu_depthwise_clamp(&p->base, rows);
}
