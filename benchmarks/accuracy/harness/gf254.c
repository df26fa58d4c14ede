/* One call of a function on GF(2^127) = GF(2)[z]/(z^127 + z^63 + 1) or on GF(2^254), which is that field with
 * u^2 = u + 1, compared with a plain computation. The build defines FUNCTION, WORDS (4 or 8, of 32 bits) and
 * OPERATION. */
#include <stdint.h>

#define MULTIPLY 1
#define SQUARE 2
#define INVERT 3

#define HALF 4
#define DEGREE 127
#define MIDDLE 63

#if OPERATION == MULTIPLY
void FUNCTION(uint32_t *to, const uint32_t *left, const uint32_t *right);
#else
void FUNCTION(uint32_t *to, const uint32_t *from);
#endif

static uint32_t left[WORDS];
static uint32_t right[WORDS];
static uint32_t found[WORDS];
static uint32_t expected[WORDS];

static int bit_of(const uint32_t *value, int place) {
    return value[place / 32] >> (place % 32) & 1;
}

static void flip(uint32_t *value, int place) {
    value[place / 32] ^= (uint32_t)1 << (place % 32);
}

/* Reduce a polynomial below z^256 in place: its upper half becomes zero. */
static void reduce(uint32_t *value) {
    for (int place = 64 * HALF - 1; place >= DEGREE; place--) {
        if (bit_of(value, place)) {
            flip(value, place);
            flip(value, place - DEGREE);
            flip(value, place - DEGREE + MIDDLE);
        }
    }
}

static void add(uint32_t *to, const uint32_t *from) {
    for (int i = 0; i < HALF; i++) {
        to[i] ^= from[i];
    }
}

/* to += product of x and y in GF(2^127) */
static void add_product(uint32_t *to, const uint32_t *x, const uint32_t *y) {
    uint32_t wide[2 * HALF] = {0};
    for (int i = 0; i < 32 * HALF; i++) {
        for (int j = 0; bit_of(x, i) && j < 32 * HALF; j++) {
            if (bit_of(y, j)) {
                flip(wide, i + j);
            }
        }
    }
    reduce(wide);
    add(to, wide);
}

static void expect(const uint32_t *x, const uint32_t *y) {
    add_product(expected, x, y);
#if WORDS > HALF
    add_product(expected, x + HALF, y + HALF);
    add_product(expected + HALF, x, y + HALF);
    add_product(expected + HALF, x + HALF, y);
    add_product(expected + HALF, x + HALF, y + HALF);
#endif
}

/* The measured code leaves bit 127, which stands for z^63 + 1. */
static void normalise(uint32_t *value) {
    uint32_t wide[2 * HALF] = {0};
    add(wide, value);
    reduce(wide);
    for (int i = 0; i < HALF; i++) {
        value[i] = wide[i];
    }
}

int main(void) {
    uint32_t state = 1;
    uint32_t difference = 0;
    for (int i = 0; i < WORDS; i++) {
        left[i] = state = state * 1664525u + 1013904223u;
        right[i] = state = state * 1664525u + 1013904223u;
    }
#if OPERATION == MULTIPLY
    FUNCTION(found, left, right);
    expect(left, right);
#elif OPERATION == SQUARE
    FUNCTION(found, left);
    expect(left, left);
#else
    FUNCTION(found, left);
    expect(left, found);
    for (int i = 0; i < WORDS; i++) {
        found[i] = i == 0;
    }
#endif
    for (int i = 0; i < WORDS; i += HALF) {
        normalise(found + i);
    }
    for (int i = 0; i < WORDS; i++) {
        difference |= found[i] ^ expected[i];
    }
    return difference != 0;
}
