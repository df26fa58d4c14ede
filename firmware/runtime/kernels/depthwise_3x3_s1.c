/* Depthwise 3x3 convolution, stride 1, channels a multiple of four, up to eight output rows a call.
 *
 * Four channels at a time: a strip of columns is transposed in the scratch into words that hold one
 * channel's rows (0, 1), (2, 3), ... of the input rows of a call. Two output rows and two output columns
 * are then computed at once; each column costs four multiplications for two outputs. Padding is written into
 * the strip, so that the inner loop has no bounds tests. Narrow maps take many rows a call, which share the
 * loading of weights.
 *
 * Strip: for each column, for each of four channels, `depth` words of pairs of rows: 2 for up to two output
 * rows, 5 for up to eight.
 * Stream: for each channel, for each column of the kernel from left to right, a word of weights w0, w1, w1,
 * w2, of which come two words of doubled weights, (w0, w1) and (w1, w2); then its doubled bias with the
 * input's zero point folded in, and its mcu_scale.
 * Scratch: 200 bytes for where inputs come from and outputs go; 16 bytes a column and word of depth, for at
 * most MCU_STRIP output columns (8 of them where the strip is deep, or 10 if that is all of the row) and 2
 * more, at least 4.
 *
 * Bound: for four outputs 24 multiplications, 12 cycles of loads, 15 of requantisation (10 with one
 * rounding), 6 of stores, 10 of loop and setting out; for the strip 2.6 to 5.2 cycles an output: about 20
 * cycles an output. */
#include "mcu_asm.h"
#include "mcu_depthwise.h"

enum { STREAM_WORDS = 7, SHALLOW = 2, DEEP = 5, MAX_PAIRS = DEEP - 1 };

/* Output columns of a deep strip: of rows up to NARROW, and of wider ones. */
enum { NARROW = 10, WIDE = 8 };

/* Two output rows: the upper one's next output of a strip's first channel, and how far below it the lower
 * one's is. A single row has below 0: what is not wanted is written first. */
typedef struct target {
    int8_t *out;
    int32_t below;
} target;

/* How to walk along an output row, in bytes: to the next column; two columns at a time up to `length`; and
 * `again` bytes more, from the last column on. An odd row's first two columns are computed alone, and the
 * rest from the second column on. */
typedef struct walk {
    int32_t right;
    int32_t length;
    int32_t again;
} walk;

static walk find_walk(int32_t width, int32_t channels) {
    const int odd = (width & 1) != 0;
    const walk found = {channels, (odd ? 2 : width) * channels, odd ? (width - 2) * channels : 0};
    return found;
}

/* The scratch. Fills and targets are kept off the stack; targets and the strip begin so many words behind its
 * beginning on any machine. */
enum { TARGETS_AT = DEEP * MCU_FILL_BYTES / 4, STRIP_AT = TARGETS_AT + 20 };

/* Words of a channel in a column of a call's strip. */
static inline int32_t depth_of(const mcu_rows *rows) {
    return rows->rows > 2 ? DEEP : SHALLOW;
}

static void fill_padding(const mcu_depthwise_params *p, int32_t words, int32_t *strip) {
    const int32_t pair = mcu_sxtb16(p->zero_point);
    for (int32_t i = 0; i < words; i++) {
        strip[i] = pair;
    }
}

/* The lane of an input row of the call; the row behind an odd number of rows is padding. */
static mcu_lane lane_of(const mcu_depthwise_params *p, const mcu_rows *rows, int32_t row, int32_t x) {
    return mcu_find_lane(p, row < rows->rows + 2 ? rows->in[row] : NULL, x, 1);
}

/* Prepare the strip of columns [x0, x0 + columns): its padding serves all channels. Returns how many fills
 * make the rest of it. */
static int32_t begin_strip(const mcu_depthwise_params *p, const mcu_rows *rows, int32_t x0, int32_t columns,
                           int32_t *strip, mcu_fill *fills) {
    const int32_t column_words = 4 * depth_of(rows);
    const int32_t pairs = ((rows->rows + 1) >> 1) + 1, room = rows->in_width - x0;
    const int32_t before = x0 < 0 ? -x0 : 0;
    const int32_t end = room < before ? before : room < columns ? room : columns;
    fill_padding(p, column_words * before, strip);
    fill_padding(p, column_words * (columns - end), strip + column_words * end);
    strip += column_words * before;
    for (int32_t i = 0; i < pairs; i++) {
        const mcu_lane upper = lane_of(p, rows, 2 * i, x0 + before);
        const mcu_lane lower = lane_of(p, rows, 2 * i + 1, x0 + before);
        fills[i] = mcu_find_fill(upper, lower, end - before, strip + i);
    }
    return pairs;
}

