/* Products in Z[x]/(x^256 + 1) by number-theoretic transforms, of 32 bits and of 32 with 16: counts the call
 * that the build names by MEASURE and compares both products with a plain one. */
#include "ticks.h"

#include "NTT.h"

#include <stdint.h>

#define NTT_32 1
#define NTT_16 2
#define NTT_16_LIGHT 3
#define REDUCE 4
#define MULTIPLY_32 5
#define MULTIPLY_16 6
#define MULTIPLY_32_16 7
#define CRT 8
#define INVERSE_32 9

static int16_t left[ARRAY_N] __attribute__((aligned(4)));
static int16_t right[ARRAY_N] __attribute__((aligned(4)));
static int32_t left_32[ARRAY_N];
static int32_t right_32[ARRAY_N];
static int32_t product_32[ARRAY_N];
static int16_t product_1[ARRAY_N] __attribute__((aligned(4)));
static int16_t product_2[ARRAY_N] __attribute__((aligned(4)));
static int16_t left_1[ARRAY_N] __attribute__((aligned(4)));
static int16_t found[ARRAY_N] __attribute__((aligned(4)));

/* Products are exact modulo 2^16 as long as none exceeds Q1 Q2 / 2. */
static int differs(void) {
    uint16_t difference = 0;
    for (int i = 0; i < ARRAY_N; i++) {
        int32_t sum = 0;
        for (int j = 0; j < ARRAY_N; j++) {
            sum += j <= i ? left[j] * right[i - j] : -left[j] * right[ARRAY_N + i - j];
        }
        difference |= (uint16_t)found[i] ^ (uint16_t)sum;
    }
    return difference != 0;
}

int main(void) {
    uint32_t state = 1;
    int wrong = 0;
    for (int i = 0; i < ARRAY_N; i++) {
        state = state * 1664525u + 1013904223u;
        left[i] = (int16_t)((state >> 16) % 8191) - 4095;
        right[i] = (int16_t)((state >> 8) % 11) - 5;
    }
    start_ticks();
    STEP(NTT_32, NTT_forward_32(left_32, (uint16_t *)left));
    STEP(NTT_32, NTT_forward_32(right_32, (uint16_t *)right));
    STEP(MULTIPLY_32, NTT_mul_32(product_32, left_32, right_32));
    STEP(INVERSE_32, NTT_inv_32((uint16_t *)found, product_32));
    wrong |= differs();
    STEP(NTT_16_LIGHT, NTT_forward2(product_2, (uint16_t *)right));
    STEP(MULTIPLY_32_16, NTT_mul_32x16_2(product_2, left_32, product_2));
    STEP(REDUCE, MOD_1(left_1, left_32));
    STEP(NTT_16, NTT_forward1(product_1, (uint16_t *)right));
    STEP(MULTIPLY_16, NTT_mul_16_1(product_1, left_1, product_1));
    STEP(CRT, solv_CRT(product_32, product_1, product_2));
    STEP(INVERSE_32, NTT_inv_32((uint16_t *)found, product_32));
    wrong |= differs();
    report_cycles(spent);
    return wrong;
}
