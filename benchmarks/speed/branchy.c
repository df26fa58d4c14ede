/* Short blocks and unpredictable branches: quicksort of pseudo-random words, then a state machine. */
#include <stdint.h>

enum { WORDS = 2048, ROUNDS = 60, LETTERS = 200000 };

static uint32_t words[WORDS];

static uint32_t next_random(uint32_t state) {
    return state * 1664525u + 1013904223u;
}

static void sort(uint32_t *first, uint32_t *last) {
    while (first < last) {
        uint32_t pivot = first[(last - first) / 2];
        uint32_t *low = first;
        uint32_t *high = last;
        while (low <= high) {
            while (*low < pivot)
                ++low;
            while (*high > pivot)
                --high;
            if (low <= high) {
                uint32_t kept = *low;
                *low++ = *high;
                *high-- = kept;
            }
        }
        sort(first, high);
        first = low;
    }
}

static uint32_t scan(uint32_t seed) {
    uint32_t state = 0;
    uint32_t found = 0;
    for (int i = 0; i < LETTERS; ++i) {
        seed = next_random(seed);
        uint32_t letter = seed >> 29;
        if (state == 0) {
            state = letter == 3 ? 1 : 0;
        } else if (state == 1) {
            state = letter == 5 ? 2 : letter == 3 ? 1 : 0;
        } else {
            found += letter & 1;
            state = letter > 5;
        }
    }
    return found;
}

int main(void) {
    uint32_t seed = 1;
    uint32_t wrong = 0;
    for (int round = 0; round < ROUNDS; ++round) {
        for (int i = 0; i < WORDS; ++i) {
            words[i] = seed = next_random(seed);
        }
        sort(words, words + WORDS - 1);
        for (int i = 1; i < WORDS; ++i) {
            wrong += words[i - 1] > words[i];
        }
    }
    return wrong != 0 || scan(seed) == 0;
}
