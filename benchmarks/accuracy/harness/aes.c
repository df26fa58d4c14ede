/* One AES function on one block or key: counts its call by DWT CYCCNT, the second time, less one cycle, and
 * compares what it computed with FIPS 197, appendix C. The build defines FUNCTION, KEY_BITS and OPERATION. */
#include "counted.h"

#include <stddef.h>
#include <stdint.h>

#define ENCRYPT 1
#define DECRYPT 2
#define DECRYPT_PLAIN 3 /* with the schedule of encryption, not that of the equivalent inverse cipher */
#define SET_KEY 4
#define INVERT_KEY 5 /* from the schedule of encryption to that of the equivalent inverse cipher */

#define BLOCK 16
#define ROUNDS (KEY_BITS / 32 + 6)
#define KEY_BYTES (KEY_BITS / 8)
#define SCHEDULE_BYTES (BLOCK * (ROUNDS + 1))

/* Tables under the names that the measured code knows. In SRAM, as it asks for: computed at the start. */
uint8_t AES_sbox[256] __attribute__((aligned(8)));
uint8_t AES_inv_sbox[256] __attribute__((aligned(8)));
uint32_t AES_Te2[256] __attribute__((aligned(8)));
uint32_t AES_Td2[256] __attribute__((aligned(8)));

#if OPERATION == SET_KEY
void FUNCTION(uint8_t *schedule, const uint8_t *key);
#elif OPERATION == INVERT_KEY
void FUNCTION(uint8_t *schedule, size_t rounds);
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

/* Product in GF(2^8), FIPS 197, 4.2. */
static uint8_t times(uint8_t value, uint8_t factor) {
    uint8_t product = 0;
    for (; factor != 0; factor >>= 1) {
        product ^= (uint8_t)((factor & 1) * value);
        value = (uint8_t)(value << 1 ^ (value >> 7) * 0x1b);
    }
    return product;
}

/* S-box, FIPS 197, 5.1.1: inverses as the powers of 3 downwards against those upwards. */
static void make_tables(void) {
    uint8_t up = 1;
    uint8_t inverse = 1;
    do {
        uint8_t bits = inverse;
        uint8_t turned = inverse;
        for (int i = 0; i < 4; i++) {
            turned = (uint8_t)(turned << 1 | turned >> 7);
            bits ^= turned;
        }
        AES_sbox[up] = bits ^ 0x63;
        up = times(up, 3);
        inverse = times(inverse, 0xf6);
    } while (up != 1);
    AES_sbox[0] = 0x63;
    for (int i = 0; i < 256; i++) {
        const uint8_t sub = AES_sbox[i];
        AES_inv_sbox[sub] = (uint8_t)i;
        AES_Te2[i] = sub | (uint32_t)times(sub, 3) << 8 | (uint32_t)times(sub, 2) << 16 | (uint32_t)sub << 24;
        AES_Td2[sub] = times((uint8_t)i, 13) | (uint32_t)times((uint8_t)i, 11) << 8 |
                       (uint32_t)times((uint8_t)i, 14) << 16 | (uint32_t)times((uint8_t)i, 9) << 24;
    }
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
                constant = times(constant, 2);
            }
        } else if (KEY_BITS == 256 && word % KEY_BYTES == BLOCK) {
            before = AES_sbox[before];
        }
        schedule[i] = schedule[i - KEY_BYTES] ^ before;
    }
}

#if OPERATION == DECRYPT || OPERATION == INVERT_KEY
/* Turn the schedule into that of the equivalent inverse cipher, FIPS 197, 5.3.5. */
static void invert_schedule(void) {
    static const uint8_t factors[4] = {14, 11, 13, 9};
    for (int i = BLOCK; i < BLOCK * ROUNDS; i += 4) {
        uint8_t column[4] = {0};
        for (int row = 0; row < 4; row++) {
            for (int other = 0; other < 4; other++) {
                column[row] ^= times(schedule[i + (row + other) % 4], factors[other]);
            }
        }
        for (int row = 0; row < 4; row++) {
            schedule[i + row] = column[row];
        }
    }
}
#endif

#if OPERATION == INVERT_KEY
/* Not inline: the branch back keeps what its accesses wait for out of the count. */
__attribute__((noinline)) static void copy_schedule(void) {
    for (int i = 0; i < SCHEDULE_BYTES; i++) {
        found[i] = schedule[i];
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
    make_tables();
    expand_key();
#if OPERATION == DECRYPT
    invert_schedule();
#endif
    start_counter();
    for (int pass = 0; pass < 2; pass++) {
#if OPERATION == INVERT_KEY
        copy_schedule();
#endif
        const uint32_t before = DWT_CYCCNT;
#if OPERATION == ENCRYPT
        FUNCTION(schedule, plain, found, ROUNDS);
#elif OPERATION == DECRYPT || OPERATION == DECRYPT_PLAIN
        FUNCTION(schedule, cipher_text, found, ROUNDS);
#elif OPERATION == INVERT_KEY
        FUNCTION(found, ROUNDS);
#else
        FUNCTION(found, key);
#endif
        spent = DWT_CYCCNT - before - 1;
    }
    report_cycles(spent);
#if OPERATION == INVERT_KEY
    invert_schedule();
#endif
#if OPERATION == ENCRYPT
    return differs(cipher_text, BLOCK);
#elif OPERATION == DECRYPT || OPERATION == DECRYPT_PLAIN
    return differs(plain, BLOCK);
#else
    return differs(schedule, SCHEDULE_BYTES);
#endif
}