/* Fill the strip with the next four channels. */
static void fill_strip(int32_t depth, mcu_fill *fills, int32_t count) {
    if (depth == SHALLOW) {
        mcu_transpose_by_2(fills, count);
    } else {
        mcu_transpose_by_5(fills, count);
    }
}

/* Four outputs of a channel, of which the right column's are wanted if `right` is not 0. */
static void store_outputs(const mcu_depthwise_params *p, const mcu_scale *scale, int8_t *out, int32_t right,
                          int32_t below, const int32_t sums[4]) {
    if (right != 0) {
        out[right + below] = mcu_depthwise_output(p, sums[3], scale);
        out[right] = mcu_depthwise_output(p, sums[2], scale);
    }
    out[below] = mcu_depthwise_output(p, sums[1], scale);
    out[0] = mcu_depthwise_output(p, sums[0], scale);
}

/* A word of weights, doubled: the even bytes, or the odd ones if it was rotated. */
static inline int32_t doubled(int32_t bytes) {
    return mcu_sxtab16(mcu_sxtb16(bytes), bytes);
}

/* One channel of two rows, for any activation and width. */
static void any_channel(const mcu_depthwise_params *p, int32_t depth, const int32_t *stream,
                        const int32_t *strip, const target *to, int32_t width) {
    const int32_t step = 4 * depth;
    for (int32_t x = 0; x < width; x += 2) {
        int32_t sums[4] = {stream[3], stream[3], stream[3], stream[3]};
        for (int32_t i = 0; i < 6; i++) {
            const int32_t kx = i >> 1, column = x + kx + (i & 1);
            const int32_t w01 = doubled(stream[kx]), w12 = doubled((int32_t)((uint32_t)stream[kx] >> 8));
            const int32_t upper = strip[step * column], lower = strip[step * column + 1];
            int32_t *sum = sums + 2 * (i & 1);
            sum[0] = mcu_smlabt(lower, w12, mcu_smlad(upper, w01, sum[0]));
            sum[1] = mcu_smlatb(upper, w01, mcu_smlad(lower, w12, sum[1]));
        }
        store_outputs(p, (const mcu_scale *)(stream + 4), to->out + x * p->channels,
                      x + 1 < width ? p->channels : 0, to->below, sums);
    }
}

static void any_channels(const mcu_depthwise_params *p, int32_t depth, const int32_t *stream,
                         const int32_t *strip, const target *to, int32_t width) {
    for (int32_t i = 0; i < 4; i++) {
        for (const target *pair = to; pair->out != NULL; pair++) {
            const target moved = {pair->out + i, pair->below};
            any_channel(p, depth, stream, strip + (pair - to), &moved, width);
        }
        stream += STREAM_WORDS;
        strip += depth;
    }
}

#if MCU_TARGET

/* clang-format off */

/* Column of the strip in r2, r3 times column of the kernel. */
#define COLUMN(top, bottom, w01, w12)              \
    "smlad " top ", r2, " w01 ", " top "\n\t"       \
    "smlad " bottom ", r3, " w12 ", " bottom "\n\t" \
    "smlabt " top ", r3, " w12 ", " top "\n\t"      \
    "smlatb " bottom ", r2, " w01 ", " bottom "\n\t"

/* Two words of doubled weights from four bytes, by r4 and r5. */
#define DOUBLED(even, odd)                        \
    "sxtb16 r4, " even "\n\t"                     \
    "sxtb16 r5, " even ", ror #8\n\t"             \
    "sxtab16 " odd ", r5, " even ", ror #8\n\t"   \
    "sxtab16 " even ", r4, " even "\n\t"

/* The first column of a pair of outputs, of which the upper one's sum is the bias. */
#define FIRST(top, bottom, w01, w12)                 \
    "smlad " bottom ", r3, " w12 ", " top "\n\t"     \
    "smlad " top ", r2, " w01 ", " top "\n\t"        \
    "smlatb " bottom ", r2, " w01 ", " bottom "\n\t" \
    "smlabt " top ", r3, " w12 ", " top "\n\t"

