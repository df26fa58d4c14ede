/* Depthwise 3x3 convolution, stride 2, channels a multiple of four.
 *
 * Four channels at a time: a strip of pairs of columns is transposed in the scratch. A column's rows (0, 1)
 * of one channel make a word; row 2 is paired with that of the next column, since a window uses columns
 * 0 and 1 together and column 2 alone. An output is five multiplications; four columns of output share
 * their loads. Padding is written into the strip, so that the inner loop has no bounds tests. Outputs that
 * a row has too few of are computed twice.
 *
 * Strip: for each pair of columns, for each of four channels, rows (0, 1) of either and row 2 of both.
 * Stream: for each channel 3 words of doubled weights (w0, w1) of each column of the kernel, row 2 of
 * columns (0, 1) and of column (2, -), its doubled bias with the input's zero point folded in, and its
 * mcu_scale.
 * Scratch: 120 bytes for where inputs come from; 48 bytes for two columns, for at most MCU_STRIP output
 * columns and 1 more, at least 5.
 *
 * Bound: for four outputs 20 multiplications, 19 cycles of loads, 15 of requantisation (10 with one
 * rounding), 10 of stores and 8 of loop and setting out; for the strip 12 cycles an output: about 30 cycles
 * an output. */
#include "mcu_asm.h"
#include "mcu_depthwise.h"

enum { CHANNEL_WORDS = 3, PAIR_WORDS = 12, BLOCK = 4, STREAM_WORDS = 9 };

/* The scratch: fills, then the strip. */
enum { MAX_FILLS = 5, STRIP_AT = MAX_FILLS * MCU_FILL_BYTES / 4 };

static void fill_padding(const mcu_depthwise_params *p, int32_t words, int32_t *strip) {
    const int32_t pair = mcu_sxtb16(p->zero_point);
    for (int32_t i = 0; i < words; i++) {
        strip[i] = pair;
    }
}

/* The lane of a row of the window, two columns at a time from column x on. */
static mcu_lane lane_of(const mcu_depthwise_params *p, const mcu_rows *rows, int32_t row, int32_t x) {
    return mcu_find_lane(p, rows->in[row], x, 2);
}

/* Prepare the strip of `columns` columns from x on: its padding serves all channels. Returns how many fills
 * make the rest of it. A pair of columns of which one is padding has row 2 on its own. Apart, so that its
 * variables are off the stack when channels are computed. */
__attribute__((noinline)) static int32_t begin_strip(const mcu_depthwise_params *p, const mcu_rows *rows,
                                                     int32_t x, int32_t columns, int32_t *strip,
                                                     mcu_fill *fills) {
    const int32_t room = rows->in_width - x;
    const int32_t before = x >= 0 ? 0 : -x < columns ? -x : columns;
    const int32_t end = room < before ? before : room < columns ? room : columns;
    const int32_t low = before >> 1, high = end >> 1;
    const int32_t even_low = (before + 1) >> 1, even_high = (end + 1) >> 1;
    mcu_fill *next = fills;
    fill_padding(p, even_low * PAIR_WORDS, strip);
    fill_padding(p, ((columns >> 1) - high) * PAIR_WORDS, strip + high * PAIR_WORDS);
    if (end == before) {
        return 0;
    }
    int32_t at = x + 2 * even_low;
    int32_t *to = strip + even_low * PAIR_WORDS;
    *next++ = mcu_find_fill(lane_of(p, rows, 0, at), lane_of(p, rows, 1, at), even_high - even_low, to);
    if (high > even_low) {
        const mcu_lane left = lane_of(p, rows, 2, at), right = lane_of(p, rows, 2, at + 1);
        *next++ = mcu_find_fill(left, right, high - even_low, to + 2);
    }
    at = x + 2 * low + 1;
    to = strip + low * PAIR_WORDS;
    *next++ = mcu_find_fill(lane_of(p, rows, 0, at), lane_of(p, rows, 1, at), high - low, to + 1);
    if (even_low > low) {
        *next++ = mcu_find_fill(mcu_find_lane(p, NULL, 0, 0), lane_of(p, rows, 2, at), 1, to + 2);
    }
    if (even_high > high) {
        *next++ = mcu_find_fill(lane_of(p, rows, 2, x + end - 1), mcu_find_lane(p, NULL, 0, 0), 1,
                                strip + high * PAIR_WORDS + 2);
    }
    return (int32_t)(next - fills);
}

