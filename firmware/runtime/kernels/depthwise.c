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

/* One channel of `width` outputs, four at a time. Returns the next channel's part of the stream. */
static const int32_t *convolve_channel(const mcu_depthwise_any_params *p, mcu_slide_plan *by,
                                       const int32_t *stream, const int32_t *strip, int8_t *out,
                                       int32_t width) {
    const int32_t *end = stream;
    for (; width > 0; width -= 4) {
        for (int32_t i = 0; i < 3; i++) {
            by->steps[i] = i + 1 < width ? p->base.channels : 0;
        }
        end = mcu_slide(stream, strip, out, by);
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
        mcu_slide_plan by = {16 * at.columns, taps, {0, 0, 0}};
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
