/* Average pooling of any window up to 32 rows and any stride; taps outside the input do not count.
 *
 * Four channels at a time are added up in two words of two int16 sums, which hold 255 int8 values; the
 * sums go over into int32 before that. Channels left over are added up one at a time. The mean is rounded
 * half away from zero, by C division, as in the reference. No scratch.
 *
 * Bound: a load and two SXTAB16 for four elements, about 1.3 cycles an element with the loop. */
#include "mcu_kernels.h"
#include "mcu_requantise.h"

#include <stddef.h>

enum { SUMS_BEFORE_OVERFLOW = 255 };

typedef struct window {
    int32_t x0; /* columns inside the input */
    int32_t x1;
    int32_t count; /* taps inside the input */
} window;

static window clip_window(const mcu_pool_params *p, const mcu_rows *rows, int32_t x) {
    window w = {x < 0 ? 0 : x, x + p->kernel_w, 0};
    if (w.x1 > rows->in_width) {
        w.x1 = rows->in_width;
    }
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        if (rows->in[ky] != NULL) {
            w.count += w.x1 - w.x0;
        }
    }
    return w;
}

static int8_t mean(const mcu_pool_params *p, int32_t sum, int32_t count) {
    const int32_t half = count / 2;
    const int32_t value = (sum > 0 ? sum + half : sum - half) / count;
    return (int8_t)mcu_clamp(value, p->act_min, p->act_max);
}

static void flush(int32_t *sums, int32_t even, int32_t odd) {
    sums[0] += (int16_t)(even & 0xFFFF);
    sums[1] += (int16_t)(odd & 0xFFFF);
    sums[2] += even >> 16;
    sums[3] += odd >> 16;
}

static void pool4(const mcu_pool_params *p, const mcu_rows *rows, const window *w, int32_t channel,
                  int8_t *out) {
    int32_t sums[4] = {0, 0, 0, 0};
    int32_t even = 0, odd = 0, room = SUMS_BEFORE_OVERFLOW;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        if (rows->in[ky] == NULL) {
            continue;
        }
        const int8_t *pixel = rows->in[ky] + w->x0 * p->channels + channel;
        for (int32_t x = w->x0; x < w->x1; x++) {
            const int32_t word = mcu_load32(pixel);
            even = mcu_sxtab16(even, word);
            odd = mcu_sxtab16_ror8(odd, word);
            pixel += p->channels;
            if (--room == 0) {
                flush(sums, even, odd);
                even = odd = 0;
                room = SUMS_BEFORE_OVERFLOW;
            }
        }
    }
    flush(sums, even, odd);
    for (int32_t i = 0; i < 4; i++) {
        out[i] = mean(p, sums[i], w->count);
    }
}

static void pool1(const mcu_pool_params *p, const mcu_rows *rows, const window *w, int32_t channel,
                  int8_t *out) {
    int32_t sum = 0;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        for (int32_t x = w->x0; rows->in[ky] != NULL && x < w->x1; x++) {
            sum += rows->in[ky][x * p->channels + channel];
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