/* Four channels of a row, for any activation. */
static void any_channels(const mcu_depthwise_params *p, const int32_t *stream, const int32_t *strip,
                         int8_t *out, int32_t width) {
    for (int32_t i = 0; i < 4 * width; i++) {
        const int32_t *in = strip + (i >> 2) * PAIR_WORDS + (i & 3) * CHANNEL_WORDS;
        const int32_t *channel = stream + (i & 3) * STREAM_WORDS;
        int32_t sum = channel[5];
        sum = mcu_smlad(in[0], channel[0], sum);
        sum = mcu_smlad(in[1], channel[1], sum);
        sum = mcu_smlad(in[PAIR_WORDS], channel[2], sum);
        sum = mcu_smlad(in[2], channel[3], sum);
        sum = mcu_smlabb(in[PAIR_WORDS + 2], channel[4], sum);
        out[(i >> 2) * p->channels + (i & 3)] =
            mcu_depthwise_output(p, sum, (const mcu_scale *)(channel + 6));
    }
}

/* Where the outputs of a strip's first channel go, in bytes: the second to fourth of a block, 0 for those
 * that are not wanted, which are written first; all blocks one behind the other; then, unless 0, how far one
 * more block begins before their end, in the output and in the strip. */
typedef struct target {
    int8_t *out;
    int32_t offsets[BLOCK - 1];
    int32_t length;
    int32_t back;
    int32_t strip_back;
} target;

static void find_target(const mcu_depthwise_params *p, int8_t *out, int32_t width, target *to) {
    const int32_t left = width & (BLOCK - 1), missing = left != 0 && width > BLOCK ? BLOCK - left : 0;
    to->out = out;
    for (int32_t i = 1; i < BLOCK; i++) {
        to->offsets[i - 1] = i < width ? i * p->channels : 0;
    }
    to->length = width < BLOCK ? BLOCK * to->offsets[0] : (width - left) * p->channels;
    to->back = missing * p->channels;
    to->strip_back = missing * 4 * PAIR_WORDS;
}

#if MCU_TARGET
/* clang-format off */

/* Columns (0, 1) of an output in r2, r3 and row 2 of both in lr, added to the bias. */
#define WHOLE(sum, bias)                   \
    "smlad " sum ", r2, r8, " bias "\n\t"  \
    "smlad " sum ", r3, r9, " sum "\n\t"   \
    "smlad " sum ", lr, r11, " sum "\n\t"

/* Column 2 of the output before. */
#define REST(sum)                          \
    "smlad " sum ", r2, r10, " sum "\n\t"  \
    "smlabb " sum ", lr, r12, " sum "\n\t"

/* A pair of columns of the strip. */
#define LOAD(width, first, second, third)       \
    "ldr" width " r2, [r1, #" first "]\n\t"     \
    "ldr" width " r3, [r1, #" second "]\n\t"    \
    "ldr.w lr, [r1, #" third "]\n\t"            \

/* Four channels whose activation makes the sign of ties indifferent. r0 out, r1 strip, r2, r3 and lr loads, r4
 * to r7 the sums, r8 to r12 the weights; s0 to s2 the scale, s3 the bias, s4 to s6 offsets, s7 length, s8
 * back, s9 strip back, s10 stream, s11 strip, s12 out, s13 end, s14 back once more, s15 channel. */
