/* Allocation that does not fail: a simulator without memory cannot go on. */
#ifndef MCUSIM_ALLOCATE_H
#define MCUSIM_ALLOCATE_H

#include <stdint.h>
#include <stdlib.h>

static inline void *allocate_zeroed(size_t count, size_t size) {
    void *memory = calloc(count ? count : 1, size);
    if (!memory) {
        abort();
    }
    return memory;
}

static inline void *reallocate(void *memory, size_t count, size_t size) {
    if (size && count > SIZE_MAX / size) {
        abort();
    }
    void *grown = realloc(memory, count * size);
    if (!grown) {
        abort();
    }
    return grown;
}

#endif
