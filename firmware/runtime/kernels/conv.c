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
static inline int32_t *widen_word_pair(const int8_t *run0, const int8_t *run1, int32_t *x) {
    const int32_t word0 = mcu_load32(run0), word1 = mcu_load32(run1);
    x[0] = mcu_sxtb16(word0);
    x[1] = mcu_sxtb16(word1);
    x[2] = mcu_sxtb16_ror8(word0);
    x[3] = mcu_sxtb16_ror8(word1);
    return x + 4;
}

static inline int32_t *widen_words(const int8_t *run0, const int8_t *run1, int32_t words, int32_t *x) {
    if (words > 2) {
        return mcu_widen_pair(run0, run1, words, x);
    }
    for (; words > 0; words--) {
        x = widen_word_pair(run0, run1, x);
        run0 += 4;
        run1 += 4;
    }
    return x;
}

/* How to read the word of a run of at most four bytes: from `at` on, then shifted in order to make room for
 * what `padding` holds of it. */
typedef struct short_run {
    int32_t at;
    int32_t right;
    int32_t left;
    int32_t padding;
} short_run;

/* The run at column x0; 0 where it cannot be read so. */
static int find_short_run(const mcu_conv_params *p, const mcu_rows *rows, int32_t x0, short_run *run) {
    const int32_t first = x0 * p->in_channels, spare = rows->in_width * p->in_channels - 4;
    const int32_t before = first < 0 ? -8 * first : 0, behind = first > spare ? 8 * (first - spare) : 0;
    if (spare < 0 || before >= 32 || behind >= 32) {
        return 0;
    }
    run->at = first < 0 ? 0 : first > spare ? spare : first;
    run->left = before;
    run->right = behind;
    run->padding = 0;
    if (before != 0) {
        run->padding = (int32_t)((uint32_t)p->zero_point >> (32 - before));
    } else if (behind != 0) {
        run->padding = mcu_shift_left(p->zero_point, 32 - behind);
    }
    return 1;
}

static inline int32_t read_short_run(const short_run *run, const int8_t *row) {
    const uint32_t word = (uint32_t)mcu_load32(row + run->at);
    return (int32_t)(word >> run->right << run->left) | run->padding;
}

/* A window of one word a row, of two pixels. */
static void widen_short_pair(const mcu_conv_params *p, const mcu_rows *rows, const short_run *run0,
                             const short_run *run1, int32_t *x) {
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        const int8_t *row = rows->in[ky];
        const int32_t word0 = row != NULL ? read_short_run(run0, row) : p->zero_point;
        const int32_t word1 = row != NULL ? read_short_run(run1, row) : p->zero_point;
        x[0] = mcu_sxtb16(word0);
        x[1] = mcu_sxtb16(word1);
        x[2] = mcu_sxtb16_ror8(word0);
        x[3] = mcu_sxtb16_ror8(word1);
        x += 4;
    }
}

static void widen_short_one(const mcu_conv_params *p, const mcu_rows *rows, const short_run *run,
                            int32_t *x) {
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        const int8_t *row = rows->in[ky];
        const int32_t word = row != NULL ? read_short_run(run, row) : p->zero_point;
        x[0] = mcu_sxtb16(word);
        x[1] = mcu_sxtb16_ror8(word);
        x += 2;
    }
}

/* Whether a window is one word a row and nothing else. */
static inline int is_short(const mcu_conv_params *p) {
    return p->run_words == 1 && run_bytes(p) <= 4;
}

/* Widen the windows of one word a row at input columns x0 and x1, which meet padding. 0: they do not fit. */
static int widen_short_edges(const mcu_conv_params *p, const mcu_rows *rows, int32_t x0, int32_t x1) {
    short_run run0 = {x0 * p->in_channels, 0, 0, 0}, run1 = {x1 * p->in_channels, 0, 0, 0};
    const int inside0 = x0 >= 0 && readable(p, rows, x0), inside1 = x1 >= 0 && readable(p, rows, x1);
    if ((!inside0 && !find_short_run(p, rows, x0, &run0)) ||
        (!inside1 && !find_short_run(p, rows, x1, &run1))) {
        return 0;
    }
    widen_short_pair(p, rows, &run0, &run1, rows->scratch);
    return 1;
}