/* The strip's words of a column. */
#define LOAD(first, second)           \
    "ldr r2, [r1, #" first "]\n\t"    \
    "ldr r3, [r1, #" second "]\n\t"

/* Four channels whose activation makes the sign of ties indifferent, at least two columns. Arguments: stream,
 * strip, targets up to one with no output, walk. r0 out, r1 strip, r2 and r3 loads, r4 and r5 the left
 * column's sums, r6 and r7 the right one's, r8 to lr the weights; s0 to s2 the scale, s3 the bias, s4 right, s5
 * below, s6 end, s7 again, s8 stream, s9 the channel's strip, s10 targets, s11 channel, s12 and s13 the walk,
 * s14 next target, s15 the pair's strip. A column of the strip is `column` bytes, a channel `channel`. */
#define CHANNELS(SCALE, channel, column, column1, columns2) \
    "push {r4-r11, lr}\n\t"           \
    "ldm r3, {r4-r6}\n\t"             \
    "movs r3, #0\n\t"                 \
    "vmov s10, r2\n\t"                \
    "vmov s11, r3\n\t"                \
    "vmov s4, r4\n\t"                 \
    "vmov s12, r5\n\t"                \
    "vmov s13, r6\n"                  \
    "0:\n\t"                          \
    "ldmia r0!, {r8, r10, r12}\n\t"   \
    DOUBLED("r8", "r9")               \
    DOUBLED("r10", "r11")             \
    DOUBLED("r12", "lr")              \
    "vmov s9, r1\n\t"                 \
    "ldmia r0!, {r4-r7}\n\t"          \
    "vmov s8, r0\n\t"                 \
    "vmov s3, r4\n\t"                 \
    "vmov s0, r5\n\t"                 \
    "vmov s1, r6\n\t"                 \
    "vmov s2, r7\n"                   \
    "3:\n\t"                          \
    "ldmia r2!, {r0, r4}\n\t"         \
    "vmov r5, s12\n\t"                \
    "vmov r6, s13\n\t"                \
    "vmov s14, r2\n\t"                \
    "adds r0, r0, r3\n\t"             \
    "adds r5, r5, r0\n\t"             \
    "vmov s5, r4\n\t"                 \
    "vmov s6, r5\n\t"                 \
    "vmov s7, r6\n\t"                 \
    "vmov s15, r1\n\t"                \
    ".balign 4\n"                     \
    "1:\n\t"                          \
    "vmov r4, s3\n\t"                 \
    LOAD("0", "4")                    \
    "mov r6, r4\n\t"                  \
    FIRST("r4", "r5", "r8", "r9")     \
    LOAD(column, column1)             \
    "adds r1, #" columns2 "\n\t"      \
    COLUMN("r4", "r5", "r10", "r11")  \
    FIRST("r6", "r7", "r8", "r9")     \
    LOAD("0", "4")                    \
    COLUMN("r4", "r5", "r12", "lr")   \
    COLUMN("r6", "r7", "r10", "r11")  \
    LOAD(column, column1)             \
    COLUMN("r6", "r7", "r12", "lr")   \
    "vmov r2, s0\n\t"                 \
    "vmov r3, s1\n\t"                 \
    SCALE                             \
    "vmov r3, s5\n\t"                 \
    "vmov r2, s4\n\t"                 \
    "strb r5, [r0, r3]\n\t"           \
    "strb r4, [r0]\n\t"               \
    "adds r0, r0, r2\n\t"             \
    "vmov r4, s6\n\t"                 \
    "strb r7, [r0, r3]\n\t"           \
    "strb r6, [r0]\n\t"               \
    "adds r0, r0, r2\n\t"             \
    "cmp r0, r4\n\t"                  \
    "bne 1b\n\t"                      \
    "vmov r5, s7\n\t"                 \
    "cbz r5, 2f\n\t"                  \
    "subs r0, r0, r2\n\t"             \
    "subs r1, #" column "\n\t"        \
    "adds r4, r4, r5\n\t"             \
    "movs r5, #0\n\t"                 \
    "vmov s6, r4\n\t"                 \
    "vmov s7, r5\n\t"                 \
    "b 1b\n"                          \
    "2:\n\t"                          \
    "vmov r2, s14\n\t"                \
    "vmov r1, s15\n\t"                \
    "vmov r3, s11\n\t"                \
    "ldr r0, [r2]\n\t"                \
    "nop\n\t"                         \
    "adds r1, #4\n\t"                 \
    "cmp r0, #0\n\t"                  \
    "bne 3b\n\t"                      \
    "vmov r2, s10\n\t"                \
    "vmov r1, s9\n\t"                 \
    "vmov r0, s8\n\t"                 \
    "adds r3, r3, #1\n\t"             \
    "adds r1, #" channel "\n\t"       \
    "vmov s11, r3\n\t"                \
    "cmp r3, #4\n\t"                  \
    "bne 0b\n\t"                      \
    "pop {r4-r11, pc}\n\t"

