/* Depthwise convolution of any number of rows and one column, stride 1, over maps of one column; channels a
 * multiple of four, up to eight output rows a call.
 *
 * Four channels at a time: the call's input is transposed in the scratch into words of rows (0, 1), (2, 3),
 * ... of one channel, over which outputs 0, 2, 4 and 6 slide, and into words of rows (1, 2), (3, 4), ...,
 * over which outputs 1, 3, 5 and 7 do.
 *
 * Strips: for each pair of rows four channels' words, less the zero point.
 * Stream: for each channel its doubled bias and its mcu_scale, then doubled weights of rows (0, 1), (2, 3),
 * ..., the last of an odd number paired with zero.
 * Scratch: 40 bytes for each pair of rows of either strip: 4 outputs and the taps of one less 1.
 *
 * Bound: that of slide.c; for the strips 2 cycles an element. */
#include "mcu_depthwise.h"

enum { BLOCK = 4, MAX_TAPS = 7, MAX_PARTS = 4, CHANNEL_WORDS = 4 };

static mcu_lane lane_of(const mcu_depthwise_any_params *p, const mcu_rows *rows, int32_t row) {
    const int32_t end = rows->rows - 1 + p->kernel_h;
    return mcu_find_lane(&p->base, row < end ? rows->in[row] : NULL, 0, 1);
}

/* Whether a fill's columns go on with these lanes, which have not to be padding. */
static int goes_on(const mcu_fill *fill, mcu_lane first, mcu_lane second) {
    const int32_t behind = 2 * first.step * fill->columns;
    return first.step != 0 && second.step == first.step && fill->first_step == 2 * first.step &&
           fill->second_step == 2 * first.step && first.from == fill->first + behind &&
           second.from == fill->second + behind;
}

/* List what fills a strip of pairs that begin with row `row`. Returns the list's next. */
static mcu_fill *list_strip(const mcu_depthwise_any_params *p, const mcu_rows *rows, int32_t row,
                            int32_t pairs, int32_t *strip, mcu_fill *next) {
    mcu_fill *const start = next;
    for (; pairs > 0; pairs--, row += 2, strip += 4) {
        const mcu_lane first = lane_of(p, rows, row), second = lane_of(p, rows, row + 1);
        if (next > start && goes_on(next - 1, first, second)) {
            next[-1].columns++;
        } else {
            *next++ = mcu_find_fill(first, second, 1, strip);
            next[-1].first_step *= 2;
            next[-1].second_step *= 2;
        }
    }
    return next;
}

/* The taps of a window in parts that mcu_slide takes. */
static void list_taps(int32_t taps, uint8_t parts[MAX_PARTS + 1]) {
    for (; taps > 0; taps -= MAX_TAPS) {
        *parts++ = (uint8_t)(taps < MAX_TAPS ? taps : MAX_TAPS);
    }
    *parts = 0;
}

/* Every second output from row `first` on; those beyond the last one are not wanted. */
static void find_steps(const mcu_rows *rows, int32_t first, int32_t steps[BLOCK - 1]) {
    for (int32_t i = 0; i < BLOCK - 1; i++) {
        const int32_t y = first + 2 * i;
        steps[i] = y + 2 < rows->rows ? (int32_t)(rows->out[y + 2] - rows->out[y]) : 0;
    }
}

void mcu_depthwise_column(const void *params, const mcu_rows *rows) {
    const mcu_depthwise_any_params *p = params;
    const int32_t taps = (p->kernel_h + 1) >> 1, pairs = BLOCK - 1 + taps;
    mcu_fill *const fills = mcu_fills(rows->scratch);
    int32_t *const even = (int32_t *)((int8_t *)rows->scratch + 2 * pairs * MCU_FILL_BYTES);
    int32_t *const odd = even + 4 * pairs;
    mcu_fill *const end = list_strip(p, rows, 1, pairs, odd, list_strip(p, rows, 0, pairs, even, fills));
    const int32_t *stream = p->base.stream;
    uint8_t parts[MAX_PARTS + 1];
    mcu_slide_plan upper = {4 * CHANNEL_WORDS * MAX_TAPS, parts, {0}}, lower = upper;
    list_taps(taps, parts);
    find_steps(rows, 0, upper.steps);
    find_steps(rows, 1, lower.steps);
    for (int32_t channel = 0; channel < p->base.channels; channel++) {
        const int32_t lane = channel & 3;
        if (lane == 0) {
            mcu_transpose_less(fills, (int32_t)(end - fills), mcu_less_zero(&p->base));
        }
        if (rows->rows > 1) {
            mcu_slide(stream, odd + lane, rows->out[1] + channel, &lower);
        }
        stream = mcu_slide(stream, even + lane, rows->out[0] + channel, &upper);
    }
    mcu_depthwise_clamp(&p->base, rows);
}
