/* The four functions that a C compiler may call on its own, also without a C library.
 *
 * Words at a time where both pointers are aligned alike, bytes otherwise. */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);
int memcmp(const void *a, const void *b, size_t size);

/* May alias anything, as a copy must. */
typedef uint32_t __attribute__((may_alias)) word;

#define MISALIGNMENT(pointer) ((uintptr_t)(pointer) & (sizeof(word) - 1u))

void *memcpy(void *restrict to, const void *restrict from, size_t size) {
    uint8_t *target = to;
    const uint8_t *source = from;
    if (MISALIGNMENT(target) == MISALIGNMENT(source)) {
        for (; size > 0 && MISALIGNMENT(target) != 0; --size) {
            *target++ = *source++;
        }
        for (; size >= sizeof(word); size -= sizeof(word)) {
            *(word *)target = *(const word *)source;
            target += sizeof(word);
            source += sizeof(word);
        }
    }
    for (; size > 0; --size) {
        *target++ = *source++;
    }
    return to;
}

void *memmove(void *to, const void *from, size_t size) {
    uint8_t *target = to;
    const uint8_t *source = from;
    if ((uintptr_t)target - (uintptr_t)source >= size) {
        return memcpy(to, from, size);
    }
    while (size > 0) {
        --size;
        target[size] = source[size];
    }
    return to;
}

void *memset(void *to, int value, size_t size) {
    uint8_t *target = to;
    const word pattern = (uint8_t)value * 0x01010101u;
    for (; size > 0 && MISALIGNMENT(target) != 0; --size) {
        *target++ = (uint8_t)value;
    }
    for (; size >= sizeof(word); size -= sizeof(word)) {
        *(word *)target = pattern;
        target += sizeof(word);
    }
    for (; size > 0; --size) {
        *target++ = (uint8_t)value;
    }
    return to;
}

int memcmp(const void *a, const void *b, size_t size) {
    const uint8_t *left = a;
    const uint8_t *right = b;
    for (size_t i = 0; i < size; ++i) {
        if (left[i] != right[i]) {
            return left[i] < right[i] ? -1 : 1;
        }
    }
    return 0;
}
