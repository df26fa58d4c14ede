/* Number-theoretic transforms of Dilithium: counts the call that the build names by MEASURE and compares a
 * product in Z_q[x]/(x^256 + 1), q = 8380417, with a plain one. */
#include "ticks.h"

#include <stdint.h>

#define NTT 1
#define INVERSE 2
#define POINTWISE 3

#define N 256
#define Q 8380417

void pqcrystals_dilithium_ntt(int32_t *p);
void pqcrystals_dilithium_invntt_tomont(int32_t *p);
void pqcrystals_dilithium_asm_pointwise_montgomery(int32_t *c, const int32_t *a, const int32_t *b);

static int32_t left[N];
static int32_t right[N];
static int32_t left_ntt[N];
static int32_t right_ntt[N];
static int32_t found[N];

static int differs(void) {
    int wrong = 0;
    for (int i = 0; i < N; i++) {
        int32_t sum = 0;
        for (int j = 0; j < N; j++) {
            sum += left[j] * (j <= i ? right[i - j] : -right[N + i - j]);
        }
        wrong |= (sum - found[i]) % Q != 0;
    }
    return wrong;
}

int main(void) {
    uint32_t state = 1;
    for (int i = 0; i < N; i++) {
        state = state * 1664525u + 1013904223u;
        left[i] = left_ntt[i] = (int32_t)((state >> 16) % 4095) - 2047;
        right[i] = right_ntt[i] = (int32_t)((state >> 8) % 11) - 5;
    }
    start_ticks();
    STEP(NTT, pqcrystals_dilithium_ntt(left_ntt));
    STEP(NTT, pqcrystals_dilithium_ntt(right_ntt));
    STEP(POINTWISE, pqcrystals_dilithium_asm_pointwise_montgomery(found, left_ntt, right_ntt));
    STEP(INVERSE, pqcrystals_dilithium_invntt_tomont(found));
    report_cycles(spent);
    return differs();
}
