/* Depthwise convolution with square kernels, channels a multiple of four, of several rows a call:
 * what the kernels of depthwise_5x5_s1.c and its like share.
 *
 * Four channels at a time: a strip of columns is transposed in the scratch into words that hold rows (0, 1),
 * (2, 3), ... of one channel of the call's input, less the zero point, so that padding is zero: pairs of rows
 * that are padding are left out. Five outputs side by side slide over the columns: each tap loads one new
 * column and one pair of weights, and multiplies five times. A window that begins in the lower row of a pair
 * takes weights shifted by one row, (0, w0), (w1, w2), ..., which are made in the scratch once a channel.
 * Outputs that a row has too few of are computed twice.
 *
 * Strip: for each pair of rows, columns of four channels' words, from the leftmost tap of the call on.
 * Stream: for each channel its doubled bias and its mcu_scale, then doubled weights of rows (0, 1), (2, 3),
 * ..., the last row paired with zeros: of each pair of rows its columns from left to right.
 * Scratch: 24 bytes a pair of rows; 16 bytes for each block of outputs and 32 more; a channel's shifted
 * weights where the stride is 1 and a call has several rows; the strip, 16 bytes a column and pair of rows.
 */
#include "mcu_planes.h"

/* Where the parts of the strip lie: its columns [before, end) and pairs of rows [top, bottom) are inside
 * the input, the other columns are zeros, other pairs are left out. */
typedef struct extent {
    int32_t columns;
    int32_t before;
    int32_t end;
    int32_t top;
    int32_t bottom;
} extent;

static int32_t input_rows(const mcu_depthwise_planes_params *p, const mcu_rows *rows) {
    return (rows->rows - 1) * p->stride + p->size;
}

static int32_t clip(int32_t value, int32_t low, int32_t high) {
    return value < low ? low : value > high ? high : value;
}

/* The strip of `width` output columns whose leftmost tap is column x0 of the input. */
static extent find_extent(const mcu_depthwise_planes_params *p, const mcu_rows *rows, int32_t x0,
                          int32_t width) {
    int32_t first = 0, last = input_rows(p, rows);
    while (first < last && rows->in[first] == NULL) {
        first++;
    }
    while (last > first && rows->in[last - 1] == NULL) {
        last--;
    }
    extent found;
    found.columns = ((width < MCU_BLOCK ? MCU_BLOCK : width) - 1) * p->stride + p->size;
    found.before = clip(-x0, 0, found.columns);
    found.end = clip(rows->in_width - x0, found.before, found.columns);
    found.top = first >> 1;
    found.bottom = (last + 1) >> 1;
    return found;
}

/* List the blocks of a row whose window begins in row `top` of the call's input; returns the list's next. */
static mcu_plane_block *list_row(const mcu_depthwise_planes_params *p, const extent *at, int32_t top,
                                 int32_t out, int32_t width, mcu_plane_block *next) {
    const int32_t start = top >> 1, end = (top + p->size + 1) >> 1;
    const int32_t first = start < at->top ? at->top : start;
    const int32_t last = end > at->bottom ? at->bottom : end;
    for (int32_t x = 0; x < width; x += MCU_BLOCK) {
        const int32_t column = x > 0 && x + MCU_BLOCK > width ? width - MCU_BLOCK : x;
        next->weights = 4 * p->size * (first - start);
        next->strip = 16 * (at->columns * (first - at->top) + p->stride * column);
        next->pairs = last - first;
        next->out = out + column * p->base.channels;
        next++;
    }
    return next;
}

/* List the blocks of rows whose windows begin in an even (0) or an odd (1) row of the call's input. */
static mcu_plane_block *list_rows(const mcu_depthwise_planes_params *p, const mcu_rows *rows,
                                  const extent *at, int32_t width, int32_t odd, mcu_plane_block *next) {
    for (int32_t y = 0; y < rows->rows; y++) {
        if ((y * p->stride & 1) == odd) {
            const int32_t out = (int32_t)(rows->out[y] - rows->out[0]);
            next = list_row(p, at, y * p->stride, out, width, next);
        }
    }
    next->pairs = 0;
    return next + 1;
}

static void fill_padding(const extent *at, int32_t *strip) {
    for (int32_t pair = at->top; pair < at->bottom; pair++) {
        for (int32_t i = 0; i < 4 * at->before; i++) {
            strip[i] = 0;
        }
        for (int32_t i = 4 * at->end; i < 4 * at->columns; i++) {
            strip[i] = 0;
        }
        strip += 4 * at->columns;
    }
}

/* The lane of an input row of the call, from column x on. */
static mcu_lane lane_of(const mcu_depthwise_planes_params *p, const mcu_rows *rows, int32_t row, int32_t x) {
    return mcu_find_lane(&p->base, row < input_rows(p, rows) ? rows->in[row] : NULL, x, 1);
}

