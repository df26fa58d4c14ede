/* Average pooling of any window up to 32 rows and any stride; taps outside the input do not count.
 *
 * Four channels at a time are added up in two words of two int16 sums, which hold 255 int8 values; the
 * sums go over into int32 before that. Channels left over are added up one at a time. The mean is rounded
 * half away from zero, by C division, as in the reference. No scratch.
 *
 * Bound: two loads, 4 SXTAB16 and 6 cycles of loop for eight elements: 1.6 cycles an element. */
#include "mcu_kernels.h"
#include "mcu_requantise.h"

#include <stddef.h>

enum { SUMS_BEFORE_OVERFLOW = 255 };

/* Rows and columns inside the input, and how many elements there are in them. */
typedef struct window {
    int32_t y0;
    int32_t y1;
    int32_t x0;
    int32_t x1;
    int32_t count;
} window;

/* Whether the window's rows are whole, and lie one behind the other. */
static int is_contiguous(const mcu_pool_params *p, const mcu_rows *rows, const window *w) {
    int32_t y = w->y0 + 1;
    while (y < w->y1 && rows->in[y] == rows->in[y - 1] + rows->in_width * p->channels) {
        y++;
    }
    return w->x0 == 0 && w->x1 == rows->in_width && y >= w->y1;
}

static window clip_window(const mcu_pool_params *p, const mcu_rows *rows, int32_t x) {
    window w = {0, p->kernel_h, x < 0 ? 0 : x, x + p->kernel_w, 0};
    if (w.x1 > rows->in_width) {
        w.x1 = rows->in_width;
    }
    while (w.y0 < w.y1 && rows->in[w.y0] == NULL) {
        w.y0++;
    }
    while (w.y1 > w.y0 && rows->in[w.y1 - 1] == NULL) {
        w.y1--;
    }
    w.count = (w.y1 - w.y0) * (w.x1 - w.x0);
    if (w.y1 > w.y0 && is_contiguous(p, rows, &w)) {
        w.y1 = w.y0 + 1;
        w.x1 = w.count;
    }
    return w;
}

static int8_t mean(const mcu_pool_params *p, int32_t sum, int32_t count) {
    const int32_t half = count / 2;
    const int32_t value = (sum > 0 ? sum + half : sum - half) / count;
    return (int8_t)mcu_clamp(value, p->act_min, p->act_max);
}

/* Sums of four channels: the even and the odd ones as pairs of int16, which go over in time into int32. */
typedef struct tally {
    int32_t even;
    int32_t odd;
    int32_t room; /* elements that still fit into int16 */
    int32_t sums[4];
} tally;

static void flush(tally *t) {
    t->sums[0] += (int16_t)(t->even & 0xFFFF);
    t->sums[1] += (int16_t)(t->odd & 0xFFFF);
    t->sums[2] += t->even >> 16;
    t->sums[3] += t->odd >> 16;
    t->even = t->odd = 0;
    t->room = SUMS_BEFORE_OVERFLOW;
}

/* Add up four channels of `count` pixels `step` bytes apart, as many as there is room for. */
static inline void add_pixels(tally *t, const int8_t *pixel, int32_t step, int32_t count) {
    int32_t even = t->even, odd = t->odd;
    if ((count & 1) != 0) {
        const int32_t word = mcu_load32(pixel);
        even = mcu_sxtab16(even, word);
        odd = mcu_sxtab16_ror8(odd, word);
        pixel += step;
    }
    for (int32_t pairs = count >> 1; pairs > 0; pairs--) {
        const int32_t word0 = mcu_load32(pixel), word1 = mcu_load32(pixel + step);
        pixel += 2 * step;
        even = mcu_sxtab16(mcu_sxtab16(even, word0), word1);
        odd = mcu_sxtab16_ror8(mcu_sxtab16_ror8(odd, word0), word1);
    }
    t->even = even;
    t->odd = odd;
    t->room -= count;
}

static void pool4(const mcu_pool_params *p, const mcu_rows *rows, const window *w, int32_t channel,
                  int8_t *out) {
    tally t = {0, 0, SUMS_BEFORE_OVERFLOW, {0, 0, 0, 0}};
    for (int32_t y = w->y0; y < w->y1; y++) {
        const int8_t *pixel = rows->in[y] + w->x0 * p->channels + channel;
        for (int32_t left = w->x1 - w->x0; left > 0;) {
            const int32_t count = left < t.room ? left : t.room;
            add_pixels(&t, pixel, p->channels, count);
            pixel += count * p->channels;
            left -= count;
            if (t.room == 0) {
                flush(&t);
            }
        }
    }
    flush(&t);
    for (int32_t i = 0; i < 4; i++) {
        out[i] = mean(p, t.sums[i], w->count);
    }
}

static void pool1(const mcu_pool_params *p, const mcu_rows *rows, const window *w, int32_t channel,
                  int8_t *out) {
    int32_t sum = 0;
    for (int32_t y = w->y0; y < w->y1; y++) {
        for (int32_t x = w->x0; x < w->x1; x++) {
            sum += rows->in[y][x * p->channels + channel];
        }
    }
    *out = mean(p, sum, w->count);
}

void mcu_average_pool(const void *params, const mcu_rows *rows) {
    const mcu_pool_params *p = params;
    int8_t *out = rows->out[0];
    for (int32_t i = 0; i < rows->out_width; i++) {
        const window w = clip_window(p, rows, rows->in_x0 + i * p->stride_w);
        int32_t channel = 0;
        for (; channel + 4 <= p->channels; channel += 4) {
            pool4(p, rows, &w, channel, out + channel);
        }
        for (; channel < p->channels; channel++) {
            pool1(p, rows, &w, channel, out + channel);
        }
        out += p->channels;
    }
}
