/* Average pooling of any window up to 32 rows and any stride; taps outside the input do not count.
 *
 * Four channels at a time are added up in two words of two int16 sums, which hold 255 int8 values; where a
 * window has more, the sums go over into int32 before that. Channels left over are added up one at a time.
 * The mean is rounded half away from zero, as in the reference (see mcu_mean.h). No scratch.
 *
 * Bound: for four pixels of four channels 4 loads in a row (5 cycles) and 8 SXTAB16: 0.8 cycles an element;
 * for four means 16 cycles and a store. */
#include "mcu_asm.h"
#include "mcu_kernels.h"
#include "mcu_mean.h"
#include "mcu_simd.h"

#include <stddef.h>

enum { SUMS_BEFORE_OVERFLOW = 255 };

/* Rows and columns inside the input, and how to divide by the number of elements in them. */
typedef struct window {
    int32_t y0;
    int32_t y1;
    int32_t x0;
    int32_t x1;
    mcu_divisor by;
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
    window w = {0, p->kernel_h, x < 0 ? 0 : x, x + p->kernel_w, {0, 0, 0, 0}};
    if (w.x1 > rows->in_width) {
        w.x1 = rows->in_width;
    }
    while (w.y0 < w.y1 && rows->in[w.y0] == NULL) {
        w.y0++;
    }
    while (w.y1 > w.y0 && rows->in[w.y1 - 1] == NULL) {
        w.y1--;
    }
    w.by = mcu_find_divisor((w.y1 - w.y0) * (w.x1 - w.x0));
    if (w.y1 > w.y0 && is_contiguous(p, rows, &w)) {
        w.y1 = w.y0 + 1;
        w.x1 = w.by.count;
    }
    return w;
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

/* Four channels of a window of any size. */
static void pool_four(const mcu_rows *rows, const window *w, int32_t step, int32_t channel, int8_t *out) {
    tally t = {0, 0, SUMS_BEFORE_OVERFLOW, {0, 0, 0, 0}};
    for (int32_t y = w->y0; y < w->y1; y++) {
        const int8_t *pixel = rows->in[y] + w->x0 * step + channel;
        for (int32_t left = w->x1 - w->x0; left > 0;) {
            const int32_t count = left < t.room ? left : t.room;
            add_pixels(&t, pixel, step, count);
            pixel += count * step;
            left -= count;
            if (t.room == 0) {
                flush(&t);
            }
        }
    }
    flush(&t);
    for (int32_t i = 0; i < 4; i++) {
        out[i] = mcu_divide(t.sums[i], &w->by);
    }
}

static void pool_one(const mcu_rows *rows, const window *w, int32_t step, int32_t channel, int8_t *out) {
    int32_t sum = 0;
    for (int32_t y = w->y0; y < w->y1; y++) {
        for (int32_t x = w->x0; x < w->x1; x++) {
            sum += rows->in[y][x * step + channel];
        }
    }
    *out = mcu_divide(sum, &w->by);
}

#if MCU_TARGET
/* clang-format off */

/* A window of 2 to 255 elements whose channels are taken eight at a time; the order is known to assembly. */
typedef struct small_window {
    const int8_t *const *rows;
    int32_t row_count;
    int32_t width;
    int32_t step;   /* bytes from pixel to pixel */
    int32_t offset; /* to the first one in a row */
    uint32_t multiplier;
    int32_t bias;
    int32_t even;
    int32_t eights; /* at least 1 */
    int8_t *out;
} small_window;

#define ADD(word, even, odd)                         \
    "sxtab16 " even ", " even ", " word "\n\t"       \
    "sxtab16 " odd ", " odd ", " word ", ror #8\n\t"

/* Of four channels, into `even`, as mcu_mean.h has it. */
#define MEANS(even, odd)                   \
    "and r4, r7, " even ", lsr #15\n\t"    \
    "and r5, r7, " odd ", lsr #15\n\t"     \
    "ssub16 " even ", " even ", r4\n\t"    \
    "ssub16 " odd ", " odd ", r5\n\t"      \
    "sxtah r4, r12, " even "\n\t"          \
    "sxtah r5, r12, " odd "\n\t"           \
    "add r6, r12, " even ", asr #16\n\t"   \
    "add r0, r12, " odd ", asr #16\n\t"    \
    "umull r2, r4, r4, lr\n\t"             \
    "umull r2, r5, r5, lr\n\t"             \
    "umull r2, r6, r6, lr\n\t"             \
    "umull r2, r0, r0, lr\n\t"             \
    "orr r4, r4, r5, lsl #8\n\t"           \
    "orr r6, r6, r0, lsl #8\n\t"           \
    "orr r4, r4, r6, lsl #16\n\t"          \
    "eor " even ", r4, #0x80808080\n\t"

/* r0 pixel, r1 step, r2 pairs of pixels left, r3 step and 4, r4 to r7 loads, r8 sums of channels 0 and 2, r9 of 1
 * and 3, r10 of 4 and 6, r11 of 5 and 7, r12 rows, lr rows left; s0 and s1 the window's rows, s2 width, s3 offset,
 * s4 multiplier, s5 bias, s6 whether even, s7 eights left, s8 out. A row's odd pixel comes first. */
MCU_NAKED static void pool_eights(const small_window *w MCU_IN_REGISTER) {
    __asm__("push {r4-r11, lr}\n\t"
            "ldm r0, {r0-r9}\n\t"
            "vmov s0, r0\n\t"
            "vmov s1, r1\n\t"
            "vmov s2, r2\n\t"
            "vmov s3, r4\n\t"
            "vmov s4, r5\n\t"
            "vmov s5, r6\n\t"
            "vmov s6, r7\n\t"
            "vmov s7, r8\n\t"
            "vmov s8, r9\n\t"
            "mov r1, r3\n\t"
            "adds r3, #4\n"
            "0:\n\t"
            "vmov r12, s0\n\t"
            "vmov lr, s1\n\t"
            "mov.w r8, #0\n\t"
            "mov.w r9, #0\n\t"
            "mov.w r10, #0\n\t"
            "mov.w r11, #0\n"
            "1:\n\t"
            "ldr r0, [r12], #4\n\t"
            "vmov r4, s3\n\t"
            "vmov r2, s2\n\t"
            "adds r0, r0, r4\n\t"
            "lsrs r2, r2, #1\n\t"
            "bcc 2f\n\t"
            "ldr r4, [r0]\n\t"
            "ldr r5, [r0, #4]\n\t"
            "add r0, r0, r1\n\t"
            ADD("r4", "r8", "r9")
            ADD("r5", "r10", "r11")
            "2:\n\t"
            "cbz r2, 4f\n\t"
            ".balign 4\n"
            "3:\n\t"
            "ldr.w r4, [r0]\n\t"
            "ldr.w r5, [r0, #4]\n\t"
            "ldr.w r6, [r0, r1]\n\t"
            "ldr.w r7, [r0, r3]\n\t"
            "add.w r0, r0, r1, lsl #1\n\t"
            "subs r2, #1\n\t"
            ADD("r4", "r8", "r9")
            ADD("r5", "r10", "r11")
            ADD("r6", "r8", "r9")
            ADD("r7", "r10", "r11")
            "bne 3b\n"
            "4:\n\t"
            "subs.w lr, lr, #1\n\t"
            "bne 1b\n\t"
            "vmov lr, s4\n\t"
            "vmov r12, s5\n\t"
            "vmov r7, s6\n\t"
            MEANS("r8", "r9")
            MEANS("r10", "r11")
            "vmov r0, s8\n\t"
            "vmov r2, s3\n\t"
            "vmov r5, s7\n\t"
            "str r10, [r0, #4]\n\t"
            "str r8, [r0], #8\n\t"
            "adds r2, #8\n\t"
            "subs r5, #1\n\t"
            "vmov s8, r0\n\t"
            "vmov s3, r2\n\t"
            "vmov s7, r5\n\t"
            "bne.w 0b\n\t"
            "pop {r4-r11, pc}\n\t");
}

/* clang-format on */

/* As many channels as assembly takes. */
static int32_t pool_some(const mcu_rows *rows, const window *w, int32_t step, int8_t *out) {
    const int32_t eights = w->by.count <= SUMS_BEFORE_OVERFLOW && w->by.multiplier != 0 ? step >> 3 : 0;
    const small_window small = {
        .rows = rows->in + w->y0,
        .row_count = w->y1 - w->y0,
        .width = w->x1 - w->x0,
        .step = step,
        .offset = w->x0 * step,
        .multiplier = w->by.multiplier,
        .bias = w->by.bias,
        .even = w->by.even,
        .eights = eights,
        .out = out,
    };
    if (eights > 0) {
        pool_eights(&small);
    }
    return 8 * eights;
}

#else

static int32_t pool_some(const mcu_rows *rows, const window *w, int32_t step, int8_t *out) {
    (void)rows, (void)w, (void)step, (void)out;
    return 0;
}

#endif

void mcu_average_pool(const void *params, const mcu_rows *rows) {
    const mcu_pool_params *p = params;
    const int32_t step = p->channels;
    int8_t *out = rows->out[0];
    for (int32_t i = 0; i < rows->out_width; i++) {
        const window w = clip_window(p, rows, rows->in_x0 + i * p->stride_w);
        int32_t channel = pool_some(rows, &w, step, out);
        for (; channel + 4 <= step; channel += 4) {
            pool_four(rows, &w, step, channel, out + channel);
        }
        for (; channel < step; channel++) {
            pool_one(rows, &w, step, channel, out + channel);
        }
        out += step;
    }
    if (p->clamped) {
        mcu_clamp_row(rows->out[0], rows->out_width * step, p->act_min, p->act_max);
    }
}
