/* A low-pass filter over a block of samples: 32 taps, Q15 coefficients. */
#include "filter.h"

enum { TAPS = 32 };

static const int16_t coefficients[TAPS] = {
    -12,  -35,  -62, -76, -48, 52, 241, 520, 871, 1261, 1645, 1972, 2194, 2277, 2194, 1972,
    1645, 1261, 871, 520, 241, 52, -48, -76, -62, -35,  -12,  0,    0,    0,    0,    0,
};

static int16_t saturated(int32_t value) {
    return (int16_t)(value > INT16_MAX ? INT16_MAX : value < INT16_MIN ? INT16_MIN : value);
}

static __attribute__((noinline)) int16_t filtered(const int16_t *newest) {
    int32_t sum = 1 << 14;
    for (int tap = 0; tap < TAPS; ++tap) {
        sum += (int32_t)coefficients[tap] * newest[-tap];
    }
    return saturated(sum >> 15);
}

void filter_block(const int16_t *samples, int16_t *out, int count) {
    static int16_t history[TAPS - 1 + FILTER_BLOCK];
    for (int i = 0; i < TAPS - 1; ++i) {
        history[i] = history[i + FILTER_BLOCK];
    }
    for (int i = 0; i < count; ++i) {
        history[TAPS - 1 + i] = samples[i];
        out[i] = filtered(&history[TAPS - 1 + i]);
    }
}
