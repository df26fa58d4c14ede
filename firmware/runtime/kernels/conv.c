/* Convolution of any kernel, stride and padding, and of any number of channels.
 *
 * The window of two output pixels is widened into the scratch and multiplied by gemm.c, whose layout,
 * ranges and rounding apply. A window is kernel_h runs of R = kernel_w * in_channels bytes. Its products
 * are numbered so that every run comes with its whole words first (run after run), then the R % 4 bytes left
 * over at each run's end, run after run, then zeros up to a multiple of four. Where it takes no more
 * products, the lowering makes the last bytes a whole word (run_words is then R / 4 rounded up): what is read
 * beyond the run meets weights of zero, and is never beyond the row.
 *
 * Scratch: 16 bytes a quad for the widened pair, then two runs of R bytes, each rounded up to a word,
 * in which a run is assembled that lies partly or wholly in the padding.
 *
 * Bound: those of widen.c and gemm.c, and about 40 cycles a run. */
#include "mcu_kernels.h"
#include "mcu_simd.h"

#include <stddef.h>

static int32_t run_bytes(const mcu_conv_params *p) {
    return p->kernel_w * p->in_channels;
}

static void copy(int8_t *to, const int8_t *from, int32_t count) {
    for (; count >= 4; count -= 4) {
        mcu_store32(to, mcu_load32(from));
        to += 4;
        from += 4;
    }
    for (; count > 0; count--) {
        *to++ = *from++;
    }
}

/* Whether what is read of the run at column x0 lies before the row's end. */
static int readable(const mcu_conv_params *p, const mcu_rows *rows, int32_t x0) {
    const int32_t whole = 4 * p->run_words, bytes = run_bytes(p);
    return x0 * p->in_channels + (whole > bytes ? whole : bytes) <= rows->in_width * p->in_channels;
}

/* The run of input at column x0 of a row: where it lies, or assembled in `space` if it meets padding. */
static const int8_t *find_run(const mcu_conv_params *p, const mcu_rows *rows, const int8_t *row, int32_t x0,
                              int32_t *space) {
    const int32_t end = x0 + p->kernel_w;
    const int32_t first = x0 > 0 ? x0 : 0;
    const int32_t last = end < rows->in_width ? end : rows->in_width;
    if (row != NULL && x0 == first && readable(p, rows, x0)) {
        return row + x0 * p->in_channels;
    }
    for (int32_t i = (run_bytes(p) + 3) >> 2; i > 0; i--) {
        space[i - 1] = p->zero_point;
    }
    if (row != NULL && first < last) {
        copy((int8_t *)space + (first - x0) * p->in_channels, row + first * p->in_channels,
             (last - first) * p->in_channels);
    }
    return (const int8_t *)space;
}

/* Where the next left-over product of pixel 0 goes; that of pixel 1 lies 4 bytes on. The two products of a
 * word are 2 bytes apart, and 6 bytes behind them is the next pixel 0. */
typedef struct tail {
    int8_t *place;
    int32_t step;
} tail;

static inline void widen_left_over(tail *to, int32_t value0, int32_t value1) {
    mcu_store16(to->place, value0);
    mcu_store16(to->place + 4, value1);
    to->place += to->step;
    to->step = 8 - to->step;
}

/* Short runs are not worth a call. */
static inline int32_t *widen_words(const int8_t *run0, const int8_t *run1, int32_t words, int32_t *x) {
    if (words > 2) {
        return mcu_widen_pair(run0, run1, words, x);
    }
    for (; words > 0; words--) {
        const int32_t word0 = mcu_load32(run0), word1 = mcu_load32(run1);
        x[0] = mcu_sxtb16(word0);
        x[1] = mcu_sxtb16(word1);
        x[2] = mcu_sxtb16_ror8(word0);
        x[3] = mcu_sxtb16_ror8(word1);
        run0 += 4;
        run1 += 4;
        x += 4;
    }
    return x;
}

/* Widen the windows at input columns x0 and x1. */
static void widen_pair(const mcu_conv_params *p, const mcu_rows *rows, int32_t x0, int32_t x1) {
    const int32_t bytes = run_bytes(p), words = p->run_words;
    const int32_t whole = 4 * words;
    const int inside = x0 >= 0 && readable(p, rows, x1);
    int32_t *x = rows->scratch;
    tail left_over = {(int8_t *)(x + whole * p->kernel_h), 2};
    int8_t *end = (int8_t *)(x + 4 * p->gemm.quads);
    int32_t *space0 = (int32_t *)end;
    int32_t *space1 = space0 + ((bytes + 3) >> 2);
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        const int8_t *row = rows->in[ky];
        const int8_t *run0, *run1;
        if (inside && row != NULL) {
            run0 = row + x0 * p->in_channels;
            run1 = row + x1 * p->in_channels;
        } else {
            run0 = find_run(p, rows, row, x0, space0);
            run1 = find_run(p, rows, row, x1, space1);
        }
        x = widen_words(run0, run1, words, x);
        for (int32_t i = whole; i < bytes; i++) {
            widen_left_over(&left_over, run0[i], run1[i]);
        }
    }
    while (left_over.place < end) {
        widen_left_over(&left_over, 0, 0);
    }
}

/* Widen the window at input column x0 alone. */
static void widen_one(const mcu_conv_params *p, const mcu_rows *rows, int32_t x0) {
    const int32_t bytes = run_bytes(p), words = p->run_words;
    int32_t *x = rows->scratch;
    int8_t *tail = (int8_t *)(x + 2 * words * p->kernel_h);
    int32_t *space = x + 4 * p->gemm.quads;
    int32_t index = 0;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        const int8_t *run = find_run(p, rows, rows->in[ky], x0, space);
        x = mcu_widen_one(run, words, x);
        for (int32_t i = 4 * words; i < bytes; i++, index++) {
            mcu_store16(tail + 2 * index, run[i]);
        }
    }
    for (; (index & 3) != 0; index++) {
        mcu_store16(tail + 2 * index, 0);
    }
}

void mcu_conv(const void *params, const mcu_rows *rows) {
    const mcu_conv_params *p = params;
    const int32_t out_step = p->gemm.channels;
    int8_t *out = rows->out[0];
    int32_t x = rows->in_x0;
    int32_t left = rows->out_width;
    for (; left >= 2; left -= 2) {
        widen_pair(p, rows, x, x + p->stride_w);
        mcu_gemm_pair(&p->gemm, rows->scratch, out, out + out_step);
        x += 2 * p->stride_w;
        out += 2 * out_step;
    }
    if (left > 0) {
        widen_one(p, rows, x);
        mcu_gemm_one(&p->gemm, rows->scratch, out);
    }
    if (p->gemm.clamped) {
        mcu_clamp_row(rows->out[0], rows->out_width * out_step, p->gemm.act_min, p->gemm.act_max);
    }
}
