#include "mcu_stream.h"

#include <stddef.h>

static int32_t rows_of(const mcu_stream_tensor *tensor) {
    return (tensor->view.height + tensor->view.y0) >> tensor->view.shift;
}

void mcu_run_rows(const mcu_stream_step *step, int32_t first, int32_t end, int32_t band, void *scratch) {
    const mcu_stream_tensor *out = &step->out[band];
    const mcu_rect rect = {(int16_t)first, (int16_t)end, out->columns.first, out->columns.end};
    const mcu_view *in2 = step->in2 != NULL ? &step->in2[band].view : NULL;
    mcu_run(step->op, &step->in[band].view, in2, &out->view, &rect, scratch);
}

/* The step that must run before `step` can make its rows up to `end`; -1 if it can. */
static int32_t find_lacking(const mcu_stream_step *step, int32_t end, const mcu_stream_state *state) {
    const mcu_op *op = step->op;
    int32_t needed = (end - 1) * op->stride_h - op->pad_top + op->kernel_h;
    const int32_t height = rows_of(step->in);
    if (needed > height) {
        needed = height;
    }
    if (step->maker >= 0 && state[step->maker].made < needed) {
        return step->maker;
    }
    return step->maker2 >= 0 && state[step->maker2].made < end ? step->maker2 : -1;
}

static void run_band(const mcu_stream_step *steps, int32_t count, int32_t band, mcu_stream_state *state) {
    const int32_t last = count - 1, height = rows_of(steps[last].out);
    int32_t depth = 0;
    for (int32_t i = 0; i < count; i++) {
        state[i].made = 0;
    }
    state[0].path = (int16_t)last;
    while (state[last].made < height) {
        const int32_t current = state[depth].path;
        const mcu_stream_step *step = &steps[current];
        const int32_t first = state[current].made;
        const int32_t rows = rows_of(step->out);
        const int32_t end = first + step->rows_at_once < rows ? first + step->rows_at_once : rows;
        const int32_t lacking = find_lacking(step, end, state);
        if (lacking >= 0) {
            depth++;
            state[depth].path = (int16_t)lacking;
            continue;
        }
        step->layer(first, end, band);
        state[current].made = (int16_t)end;
        depth -= depth > 0;
    }
}

void mcu_run_stream(const mcu_stream_step *steps, int32_t count, int32_t bands, mcu_stream_state *state) {
    for (int32_t band = 0; band < bands; band++) {
        run_band(steps, count, band, state);
    }
}
