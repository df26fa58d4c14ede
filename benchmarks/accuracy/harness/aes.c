/* One AES function on one block or key: counts its call by DWT CYCCNT, the second time, less one cycle, and
 * compares what it computed with FIPS 197, appendix C. The build defines FUNCTION, KEY_BITS and OPERATION. */
#include "counted.h"

#include <stddef.h>
#include <stdint.h>

#define ENCRYPT 1
#define DECRYPT 2
#define SET_KEY 3

#define BLOCK 16
#define ROUNDS (KEY_BITS / 32 + 6)
#define KEY_BYTES (KEY_BITS / 8)
#define SCHEDULE_BYTES (BLOCK * (ROUNDS + 1))

extern uint8_t AES_sbox[256];

#if OPERATION == SET_KEY
void FUNCTION(uint8_t *schedule, const uint8_t *key);
#else
void FUNCTION(const uint8_t *schedule, const uint8_t *from, uint8_t *to, size_t rounds);
#endif

static uint8_t key[32] __attribute__((aligned(8)));
static uint8_t plain[BLOCK] __attribute__((aligned(8)));
static uint8_t found[SCHEDULE_BYTES] __attribute__((aligned(8)));
static uint8_t schedule[SCHEDULE_BYTES] __attribute__((aligned(8)));

static const uint8_t cipher_text[BLOCK] __attribute__((aligned(8))) = {
#if KEY_BITS == 128
    0x69, 0xc4, 0xe0, 0xd8, 0x6a, 0x7b, 0x04, 0x30, 0xd8, 0xcd, 0xb7, 0x80, 0x70, 0xb4, 0xc5, 0x5a,
#elif KEY_BITS == 192
    0xdd, 0xa9, 0x7c, 0xa4, 0x86, 0x4c, 0xdf, 0xe0, 0x6e, 0xaf, 0x70, 0xa0, 0xec, 0x0d, 0x71, 0x91,
#else
    0x8e, 0xa2, 0xb7, 0xca, 0x51, 0x67, 0x45, 0xbf, 0xea, 0xfc, 0x49, 0x90, 0x4b, 0x49, 0x60, 0x89,
#endif
};

static uint8_t twice(uint8_t value) {
    return (uint8_t)(value << 1 ^ (value >> 7) * 0x1b);
}

/* Key expansion, FIPS 197, 5.2. */
static void expand_key(void) {
    uint8_t constant = 1;
    for (int i = 0; i < SCHEDULE_BYTES; i++) {
        if (i < KEY_BYTES) {
            schedule[i] = key[i];
            continue;
        }
        const int word = i / 4 * 4;
        uint8_t before = schedule[i - 4];
        if (word % KEY_BYTES == 0) {
            before = AES_sbox[schedule[word - 4 + (i + 1) % 4]];
            if (i == word) {
                before ^= constant;
                constant = twice(constant);
            }
        } else if (KEY_BITS == 256 && word % KEY_BYTES == BLOCK) {
            before = AES_sbox[before];
        }
        schedule[i] = schedule[i - KEY_BYTES] ^ before;
    }
}

#if OPERATION == DECRYPT
/* Turn the schedule into that of the equivalent inverse cipher, FIPS 197, 5.3.5. */
static void invert_schedule(void) {
    for (int i = BLOCK; i < BLOCK * ROUNDS; i += 4) {
        uint8_t column[4];
        for (int row = 0; row < 4; row++) {
            column[row] = 0;
            for (int other = 0; other < 4; other++) {
                static const uint8_t factors[4] = {14, 11, 13, 9};
                uint8_t power = schedule[i + (row + other) % 4];
                for (uint8_t bits = factors[other]; bits != 0; bits >>= 1) {
                    column[row] ^= (uint8_t)((bits & 1) * power);
                    power = twice(power);
                }
            }
        }
        for (int row = 0; row < 4; row++) {
            schedule[i + row] = column[row];
        }
    }
}
#endif

static int differs(const uint8_t *expected, int size) {
    uint8_t difference = 0;
    for (int i = 0; i < size; i++) {
        difference |= found[i] ^ expected[i];
    }
    return difference != 0;
}

int main(void) {
    uint32_t spent = 0;
    for (int i = 0; i < 32; i++) {
        key[i] = (uint8_t)i;
    }
    for (int i = 0; i < BLOCK; i++) {
        plain[i] = (uint8_t)(i * 0x11);
    }
    expand_key();
#if OPERATION == DECRYPT
    invert_schedule();
#endif
    start_counter();
    for (int pass = 0; pass < 2; pass++) {
        const uint32_t before = DWT_CYCCNT;
#if OPERATION == ENCRYPT
        FUNCTION(schedule, plain, found, ROUNDS);
#elif OPERATION == DECRYPT
        FUNCTION(schedule, cipher_text, found, ROUNDS);
#else
        FUNCTION(found, key);
#endif
        spent = DWT_CYCCNT - before - 1;
    }
    report_cycles(spent);
#if OPERATION == ENCRYPT
    return differs(cipher_text, BLOCK);
#elif OPERATION == DECRYPT
    return differs(plain, BLOCK);
#else
    return differs(schedule, SCHEDULE_BYTES);
#endif
}