#define CHANNELS(SCALE)                     \
    "push {r4-r11, lr}\n\t"                 \
    "ldm r2, {r3-r9}\n\t"                   \
    "mov.w r10, #4\n\t"                     \
    "vmov s12, r3\n\t"                      \
    "vmov s4, r4\n\t"                       \
    "vmov s5, r5\n\t"                       \
    "vmov s6, r6\n\t"                       \
    "vmov s7, r7\n\t"                       \
    "vmov s8, r8\n\t"                       \
    "vmov s9, r9\n\t"                       \
    "vmov s15, r10\n"                       \
    "0:\n\t"                                \
    "ldmia r0!, {r8-r12}\n\t"               \
    "ldmia r0!, {r4-r7}\n\t"                \
    "vmov s10, r0\n\t"                      \
    "vmov s3, r4\n\t"                       \
    "vmov s0, r5\n\t"                       \
    "vmov s1, r6\n\t"                       \
    "vmov s2, r7\n\t"                       \
    "vmov s11, r1\n\t"                      \
    "vmov r0, s12\n\t"                      \
    "vmov r4, s7\n\t"                       \
    "vmov r5, s8\n\t"                       \
    "adds r4, r4, r0\n\t"                   \
    "vmov s14, r5\n\t"                      \
    "vmov s13, r4\n\t"                      \
    ".balign 4\n"                           \
    "1:\n\t"                                \
    "vmov r4, s3\n\t"                       \
    LOAD(".n", "0", "4", "8")               \
    "mov.w r7, r4\n\t"                      \
    WHOLE("r4", "r4")                       \
    LOAD(".n", "48", "52", "56")            \
    WHOLE("r5", "r7")                       \
    REST("r4")                              \
    LOAD(".n", "96", "100", "104")          \
    WHOLE("r6", "r7")                       \
    REST("r5")                              \
    LOAD(".w", "144", "148", "152")         \
    WHOLE("r7", "r7")                       \
    REST("r6")                              \
    "ldr.w r2, [r1, #192]\n\t"              \
    "ldr.w lr, [r1, #200]\n\t"              \
    "adds r1, #192\n\t"                     \
    "vmov r3, s1\n\t"                       \
    REST("r7")                              \
    "vmov r2, s0\n\t"                       \
    SCALE                                   \
    "vmov lr, s6\n\t"                       \
    "vmov r3, s5\n\t"                       \
    "vmov r2, s4\n\t"                       \
    "strb.w r7, [r0, lr]\n\t"               \
    "strb r6, [r0, r3]\n\t"                 \
    "strb r5, [r0, r2]\n\t"                 \
    "vmov r3, s13\n\t"                      \
    "strb r4, [r0]\n\t"                     \
    "add r0, r0, r2, lsl #2\n\t"            \
    "cmp r0, r3\n\t"                        \
    "bne 1b\n\t"                            \
    "vmov r2, s14\n\t"                      \
    "cbz r2, 2f\n\t"                        \
    "vmov r4, s9\n\t"                       \
    "subs r0, r0, r2\n\t"                   \
    "subs r1, r1, r4\n\t"                   \
    "vmov r4, s4\n\t"                       \
    "movs r2, #0\n\t"                       \
    "add r3, r0, r4, lsl #2\n\t"            \
    "vmov s14, r2\n\t"                      \
    "vmov s13, r3\n\t"                      \
    "b 1b\n"                                \
    "2:\n\t"                                \
    "vmov r3, s15\n\t"                      \
    "vmov r2, s12\n\t"                      \
    "vmov r0, s10\n\t"                      \
    "vmov r1, s11\n\t"                      \
    "adds r2, r2, #1\n\t"                   \
    "adds r1, r1, #12\n\t"                  \
    "subs r3, r3, #1\n\t"                   \
    "vmov s12, r2\n\t"                      \
    "vmov s15, r3\n\t"                      \
    "bne 0b\n\t"                            \
    "pop {r4-r11, pc}\n\t"

#define CHANNELS_FUNCTION(name, SCALE)                                                                       \
    MCU_NAKED static void name(const int32_t *stream MCU_IN_REGISTER, const int32_t *strip MCU_IN_REGISTER, \
                               const target *to MCU_IN_REGISTER) {                                          \
        __asm__(CHANNELS(SCALE));                                                                            \
    }

CHANNELS_FUNCTION(channels_twice, MCU_SCALE_TWICE)
CHANNELS_FUNCTION(channels_once, MCU_SCALE_ONCE)

/* clang-format on */
#else

#define channels_twice NULL
#define channels_once NULL

#endif

/* Assembly for four channels of a strip. */
typedef void channels_function(const int32_t *stream, const int32_t *strip, const target *to);

static void convolve_channels(const mcu_depthwise_params *p, const int32_t *stream, const int32_t *strip,
                              const target *to, int32_t width, channels_function *assembly) {
    if (!MCU_TARGET || !(p->rectified || p->once)) {
        any_channels(p, stream, strip, to->out, width);
    } else {
        assembly(stream, strip, to);
    }
}

static void depthwise_3x3_s2(const mcu_depthwise_params *p, const mcu_rows *rows,
                             channels_function *assembly) {
    mcu_fill *const fills = mcu_fills(rows->scratch);
    int32_t *const strip = (int32_t *)rows->scratch + STRIP_AT;
    for (int32_t x = 0; x < rows->out_width; x += MCU_STRIP) {
        const int32_t left = rows->out_width - x;
        const int32_t width = left < MCU_STRIP ? left : MCU_STRIP;
        const int32_t pairs = (width > BLOCK ? width : BLOCK) + 1;
        const int32_t *stream = p->stream;
        target to;
        find_target(p, rows->out[0] + x * p->channels, width, &to);
        const int32_t count = begin_strip(p, rows, rows->in_x0 + 2 * x, 2 * pairs, strip, fills);
        for (int32_t channel = 0; channel < p->channels; channel += 4) {
            if (count != 0) {
                mcu_transpose_by_3(fills, count);
            }
            convolve_channels(p, stream, strip, &to, width, assembly);
            stream += 4 * STREAM_WORDS;
            to.out += 4;
        }
    }
    mcu_depthwise_clamp(p, rows);
}

void mcu_depthwise_3x3_s2(const void *params, const mcu_rows *rows) {
    depthwise_3x3_s2(params, rows, channels_twice);
}

void mcu_depthwise_3x3_s2_once(const void *params, const mcu_rows *rows) {
    depthwise_3x3_s2(params, rows, channels_once);
}
