/* The loop that drives a row kernel over a rectangle of its output. */
#include "mcusim_runtime.h"

#include <stddef.h>

/* The row's first column in the view's memory; NULL for a row outside it. */
__attribute__((always_inline)) static inline int8_t *view_row(const mcu_view *view, int32_t row) {
    int32_t place = row * (1 << view->shift) - view->y0;
    if (place < 0 || place >= view->height) {
        return NULL;
    }
    if (place >= view->capacity) {
        place %= view->capacity;
    }
    return view->base + place * view->pitch;
}

/* A row of the second operand. Kernels look at both operands from the same column on, but the views may
 * begin at different ones: `shift` is the column that the first one's memory begins with. A single pixel
 * stands for every row. */
static int8_t *operand_row(const mcu_view *view, int32_t row, int32_t shift) {
    if (view->height == 1 && view->width == 1) {
        return view->base;
    }
    return view_row(view, row) + (shift - view->x0) * view->channels;
}

void mcu_run(const mcu_op *op, const mcu_view *in, const mcu_view *in2, const mcu_view *out,
             const mcu_rect *rect, void *scratch) {
    /* Input rows from the start on, output rows up to the end; before these the second operand's, where there
     * is one: then an operator looks at one row of each for a row of output. */
    int8_t *in_rows[MCU_MAX_CALL_ROWS];
    int8_t **const out_rows = in_rows + MCU_MAX_CALL_ROWS - op->rows_per_call;
    int8_t **const in2_rows = out_rows - op->rows_per_call;
    const int32_t in_x0 = rect->x0 * op->stride_w - op->pad_left - in->x0;
    mcu_rows call = {
        .in = (const int8_t *const *)in_rows,
        .in2 = in2 != NULL ? (const int8_t *const *)in2_rows : NULL,
        .out = out_rows,
        .in_width = in->width,
        .in_x0 = in_x0,
        .out_width = rect->x1 - rect->x0,
        .scratch = scratch,
    };
    for (int32_t y = rect->y0; y < rect->y1; y += op->rows_per_call) {
        const int32_t left = rect->y1 - y;
        call.rows = left < op->rows_per_call ? left : op->rows_per_call;
        const int32_t top = y * op->stride_h - op->pad_top;
        const int32_t needed = (call.rows - 1) * op->stride_h + op->kernel_h;
        for (int32_t i = 0; i < needed; i++) {
            in_rows[i] = view_row(in, top + i);
        }
        for (int32_t i = 0; i < call.rows; i++) {
            out_rows[i] = view_row(out, y + i) + (rect->x0 - out->x0) * out->channels;
            if (in2 != NULL) {
                in2_rows[i] = operand_row(in2, y + i, rect->x0 - in_x0);
            }
        }
        op->kernel(op->params, &call);
    }
}
