#include "mcu_stream.h"

#include <stddef.h>

static mcu_view view_of(const mcu_stream_tensor *tensor, int32_t band) {
    mcu_view view = {
        .base = tensor->base,
        .height = tensor->height,
        .width = tensor->width,
        .channels = tensor->channels,
        .capacity = tensor->capacity,
    };
    if (tensor->width == 0) {
        view.x0 = tensor->columns[band].first;
        view.width = (int16_t)(tensor->columns[band].end - view.x0);
    }
    return view;
}

void mcu_run_rows(const mcu_stream_step *step, int32_t first, int32_t end, int32_t band, void *scratch) {
    const mcu_view in = view_of(step->in, band);
    const mcu_view out = view_of(step->out, band);
    const mcu_span columns = step->out->columns[band];
    const mcu_rect rect = {(int16_t)first, (int16_t)end, columns.first, columns.end};
    mcu_view in2;
    if (step->in2 != NULL) {
        in2 = view_of(step->in2, band);
    }
    mcu_run(step->op, &in, step->in2 != NULL ? &in2 : NULL, &out, &rect, scratch);
}

/* The step that must run before `step` can make its rows up to `end`; -1 if it can. */
static int32_t find_lacking(const mcu_stream_step *step, int32_t end, const mcu_stream_state *state) {
    const mcu_op *op = step->op;
    int32_t needed = (end - 1) * op->stride_h - op->pad_top + op->kernel_h;
    if (needed > step->in->height) {
        needed = step->in->height;
    }
    if (step->maker >= 0 && state[step->maker].made < needed) {
        return step->maker;
    }
    return step->maker2 >= 0 && state[step->maker2].made < end ? step->maker2 : -1;
}

static void run_band(const mcu_stream_step *steps, int32_t count, int32_t band, mcu_stream_state *state) {
    const int32_t last = count - 1;
    int32_t depth = 0;
    for (int32_t i = 0; i < count; i++) {
        state[i].made = 0;
    }
    state[0].path = (int16_t)last;
    while (state[last].made < steps[last].out->height) {
        const int32_t current = state[depth].path;
        const mcu_stream_step *step = &steps[current];
        const int32_t first = state[current].made;
        const int32_t height = step->out->height;
        const int32_t end = first + step->rows_at_once < height ? first + step->rows_at_once : height;
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
