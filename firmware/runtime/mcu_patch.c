#include "mcu_patch.h"

#include <stddef.h>

static mcu_rect patch_of(const mcu_patch_tensor *tensor, int32_t row, int32_t column) {
    const mcu_span rows = tensor->rows[row];
    const mcu_span columns = tensor->columns[column];
    return (mcu_rect){rows.first, rows.end, columns.first, columns.end};
}

static mcu_view view_of(const mcu_patch_tensor *tensor, const mcu_rect *patch) {
    mcu_view view = {.base = tensor->base, .channels = tensor->channels};
    if (tensor->height > 0) {
        view.height = tensor->height;
        view.width = tensor->width;
    } else {
        view.y0 = patch->y0;
        view.x0 = patch->x0;
        view.height = (int16_t)(patch->y1 - patch->y0);
        view.width = (int16_t)(patch->x1 - patch->x0);
    }
    view.pitch = view.width * view.channels;
    view.capacity = view.height;
    return view;
}

/* A patch's view as one row of all its pixels, at the origin. */
static void merge_rows(mcu_view *view) {
    view->width = (int16_t)(view->width * view->height);
    view->x0 = 0;
    view->y0 = 0;
    view->height = 1;
    view->capacity = 1;
}

void mcu_run_patch(const mcu_patch_step *step, int32_t row, int32_t column, void *scratch) {
    const mcu_patch_tensor *const inputs[2] = {step->in, step->in2};
    mcu_view in[2];
    mcu_rect rect = patch_of(step->out, row, column);
    mcu_view out = view_of(step->out, &rect);
    for (int32_t i = 0; i < 2; ++i) {
        if (inputs[i] == NULL) {
            continue;
        }
        const mcu_rect patch = patch_of(inputs[i], row, column);
        in[i] = view_of(inputs[i], &patch);
        if (step->merge) {
            merge_rows(&in[i]);
        }
    }
    if (step->merge) {
        merge_rows(&out);
        rect = (mcu_rect){0, 1, 0, out.width};
    }
    mcu_run(step->op, &in[0], step->in2 != NULL ? &in[1] : NULL, &out, &rect, scratch);
}
