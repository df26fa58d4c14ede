/* Elements from one place to another: TRANSPOSE, CONCATENATION, SPLIT and STRIDED_SLICE.
 *
 * Sees whole tensors. The lowering describes what is to be done as a list of moves, each a box of up to three
 * dimensions with steps of its own in source and target; steps may be negative. No scratch. About 5 cycles an
 * element, 1.5 where both sides are contiguous. */
#include "mcu_kernels.h"
#include "mcu_simd.h"

static void move_run(const mcu_box *m, const int8_t *from, int8_t *to) {
    const int32_t in_step = m->in_step[2], out_step = m->out_step[2];
    int32_t left = m->count[2];
    if (in_step == 1 && out_step == 1) {
        for (; left >= 4; left -= 4) {
            mcu_store32(to, mcu_load32(from));
            from += 4;
            to += 4;
        }
    }
    for (; left > 0; left--) {
        *to = *from;
        from += in_step;
        to += out_step;
    }
}

void mcu_move(const void *params, const mcu_rows *rows) {
    const mcu_move_params *p = params;
    const mcu_box *m = (const mcu_box *)(const void *)p->boxes;
    for (const mcu_box *end = m + p->count; m < end; m++) {
        const int8_t *plane = rows->in[m->source] + m->first_in;
        int8_t *out_plane = rows->out[m->target] + m->first_out;
        for (int32_t i = 0; i < m->count[0]; i++) {
            for (int32_t j = 0; j < m->count[1]; j++) {
                move_run(m, plane + j * m->in_step[1], out_plane + j * m->out_step[1]);
            }
            plane += m->in_step[0];
            out_plane += m->out_step[0];
        }
    }
}
