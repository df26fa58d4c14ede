/* Depthwise convolution of any kernel and stride, channels a multiple of four.
 *
 * Four channels at a time: a strip of columns is transposed in the scratch into words of two rows (0, 1), (2,
 * 3),
 * ... of one channel; the last row of an odd number is paired with padding. Columns a stride apart follow
 * each other, so that four outputs side by side slide over them: each tap loads one new column and one pair
 * of weights, and multiplies four times.
 *
 * Strip: for each pair of rows, for each phase (column modulo stride), columns of four channels' words. Each
 * phase has room for the outputs, rounded up to four, and the most taps of a phase less one.
 * Stream: for each channel, for each pair of rows, for each phase, its taps from left to right: doubled
 * weights of both rows; then the doubled bias with the input's zero point folded in, and its mcu_scale.
 * Scratch: the strip, 16 bytes a column, for at most MCU_SLIDE output columns.
 *
 * Bound: for four outputs of a kernel of w columns and h pairs of rows h (7 w + 3) cycles, 12 of
 * requantisation and 4 of stores; for the strip 5.2 cycles a pair of rows, phase and column of four channels.
 */
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
    const int32_t pair = mcu_sxtb16(p->base.zero_point);
    const int32_t words = ((p->kernel_h + 1) >> 1) * at->phases * at->columns * 4;
    for (int32_t i = 0; i < words; i++) {
        strip[i] = pair;
    }
}

/* Fill in what lies inside the input of four channels. */
static void fill_strip(const mcu_depthwise_any_params *p, const mcu_rows *rows, int32_t channel, int32_t x0,
                       const layout *at) {
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
            mcu_transpose_by_1(first, second, each->count, strip + 4 * each->first);
        }
    }
}

/* One tap of four outputs, whose columns are a to d; d is loaded. */
#define TAP(i, a, b, c, d)                                                                                   \
    do {                                                                                                     \
        d = in[4 * ((i) + 3)];                                                                               \
        w = weights[i];                                                                                      \
        s0 = mcu_smlad(a, w, s0);                                                                            \
        s1 = mcu_smlad(b, w, s1);                                                                            \
        s2 = mcu_smlad(c, w, s2);                                                                            \
        s3 = mcu_smlad(d, w, s3);                                                                            \
    } while (0)

/* Doubled sums of four outputs of a channel, side by side. */
static const int32_t *slide(const mcu_depthwise_any_params *p, const layout *at, const int32_t *weights,
                            const int32_t *in, int32_t sums[4]) {
    int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0, w;
    for (int32_t ky = 0; ky < p->kernel_h; ky += 2) {
        for (int32_t i = 0; i < at->phases; i++) {
            int32_t left = at->phase[i].taps;
            const int32_t *const next = in + 4 * at->columns;
            int32_t x0 = in[0], x1 = in[4], x2 = in[8], x3;
            for (; left >= 4; left -= 4) {
                TAP(0, x0, x1, x2, x3);
                TAP(1, x1, x2, x3, x0);
                TAP(2, x2, x3, x0, x1);
                TAP(3, x3, x0, x1, x2);
                in += 16;
                weights += 4;
            }
            if (left > 0) {
                TAP(0, x0, x1, x2, x3);
            }
            if (left > 1) {
                TAP(1, x1, x2, x3, x0);
            }
            if (left > 2) {
                TAP(2, x2, x3, x0, x1);
            }
            weights += left;
            in = next;
        }
    }
    sums[0] = mcu_add(s0, weights[0]);
    sums[1] = mcu_add(s1, weights[0]);
    sums[2] = mcu_add(s2, weights[0]);
    sums[3] = mcu_add(s3, weights[0]);
    return weights + 1;
}

/* One channel of `width` outputs. Returns the next channel's part of the stream. */
static const int32_t *convolve_channel(const mcu_depthwise_any_params *p, const layout *at,
                                       const int32_t *stream, const int32_t *strip, int8_t *out,
                                       int32_t width) {
    const int32_t *end = stream;
    for (; width > 0; width -= 4) {
        int32_t sums[4];
        const mcu_scale *scale = (const mcu_scale *)slide(p, at, stream, strip, sums);
        for (int32_t i = 0; i < 4 && i < width; i++) {
            *out = mcu_depthwise_output(&p->base, sums[i], scale);
            out += p->base.channels;
        }
        strip += 16;
        end = (const int32_t *)(scale + 1);
    }
    return end;
}

void mcu_depthwise(const void *params, const mcu_rows *rows) {
    const mcu_depthwise_any_params *p = params;
    for (int32_t x = 0; x < rows->out_width; x += MCU_SLIDE) {
        const int32_t left = rows->out_width - x, x0 = rows->in_x0 + x * p->stride_w;
        const int32_t width = left < MCU_SLIDE ? left : MCU_SLIDE;
        const layout at = find_layout(p, rows, x0, width);
        const int32_t *stream = p->base.stream;
        fill_padding(p, &at, rows->scratch);
        for (int32_t channel = 0; channel < p->base.channels; channel += 4) {
            fill_strip(p, rows, channel, x0, &at);
            for (int32_t i = 0; i < 4; i++) {
                stream = convolve_channel(p, &at, stream, (const int32_t *)rows->scratch + i,
                                          rows->out[0] + x * p->base.channels + channel + i, width);
            }
        }
    }
    mcu_depthwise_clamp(&p->base, rows);
}