/* List what fills the strip's inside with four channels. */
static void list_fills(const mcu_depthwise_planes_params *p, const mcu_rows *rows, const extent *at,
                       int32_t x0, int32_t *strip, mcu_fill *next) {
    const int32_t x = x0 + at->before;
    strip += 4 * at->before;
    for (int32_t pair = at->top; pair < at->bottom; pair++) {
        const mcu_lane upper = lane_of(p, rows, 2 * pair, x);
        const mcu_lane lower = lane_of(p, rows, 2 * pair + 1, x);
        *next++ = mcu_find_fill(upper, lower, at->end - at->before, strip);
        strip += 4 * at->columns;
    }
}

static void convolve_columns(const mcu_depthwise_planes_params *p, const mcu_rows *rows,
                             mcu_plane_kernel *kernel, int32_t x, int32_t width) {
    const int32_t x0 = rows->in_x0 + x * p->stride;
    const int32_t words = 4 + p->size * ((p->size + 1) >> 1);
    const extent at = find_extent(p, rows, x0, width);
    mcu_fill *const fills = mcu_fills(rows->scratch);
    mcu_plane_block *const blocks =
        (mcu_plane_block *)((int8_t *)rows->scratch + (at.bottom - at.top) * MCU_FILL_BYTES);
    mcu_plane_block *next = list_rows(p, rows, &at, width, 0, blocks);
    mcu_plane_block *const odd = next;
    next = list_rows(p, rows, &at, width, 1, next);
    int32_t *strip = (int32_t *)next;
    mcu_plane_job job = {NULL, rows->out[0] + x * p->base.channels, blocks, 16 * at.columns, {0, 0, 0, 0}};
    for (int32_t i = 0; i < MCU_BLOCK - 1; i++) {
        job.steps[i] = i + 1 < width ? p->base.channels : 0;
    }
    if (odd->pairs != 0) {
        job.shifted = strip;
        strip += words - 4;
    }
    const int32_t *stream = p->base.stream;
    fill_padding(&at, strip);
    list_fills(p, rows, &at, x0, strip, fills);
    for (int32_t channel = 0; channel < p->base.channels; channel += 4) {
        mcu_transpose_less(fills, at.bottom - at.top, mcu_less_zero(&p->base));
        kernel(stream, strip, &job);
        stream += 4 * words;
        job.out += 4;
    }
}

void mcu_depthwise_planes(const mcu_depthwise_planes_params *p, const mcu_rows *rows,
                          mcu_plane_kernel *kernel) {
    for (int32_t x = 0; x < rows->out_width; x += p->columns) {
        const int32_t left = rows->out_width - x;
        convolve_columns(p, rows, kernel, x, left < p->columns ? left : p->columns);
    }
    mcu_depthwise_clamp(&p->base, rows);
}

#if !MCU_TARGET

/* One block of a channel. */
static void one_block(const int32_t *channel, const int32_t *weights, const int32_t *strip,
                      const mcu_plane_job *job, const mcu_plane_block *block, int8_t *out, int32_t size,
                      int32_t stride, mcu_plane_output *output) {
    const mcu_scale scale = {channel[1], channel[2], channel[3]};
    int32_t sums[MCU_BLOCK], at = 0;
    weights += block->weights >> 2;
    strip += block->strip >> 2;
    for (int32_t i = 0; i < MCU_BLOCK; i++) {
        sums[i] = channel[0];
        for (int32_t tap = 0; tap < size * block->pairs; tap++) {
            const int32_t column = 4 * (i * stride + tap % size) + tap / size * (job->pitch >> 2);
            sums[i] = mcu_smlad(strip[column], weights[tap], sums[i]);
        }
    }
    for (int32_t i = 0; i < MCU_BLOCK; i++) {
        at += i > 0 ? job->steps[i - 1] : 0;
        if (i == 0 || job->steps[i - 1] != 0) {
            out[block->out + at] = output(sums[i], &scale);
        }
    }
}

void mcu_plane_channels(const int32_t *stream, const int32_t *strip, const mcu_plane_job *job, int32_t size,
                        int32_t stride, mcu_plane_output *output) {
    const int32_t words = size * ((size + 1) >> 1);
    for (int32_t i = 0; i < 4; i++, stream += 4 + words) {
        const mcu_plane_block *block = job->blocks;
        for (; block->pairs != 0; block++) {
            one_block(stream, stream + 4, strip + i, job, block, job->out + i, size, stride, output);
        }
        for (int32_t w = 0; job->shifted != NULL && w < words; w++) {
            const int32_t before = w < size ? 0 : (int32_t)((uint32_t)stream[4 + w - size] >> 16);
            job->shifted[w] = mcu_pkhbt(before, stream[4 + w]);
        }
        for (block++; block->pairs != 0; block++) {
            one_block(stream, job->shifted, strip + i, job, block, job->out + i, size, stride, output);
        }
    }
}

#endif
