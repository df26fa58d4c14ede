/* A tensor to another place in the arena, which may overlap its old one in either direction: MOVE.
 *
 * Sees whole tensors, which begin at whole words. No scratch. About 1.1 cycles a byte. */
#include "mcu_kernels.h"

enum { BLOCK = 4 }; /* words that are read before any of them is written */

static void move_block(const int32_t *from, int32_t *to) {
    const int32_t a = from[0], b = from[1], c = from[2], d = from[3];
    to[0] = a;
    to[1] = b;
    to[2] = c;
    to[3] = d;
}

/* From the lower end, for a move to lower addresses. */
static void shift_down(const int8_t *from, int8_t *to, int32_t bytes) {
    const int32_t *words_from = (const int32_t *)(const void *)from;
    int32_t *words_to = (int32_t *)(void *)to;
    int32_t done = 0;
    for (; done <= bytes - 4 * BLOCK; done += 4 * BLOCK) {
        move_block(words_from, words_to);
        words_from += BLOCK;
        words_to += BLOCK;
    }
    for (; done < bytes; done++) {
        to[done] = from[done];
    }
}

/* From the upper end, for a move to higher addresses. */
static void shift_up(const int8_t *from, int8_t *to, int32_t bytes) {
    int32_t left = bytes;
    for (; left % (4 * BLOCK) != 0; left--) {
        to[left - 1] = from[left - 1];
    }
    const int32_t *words_from = (const int32_t *)(const void *)(from + left);
    int32_t *words_to = (int32_t *)(void *)(to + left);
    for (; left > 0; left -= 4 * BLOCK) {
        words_from -= BLOCK;
        words_to -= BLOCK;
        move_block(words_from, words_to);
    }
}

void mcu_shift(const void *params, const mcu_rows *rows) {
    const mcu_shift_params *p = params;
    const int8_t *from = rows->in[0];
    int8_t *to = rows->out[0];
    if (to < from) {
        shift_down(from, to, p->bytes);
    } else {
        shift_up(from, to, p->bytes);
    }
}
