/* Compression of a polynomial of Kyber: counts the call of FUNCTION, for passes of COEFFICIENTS, and compares
 * its packed coefficients with round(2^BITS / 3329 x) modulo 2^BITS. */
#include "ticks.h"

#include <stddef.h>
#include <stdint.h>

#define N 256
#define Q 3329

void FUNCTION(uint8_t *to, const int16_t *from, size_t passes);

static int16_t coefficients[N] __attribute__((aligned(8)));
static uint8_t found[N * BITS / 8] __attribute__((aligned(8)));

static int differs(void) {
    int wrong = 0;
    for (int i = 0; i < N; i++) {
        const int32_t rounded = (2 * coefficients[i] * (1 << BITS) + Q + 2 * Q * (1 << BITS)) / (2 * Q);
        for (int bit = 0; bit < BITS; bit++) {
            const int place = i * BITS + bit;
            wrong |= (rounded >> bit & 1) != (found[place / 8] >> (place % 8) & 1);
        }
    }
    return wrong;
}

int main(void) {
    uint32_t state = 1;
    for (int i = 0; i < N; i++) {
        state = state * 1664525u + 1013904223u;
        coefficients[i] = (int16_t)((state >> 8) % Q) - Q / 2;
    }
    start_ticks();
    STEP(MEASURE, FUNCTION(found, coefficients, N / COEFFICIENTS));
    report_cycles(spent);
    return differs();
}
