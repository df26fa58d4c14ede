/* Patch stages: operators that run for one patch of a stage's output after the other.
 *
 * Patches form a grid of rows and columns, and what a patch needs of a tensor is separable: one span of
 * rows per patch row and one span of columns per patch column. All patches share the same buffers and
 * the same code. */
#ifndef MCU_PATCH_H
#define MCU_PATCH_H

#include "mcusim_runtime.h"

/* Rows (or columns) first <= y < end of a tensor. */
typedef struct mcu_span {
    int16_t first;
    int16_t end;
} mcu_span;

/* A tensor of a patch stage. `rows` and `columns` hold one span per patch row and patch column. If
 * `height` is 0, `base` is a buffer that holds just the current patch; otherwise the whole tensor of
 * height x width pixels lies there (the stage's input and output). */
typedef struct mcu_patch_tensor {
    int8_t *base;
    const mcu_span *rows;
    const mcu_span *columns;
    int16_t height;
    int16_t width;
    int16_t channels;
} mcu_patch_tensor;

/* An operator of a patch stage; `in2` is NULL if it has one input. `merge`: both buffers hold the same
 * contiguous patch and the kernel does not care for borders, so that it may see one long row. */
typedef struct mcu_patch_step {
    const mcu_op *op;
    const mcu_patch_tensor *in;
    const mcu_patch_tensor *in2;
    const mcu_patch_tensor *out;
    int32_t merge;
} mcu_patch_step;

/* Run one operator for the patch in the given row and column of the grid. */
void mcu_run_patch(const mcu_patch_step *step, int32_t row, int32_t column, void *scratch);

#endif
