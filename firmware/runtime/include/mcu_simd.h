/* The DSP instructions that the kernels use, and the same in portable C for hosts.
 *
 * Names are those of the instructions. On the target each is one instruction; on a host the kernels
 * compile to ordinary C, so that they can be tested without a cross compiler. */
#ifndef MCU_SIMD_H
#define MCU_SIMD_H

#include <stdint.h>

/* Memory accesses of any alignment that may alias anything. */
static inline int32_t mcu_load32(const void *from) {
    int32_t word;
    __builtin_memcpy(&word, from, sizeof word);
    return word;
}

static inline void mcu_store32(void *to, int32_t word) {
    __builtin_memcpy(to, &word, sizeof word);
}

static inline void mcu_store16(void *to, int32_t value) {
    const int16_t half = (int16_t)value;
    __builtin_memcpy(to, &half, sizeof half);
}

/* Sums that wrap, as the target's registers do. */
static inline int32_t mcu_add(int32_t a, int32_t b) {
    return (int32_t)((uint32_t)a + (uint32_t)b);
}

static inline int32_t mcu_sub(int32_t a, int32_t b) {
    return (int32_t)((uint32_t)a - (uint32_t)b);
}

static inline int32_t mcu_shift_left(int32_t a, int32_t bits) {
    return (int32_t)((uint32_t)a << bits);
}

#ifdef __ARM_FEATURE_DSP

#define MCU_SIMD_2(name, instruction)                                                                        \
    static inline int32_t name(int32_t a, int32_t b) {                                                       \
        int32_t result;                                                                                      \
        __asm__(instruction : "=r"(result) : "r"(a), "r"(b));                                                \
        return result;                                                                                       \
    }
#define MCU_SIMD_3(name, instruction)                                                                        \
    static inline int32_t name(int32_t a, int32_t b, int32_t c) {                                            \
        int32_t result;                                                                                      \
        __asm__(instruction : "=r"(result) : "r"(a), "r"(b), "r"(c));                                        \
        return result;                                                                                       \
    }

MCU_SIMD_3(mcu_smlad, "smlad %0, %1, %2, %3")
MCU_SIMD_3(mcu_smlabb, "smlabb %0, %1, %2, %3")
MCU_SIMD_3(mcu_smlabt, "smlabt %0, %1, %2, %3")
MCU_SIMD_3(mcu_smlatb, "smlatb %0, %1, %2, %3")
MCU_SIMD_3(mcu_smlatt, "smlatt %0, %1, %2, %3")
MCU_SIMD_3(mcu_smlawb, "smlawb %0, %1, %2, %3")
MCU_SIMD_3(mcu_smlawt, "smlawt %0, %1, %2, %3")
MCU_SIMD_3(mcu_smmla, "smmla %0, %1, %2, %3")
MCU_SIMD_3(mcu_smmlar, "smmlar %0, %1, %2, %3")
MCU_SIMD_2(mcu_smmulr, "smmulr %0, %1, %2")
MCU_SIMD_2(mcu_pkhbt, "pkhbt %0, %1, %2, lsl #16")
MCU_SIMD_2(mcu_pkhtb, "pkhtb %0, %1, %2, asr #16")
MCU_SIMD_2(mcu_sxtab16, "sxtab16 %0, %1, %2")
MCU_SIMD_2(mcu_sxtab16_ror8, "sxtab16 %0, %1, %2, ror #8")
#undef MCU_SIMD_2
#undef MCU_SIMD_3

/* SSUB8 sets a flag for each byte that is not below the other's, SEL chooses by these flags. */
static inline int32_t mcu_max8(int32_t a, int32_t b) {
    int32_t result;
    __asm__("ssub8 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(result) : "r"(a), "r"(b) : "cc");
    return result;
}

static inline int32_t mcu_min8(int32_t a, int32_t b) {
    int32_t result;
    __asm__("ssub8 %0, %2, %1\n\tsel %0, %1, %2" : "=&r"(result) : "r"(a), "r"(b) : "cc");
    return result;
}

static inline int32_t mcu_sxtb16(int32_t a) {
    int32_t result;
    __asm__("sxtb16 %0, %1" : "=r"(result) : "r"(a));
    return result;
}

static inline int32_t mcu_sxtb16_ror8(int32_t a) {
    int32_t result;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(result) : "r"(a));
    return result;
}

static inline int32_t mcu_ssat8(int32_t a) {
    int32_t result;
    __asm__("ssat %0, #8, %1" : "=r"(result) : "r"(a));
    return result;
}

static inline int32_t mcu_ssat8_asr20(int32_t a) {
    int32_t result;
    __asm__("ssat %0, #8, %1, asr #20" : "=r"(result) : "r"(a));
    return result;
}

#else

static inline int32_t mcu_low(int32_t a) {
    return (int16_t)(a & 0xFFFF);
}

