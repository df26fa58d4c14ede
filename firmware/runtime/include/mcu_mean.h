/* The mean of int8 elements, rounded half away from zero as the reference does it by C division, by one
 * multiplication.
 *
 * The mean is floor(n / count), where n = sum + count / 2 and 1 less if the sum is negative and the count
 * even: then ties go downwards; of an odd count there are none. 128 count is added to n so that it is not
 * negative, which adds 128 to the quotient. m being 2^32 / count rounded up, the quotient is (n m) >> 32: n m
 * is too large by n (count m - 2^32) / count, less than 2^32 / count where n count < 2^32. With n < 256 count
 * that is so for up to 4096 elements. More are divided. */
#ifndef MCU_MEAN_H
#define MCU_MEAN_H

#include <stdint.h>

enum { MCU_MEAN_ELEMENTS = 4096 };

/* `multiplier`: m, or 0 where it would not do. `even`: 1 in both halves for an even count, or 0. */
typedef struct mcu_divisor {
    uint32_t multiplier;
    int32_t bias;
    int32_t even;
    int32_t count;
} mcu_divisor;

static inline mcu_divisor mcu_find_divisor(int32_t count) {
    mcu_divisor found = {0, 128 * count + count / 2, (count & 1) != 0 ? 0 : 0x00010001, count};
    if (count > 1 && count <= MCU_MEAN_ELEMENTS) {
        found.multiplier = 0xFFFFFFFFU / (uint32_t)count + 1;
    }
    return found;
}

static inline int8_t mcu_divide(int32_t sum, const mcu_divisor *by) {
    const int32_t numerator = sum + by->bias - (sum < 0 && by->even != 0);
    if (by->multiplier != 0) {
        return (int8_t)((int32_t)((uint64_t)(uint32_t)numerator * by->multiplier >> 32) - 128);
    }
    return (int8_t)(numerator / by->count - 128);
}

#endif
