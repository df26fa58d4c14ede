/* What the depthwise kernels share: strips of transposed columns. */
#ifndef MCU_DEPTHWISE_H
#define MCU_DEPTHWISE_H

#include "mcu_asm.h"
#include "mcu_kernels.h"
#include "mcu_requantise.h"

#include <stddef.h>

/* Output columns for which a strip is built at once; bounds the scratch. */
#define MCU_STRIP 24

/* Four channels of one row, for columns one `step` apart; a row of padding has step 0. */
typedef struct mcu_lane {
    const int8_t *from;
    int32_t step;
} mcu_lane;

/* Part of a strip: columns of two lanes, and where their words go. */
typedef struct mcu_fill {
    const int8_t *first;
    int32_t first_step;
    const int8_t *second;
    int32_t second_step;
    int32_t columns;
    int32_t *to;
} mcu_fill;

/* Bytes of a fill on the target. */
#define MCU_FILL_BYTES 24

/* Room for a list of fills, which the kernels plan at the beginning of their scratch. Where pointers
 * are wider than the target's, it lies elsewhere. */
static inline mcu_fill *mcu_fills(void *scratch) {
#if MCU_TARGET
    return scratch;
#else
    static mcu_fill fills[MCU_MAX_ROWS];
    (void)scratch;
    return fills;
#endif
}

/* Four channels of a row of the input from column x on, a row of padding if it is NULL. */
static inline mcu_lane mcu_find_lane(const mcu_depthwise_params *p, const int8_t *row, int32_t x,
                                     int32_t step) {
    mcu_lane lane = {(const int8_t *)&p->zero_point, 0};
    if (row != NULL) {
        lane.from = row + x * p->channels;
        lane.step = step * p->channels;
    }
    return lane;
}

static inline mcu_fill mcu_find_fill(mcu_lane first, mcu_lane second, int32_t columns, int32_t *to) {
    const mcu_fill fill = {first.from, first.step, second.from, second.step, columns, to};
    return fill;
}

/* Widen and transpose the columns of `count` fills, at least one: four words a column, (first, second) of
 * each of four channels, one behind the other or 2, 3 or 5 words apart; columns follow each other at four
 * times that distance (see strip.c). `zeros`: what is added to both elements, the zero point taken off. Then
 * lanes have moved on to the next four channels. */
void mcu_transpose_less(mcu_fill *fills, int32_t count, int32_t zeros);
void mcu_transpose_by_2(mcu_fill *fills, int32_t count);
void mcu_transpose_by_3(mcu_fill *fills, int32_t count);
void mcu_transpose_by_5(mcu_fill *fills, int32_t count);

/* Four outputs of a channel side by side: `taps` of every phase of every pair of rows, up to a 0, `pitch`
 * bytes from phase to phase in the strip, and how far each of the last three outputs is from the one before;
 * 0 for those that are not wanted, which are written first. */
typedef struct mcu_slide_plan {
    int32_t pitch;
    const uint8_t *taps;
    int32_t steps[3];
} mcu_slide_plan;

/* Four outputs of a channel (see slide.c). `stream`: its doubled bias, its mcu_scale and its weights; returns
 * what is behind them. */
const int32_t *mcu_slide(const int32_t *stream, const int32_t *in, int8_t *out, const mcu_slide_plan *by);

/* What takes the input's zero point off both elements of a pair. */
static inline int32_t mcu_less_zero(const mcu_depthwise_params *p) {
    const int32_t zero = -(int8_t)(p->zero_point & 0xFF);
    return mcu_pkhbt(zero, zero);
}

/* Requantise and saturate a doubled accumulator, with two roundings for any activation. */
static inline int8_t mcu_output_twice(int32_t doubled, const mcu_scale *scale) {
    const int32_t offset = mcu_add(scale->offset, doubled >> 31);
    return (int8_t)mcu_ssat8(mcu_smmlar(doubled, scale->multiplier, offset) >> scale->exponent);
}

/* With one, where the lowering has found constants that give the same outputs for every accumulator: the
 * shift is 3 and comes with the saturation, the bias has a part of its own. */
static inline int8_t mcu_output_once(int32_t doubled, const mcu_scale *scale) {
    return (int8_t)mcu_ssat8(mcu_smmla(doubled, scale->multiplier, scale->offset) >> 3);
}

#if MCU_TARGET
/* clang-format off */

/* From the doubled accumulators r4 to r7 to saturated outputs: multiplier in r2, offset in r3, exponent in s2;
 * for activations that make the sign of ties indifferent. Takes r2. */
#define MCU_SCALE_TWICE          \
    "smmlar r4, r4, r2, r3\n\t"  \
    "smmlar r5, r5, r2, r3\n\t"  \
    "smmlar r6, r6, r2, r3\n\t"  \
    "smmlar r7, r7, r2, r3\n\t"  \
    "vmov r2, s2\n\t"            \
    "asrs r4, r2\n\t"            \
    "asrs r5, r2\n\t"            \
    "asrs r6, r2\n\t"            \
    "asrs r7, r2\n\t"            \
    "ssat r5, #8, r5\n\t"        \
    "ssat r4, #8, r4\n\t"        \
    "ssat r7, #8, r7\n\t"        \
    "ssat r6, #8, r6\n\t"

/* The same as mcu_output_once. */
#define MCU_SCALE_ONCE                \
    "smmla r4, r4, r2, r3\n\t"        \
    "smmla r5, r5, r2, r3\n\t"        \
    "smmla r6, r6, r2, r3\n\t"        \
    "smmla r7, r7, r2, r3\n\t"        \
    "ssat r5, #8, r5, asr #3\n\t"     \
    "ssat r4, #8, r4, asr #3\n\t"     \
    "ssat r7, #8, r7, asr #3\n\t"     \
    "ssat r6, #8, r6, asr #3\n\t"

/* clang-format on */
#endif

/* As the parameters have it. */
static inline int8_t mcu_depthwise_output(const mcu_depthwise_params *p, int32_t doubled,
                                          const mcu_scale *scale) {
    if (p->once) {
        return mcu_output_once(doubled, scale);
    }
    if (!p->rectified) {
        return mcu_output_twice(doubled, scale);
    }
    return (int8_t)mcu_ssat8(mcu_smmlar(doubled, scale->multiplier, scale->offset) >> scale->exponent);
}

/* Bring the call's outputs into the activation's range, where that is narrower than int8. */
static inline void mcu_depthwise_clamp(const mcu_depthwise_params *p, const mcu_rows *rows) {
    for (int32_t i = 0; p->clamped && i < rows->rows; i++) {
        mcu_clamp_row(rows->out[i], rows->out_width * p->channels, p->act_min, p->act_max);
    }
}

#endif