static inline int32_t mcu_high(int32_t a) {
    return a >> 16;
}

static inline int32_t mcu_pair(int32_t low, int32_t high) {
    return (int32_t)(((uint32_t)low & 0xFFFFU) | ((uint32_t)high << 16));
}

static inline int32_t mcu_smlabb(int32_t a, int32_t b, int32_t c) {
    return mcu_add(c, mcu_low(a) * mcu_low(b));
}

static inline int32_t mcu_smlabt(int32_t a, int32_t b, int32_t c) {
    return mcu_add(c, mcu_low(a) * mcu_high(b));
}

static inline int32_t mcu_smlatb(int32_t a, int32_t b, int32_t c) {
    return mcu_add(c, mcu_high(a) * mcu_low(b));
}

static inline int32_t mcu_smlatt(int32_t a, int32_t b, int32_t c) {
    return mcu_add(c, mcu_high(a) * mcu_high(b));
}

static inline int32_t mcu_smlad(int32_t a, int32_t b, int32_t c) {
    return mcu_smlatt(a, b, mcu_smlabb(a, b, c));
}

static inline int32_t mcu_smlawb(int32_t a, int32_t b, int32_t c) {
    return mcu_add(c, (int32_t)(((int64_t)a * mcu_low(b)) >> 16));
}

static inline int32_t mcu_smlawt(int32_t a, int32_t b, int32_t c) {
    return mcu_add(c, (int32_t)(((int64_t)a * mcu_high(b)) >> 16));
}

static inline int32_t mcu_smmla(int32_t a, int32_t b, int32_t c) {
    return mcu_add(c, (int32_t)(((int64_t)a * b) >> 32));
}

static inline int32_t mcu_smmulr(int32_t a, int32_t b) {
    return (int32_t)(((int64_t)a * b + 0x80000000LL) >> 32);
}

static inline int32_t mcu_smmlar(int32_t a, int32_t b, int32_t c) {
    return mcu_add(c, mcu_smmulr(a, b));
}

static inline int32_t mcu_pkhbt(int32_t a, int32_t b) {
    return mcu_pair(a, b);
}

static inline int32_t mcu_pkhtb(int32_t a, int32_t b) {
    return mcu_pair(mcu_high(b), mcu_high(a));
}

static inline int32_t mcu_sxtb16(int32_t a) {
    return mcu_pair((int8_t)(a & 0xFF), (int8_t)((a >> 16) & 0xFF));
}

static inline int32_t mcu_sxtb16_ror8(int32_t a) {
    return mcu_sxtb16((int32_t)((uint32_t)a >> 8));
}

static inline int32_t mcu_sxtab16(int32_t a, int32_t b) {
    const int32_t wide = mcu_sxtb16(b);
    return mcu_pair(mcu_low(a) + mcu_low(wide), mcu_high(a) + mcu_high(wide));
}

static inline int32_t mcu_sxtab16_ror8(int32_t a, int32_t b) {
    return mcu_sxtab16(a, (int32_t)((uint32_t)b >> 8));
}

static inline int32_t mcu_ssat8(int32_t a) {
    return a < -128 ? -128 : a > 127 ? 127 : a;
}

static inline int32_t mcu_ssat8_asr20(int32_t a) {
    return mcu_ssat8(a >> 20);
}

static inline int32_t mcu_choose8(int32_t a, int32_t b, int greatest) {
    uint32_t result = 0;
    for (int32_t shift = 0; shift < 32; shift += 8) {
        const int8_t x = (int8_t)((a >> shift) & 0xFF);
        const int8_t y = (int8_t)((b >> shift) & 0xFF);
        const int8_t chosen = ((x > y) == (greatest != 0)) ? x : y;
        result |= (uint32_t)(uint8_t)chosen << shift;
    }
    return (int32_t)result;
}

static inline int32_t mcu_max8(int32_t a, int32_t b) {
    return mcu_choose8(a, b, 1);
}

static inline int32_t mcu_min8(int32_t a, int32_t b) {
    return mcu_choose8(a, b, 0);
}

#endif

/* Four bytes from the low bytes of four registers, the first lowest. */
static inline int32_t mcu_pack4(int32_t a, int32_t b, int32_t c, int32_t d) {
#ifdef __ARM_FEATURE_DSP
    __asm__("bfi %0, %1, #8, #8\n\t"
            "bfi %0, %2, #16, #8\n\t"
            "bfi %0, %3, #24, #8"
            : "+&r"(a)
            : "r"(b), "r"(c), "r"(d));
    return a;
#else
    const uint32_t low = ((uint32_t)a & 0xFFU) | (((uint32_t)b & 0xFFU) << 8);
    const uint32_t high = ((uint32_t)c & 0xFFU) | (((uint32_t)d & 0xFFU) << 8);
    return (int32_t)(low | (high << 16));
#endif
}

#endif