/* Widen the windows at input columns x0 and x1, which meet padding. */
static void widen_edges(const mcu_conv_params *p, const mcu_rows *rows, int32_t x0, int32_t x1) {
    const int32_t bytes = run_bytes(p), words = p->run_words;
    int32_t *x = rows->scratch;
    tail left_over = {(int8_t *)(x + 4 * words * p->kernel_h), 2};
    int32_t *const space0 = x + 4 * p->gemm.quads;
    int32_t *const space1 = space0 + ((bytes + 3) >> 2);
    if (is_short(p) && widen_short_edges(p, rows, x0, x1)) {
        return;
    }
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        const int8_t *run0 = find_run(p, rows, rows->in[ky], x0, space0);
        const int8_t *run1 = find_run(p, rows, rows->in[ky], x1, space1);
        x = widen_words(run0, run1, words, x);
        for (int32_t i = 4 * words; i < bytes; i++) {
            widen_left_over(&left_over, run0[i], run1[i]);
        }
    }
}

/* A call's rows of input: [first, last) are not padding. `end`: the last column at which a window can be read
 * as a whole, as widen_inside does. */
typedef struct field {
    int32_t first;
    int32_t last;
    int32_t end;
} field;

static field find_field(const mcu_conv_params *p, const mcu_rows *rows) {
    const int32_t whole = 4 * p->run_words, bytes = run_bytes(p);
    const int32_t spare = rows->in_width * p->in_channels - (whole > bytes ? whole : bytes);
    field found = {0, p->kernel_h, spare < 0 ? -1 : spare / p->in_channels};
    while (found.first < found.last && rows->in[found.first] == NULL) {
        found.first++;
    }
    while (found.last > found.first && rows->in[found.last - 1] == NULL) {
        found.last--;
    }
    return found;
}

/* Widen the windows at input columns x0 and x1, which meet no padding but whole rows; those have been
 * widened before. */
static void widen_inside(const mcu_conv_params *p, const mcu_rows *rows, const field *inside, int32_t x0,
                         int32_t x1) {
    const int32_t bytes = run_bytes(p), words = p->run_words;
    const int32_t at0 = x0 * p->in_channels, at1 = x1 * p->in_channels;
    int32_t *x = rows->scratch;
    if (p->kernel_h == 3 && bytes == 9 && words == 2 && inside->last - inside->first == 3) {
        mcu_widen_nines(rows->in, at0, at1 - at0, x);
        return;
    }
    int8_t *left_over = (int8_t *)(x + 4 * words * p->kernel_h);
    int32_t index = inside->first * (bytes - 4 * words);
    x += 4 * words * inside->first;
    if (bytes <= 4 * words && words > 2 && inside->first < inside->last) {
        const mcu_windows windows = {
            x, rows->in + inside->first, inside->last - inside->first, at0, at1 - at0, words};
        mcu_widen_windows(&windows);
        return;
    }
    for (int32_t ky = inside->first; ky < inside->last; ky++) {
        const int8_t *row = rows->in[ky];
        x = widen_words(row + at0, row + at1, words, x);
        for (int32_t i = 4 * words; i < bytes; i++, index++) {
            int8_t *place = left_over + 8 * (index >> 1) + 2 * (index & 1);
            mcu_store16(place, row[at0 + i]);
            mcu_store16(place + 4, row[at1 + i]);
        }
    }
}

/* Let all products be padding, if a row is, or if they are rounded up. */
static void fill_padding(const mcu_conv_params *p, const field *inside, int32_t *x) {
    const int32_t pair = mcu_sxtb16(p->zero_point);
    const int32_t left_over = p->kernel_h * (run_bytes(p) - 4 * p->run_words);
    if (inside->last - inside->first == p->kernel_h && (left_over & 3) == 0) {
        return;
    }
    for (int32_t i = 0; i < 4 * p->gemm.quads; i++) {
        x[i] = pair;
    }
}

/* Widen the window at input column x0 alone. */
static void widen_one(const mcu_conv_params *p, const mcu_rows *rows, int32_t x0) {
    short_run short_window;
    if (is_short(p) && find_short_run(p, rows, x0, &short_window)) {
        widen_short_one(p, rows, &short_window, rows->scratch);
        return;
    }
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
    const field inside = find_field(p, rows);
    int8_t *out = rows->out[0];
    int32_t x = rows->in_x0;
    int32_t left = rows->out_width;
    fill_padding(p, &inside, rows->scratch);
    for (; left >= 2; left -= 2) {
        if (x >= 0 && x + p->stride_w <= inside.end) {
            widen_inside(p, rows, &inside, x, x + p->stride_w);
        } else {
            widen_edges(p, rows, x, x + p->stride_w);
        }
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
