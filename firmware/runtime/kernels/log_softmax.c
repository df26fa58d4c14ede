/* Logarithm of the softmax over the channels of each pixel, int8 out with scale 1/16 and zero point 127.
 *
 * The reference's fixed point: the sum of exponentials as softmax.c has it, its logarithm as Q5.26 by a
 * rational approximation around sqrt(sqrt(1/2)) (gemmlowp's log_x_for_x_greater_than_or_equal_to_1); every
 * step rounds (mcu_fixed_point.h). No scratch. About 150 cycles an element; rows are a few elements long. */
#include "mcu_fixed_point.h"
#include "mcu_kernels.h"

enum { SUM_INTEGER_BITS = 12, RESULT_BITS = 5, ACCUMULATOR_BITS = RESULT_BITS + 1, OUTPUT_BITS = 4 };

/* The power of two in a Q12.19 number, and a quarter more or less, with ACCUMULATOR_BITS integer bits. */
static int32_t power(int32_t exponent, int32_t quarters) {
    return exponent * (1 << (31 - ACCUMULATOR_BITS)) + quarters * (1 << (29 - ACCUMULATOR_BITS));
}

/* log(x) as Q5.26 for x >= 1 as Q12.19. */
static int32_t logarithm(int32_t x) {
    const int32_t log_2 = 1488522236, fourth_root = 1805811301, root = 1518500250; /* of 1/2 */
    const int32_t alpha_n = 117049297, alpha_d = 127690142, alpha_i = 1057819769, alpha_f = 638450708;
    const int32_t headroom_a = __builtin_clz((uint32_t)x) - 1;
    const int32_t scaled_a = mcu_doubling_high(mcu_shift_left(x, headroom_a), root);
    const int32_t ratio_a = mcu_saturating_shift_left(scaled_a, 1);
    const int32_t headroom_b = __builtin_clz((uint32_t)mcu_doubling_high(x, root)) - 1;
    const int32_t ratio_b = mcu_saturating_shift_left(x, headroom_b);
    const int32_t power_a = power(SUM_INTEGER_BITS - headroom_a - 1, 1);
    const int32_t power_b = power(SUM_INTEGER_BITS - headroom_b, -1);
    const int32_t r = ratio_a < ratio_b ? ratio_a : ratio_b;
    const int32_t p = (int32_t)(((int64_t)r + fourth_root + 1) >> 1);
    const int32_t q = 2 * (r - fourth_root);
    const int32_t square = mcu_doubling_high(q, q);
    const int32_t numerator =
        mcu_doubling_high(q, r) + mcu_doubling_high(mcu_doubling_high(q, square), alpha_n);
    const int32_t inner = alpha_i + q + mcu_doubling_high(alpha_d, square);
    const int32_t denominator = mcu_doubling_high(p, inner) + mcu_doubling_high(alpha_f, q);
    const int32_t fraction =
        mcu_doubling_high(mcu_divide_pot(numerator, ACCUMULATOR_BITS), mcu_reciprocal(denominator));
    const int32_t whole = mcu_doubling_high(power_a > power_b ? power_a : power_b, log_2);
    return mcu_saturating_shift_left(whole + fraction, 1);
}

static int32_t scaled(const mcu_log_softmax_params *p, int32_t difference) {
    return mcu_requantise(difference, p->multiplier, p->shift);
}

static void log_softmax_pixel(const mcu_log_softmax_params *p, const int8_t *in, int8_t *out) {
    int32_t greatest = INT8_MIN, sum = 0;
    for (int32_t c = 0; c < p->channels; c++) {
        greatest = in[c] > greatest ? in[c] : greatest;
    }
    for (int32_t c = 0; c < p->channels; c++) {
        if (in[c] - greatest >= p->diff_min) {
            sum += mcu_divide_pot(mcu_exp_of_negative(scaled(p, in[c] - greatest)), SUM_INTEGER_BITS);
        }
    }
    const int32_t log_sum = logarithm(sum);
    const int32_t representable =
        mcu_requantise(log_sum + INT32_MIN, p->reverse_multiplier, p->reverse_shift);
    const int32_t least = representable > p->diff_min - 1 ? representable : p->diff_min - 1;
    for (int32_t c = 0; c < p->channels; c++) {
        int32_t value = INT8_MIN;
        if (in[c] - greatest > least) {
            const int32_t log = mcu_sub(scaled(p, in[c] - greatest), log_sum);
            value = mcu_divide_pot(log, 31 - RESULT_BITS - OUTPUT_BITS) + INT8_MAX;
        }
        out[c] = (int8_t)mcu_clamp(value, INT8_MIN, INT8_MAX);
    }
}

void mcu_log_softmax(const void *params, const mcu_rows *rows) {
    const mcu_log_softmax_params *p = params;
    const int8_t *in = rows->in[0] + rows->in_x0 * p->channels;
    int8_t *out = rows->out[0];
    for (int32_t i = 0; i < rows->out_width; i++) {
        log_softmax_pixel(p, in, out);
        in += p->channels;
        out += p->channels;
    }
}