#define CHANNELS_FUNCTION(name, SCALE, channel, column, column1, columns2)                              \
    MCU_NAKED static void name(const int32_t *stream MCU_IN_REGISTER, const int32_t *strip MCU_IN_REGISTER, \
                               const target *to MCU_IN_REGISTER, const walk *along MCU_IN_REGISTER) {       \
        __asm__(CHANNELS(SCALE, channel, column, column1, columns2));                                        \
    }

CHANNELS_FUNCTION(twice_shallow, MCU_SCALE_TWICE, "8", "32", "36", "64")
CHANNELS_FUNCTION(twice_deep, MCU_SCALE_TWICE, "20", "80", "84", "160")
CHANNELS_FUNCTION(once_shallow, MCU_SCALE_ONCE, "8", "32", "36", "64")
CHANNELS_FUNCTION(once_deep, MCU_SCALE_ONCE, "20", "80", "84", "160")

/* clang-format on */

#else

#define twice_shallow NULL
#define twice_deep NULL
#define once_shallow NULL
#define once_deep NULL

#endif

/* Assembly for four channels of a shallow and of a deep strip. */
typedef void channels_function(const int32_t *stream, const int32_t *strip, const target *to,
                               const walk *along);

static void convolve_channels(const mcu_depthwise_params *p, const int32_t *stream, const int32_t *strip,
                              const target *to, int32_t width, const walk *along, int32_t depth,
                              channels_function *assembly) {
    if (!MCU_TARGET || !(p->rectified || p->once) || width < 2) {
        any_channels(p, depth, stream, strip, to, width);
    } else {
        assembly(stream, strip, to, along);
    }
}

/* The call's output rows from `offset` bytes on, two at a time. */
static void find_targets(const mcu_rows *rows, int32_t offset, target to[MAX_PAIRS + 1]) {
    int32_t y = 0;
    for (; y < rows->rows; y += 2) {
        to->out = rows->out[y] + offset;
        to->below = y + 1 < rows->rows ? (int32_t)(rows->out[y + 1] - rows->out[y]) : 0;
        to++;
    }
    to->out = NULL;
}

static void depthwise_3x3_s1(const mcu_depthwise_params *p, const mcu_rows *rows, channels_function *shallow,
                             channels_function *deep) {
    const int32_t depth = depth_of(rows);
    const int32_t columns = depth == SHALLOW ? MCU_STRIP : rows->out_width > NARROW ? WIDE : NARROW;
    mcu_fill *const fills = mcu_fills(rows->scratch);
    target *const to = (target *)((int32_t *)rows->scratch + TARGETS_AT);
    int32_t *const strip = (int32_t *)rows->scratch + STRIP_AT;
    for (int32_t x = 0; x < rows->out_width; x += columns) {
        const int32_t left = rows->out_width - x;
        const int32_t width = left < columns ? left : columns;
        const int32_t *stream = p->stream;
        const walk along = find_walk(width, p->channels);
        const int32_t count =
            begin_strip(p, rows, rows->in_x0 + x, (width > 1 ? width : 2) + 2, strip, fills);
        find_targets(rows, x * p->channels, to);
        for (int32_t channel = 0; channel < p->channels; channel += 4) {
            fill_strip(depth, fills, count);
            convolve_channels(p, stream, strip, to, width, &along, depth, depth == SHALLOW ? shallow : deep);
            stream += 4 * STREAM_WORDS;
            for (target *pair = to; pair->out != NULL; pair++) {
                pair->out += 4;
            }
        }
    }
    mcu_depthwise_clamp(p, rows);
}

void mcu_depthwise_3x3_s1(const void *params, const mcu_rows *rows) {
    depthwise_3x3_s1(params, rows, twice_shallow, twice_deep);
}

void mcu_depthwise_3x3_s1_once(const void *params, const mcu_rows *rows) {
    depthwise_3x3_s1(params, rows, once_shallow, once_deep);
}
