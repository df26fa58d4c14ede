/* The inference runtime: row kernels, and the loop that drives them over buffers.
 *
 * Everything is int8, NHWC. A kernel knows rows only: it is handed pointers to input rows and writes
 * output rows. Where a row lives (full tensor, patch buffer, ring) is the driver's business, so every
 * schedule runs the same kernels. Nothing here allocates, and nothing needs a C library. */
#ifndef MCUSIM_RUNTIME_H
#define MCUSIM_RUNTIME_H

#include <stdint.h>

/* The most input rows one kernel call takes (a global pool over 25 rows, two 10-row windows, ...). */
#define MCU_MAX_ROWS 32

/* The most rows of one kernel call, of its input and its output together. */
#define MCU_MAX_CALL_ROWS 40

/* One call of a row kernel: `rows` (1, or up to the operator's rows_per_call) output rows of `out_width`
 * pixels each.
 *
 * in:       (rows - 1) * stride_h + kernel_h pointers, top to bottom. Each points at column 0 of a row
 *           of `in_width` pixels. NULL is a row of padding: every element is the input's zero point.
 * in2:      the second operand's rows (ADD, MUL), same geometry, or its only pixel for every row; NULL
 *           otherwise.
 * out:      `rows` pointers to the first output pixel of each row.
 * in_x0:    input column of the leftmost tap of the first output pixel; may be negative. Columns outside
 *           [0, in_width) are padding.
 * scratch:  the kernel's scratch, 8-byte aligned, as many bytes as the compiler planned for it.
 * Rows have no alignment. Element-wise kernels allow out == in or out == in2; others never write to a
 * row that they are handed as input. */
typedef struct mcu_rows {
    const int8_t *const *in;
    const int8_t *const *in2;
    int8_t *const *out;
    int32_t rows;
    int32_t in_width;
    int32_t in_x0;
    int32_t out_width;
    void *scratch;
} mcu_rows;

typedef void mcu_row_kernel(const void *params, const mcu_rows *rows);

/* An operator: its kernel, the kernel's constants, and the vertical and horizontal geometry the driver
 * needs. rows_per_call is 1, or more if the kernel produces several at once (the last call of a range may ask
 * for fewer). */
typedef struct mcu_op {
    mcu_row_kernel *kernel;
    const void *params;
    uint8_t kernel_h;
    uint8_t stride_h;
    uint8_t pad_top;
    uint8_t stride_w;
    uint8_t pad_left;
    uint8_t rows_per_call;
} mcu_op;

/* Part of a tensor in memory: rows [y0, y0 + height) and columns [x0, x0 + width) of it are meaningful.
 * Row y lives at base + ((y - y0) mod capacity) * pitch, which is in bytes. Rows and columns outside are
 * padding, so a view must hold everything that a consumer may read inside the tensor.
 * Rows may lie 1 << shift places apart, in the ring of another tensor of as many times the rows: then y0 and
 * height are places, and row y is at place (y << shift) - y0. */
typedef struct mcu_view {
    int8_t *base;
    int pitch : 24;
    unsigned shift : 8;
    int16_t y0;
    int16_t height;
    int16_t x0;
    int16_t width;
    int16_t channels;
    int16_t capacity;
} mcu_view;

/* Rows [y0, y1) and columns [x0, x1) of a tensor. */
typedef struct mcu_rect {
    int16_t y0;
    int16_t y1;
    int16_t x0;
    int16_t x1;
} mcu_rect;

/* Produce `rect` of the operator's output into `out` from `in` (and `in2`, or NULL; an `in2` of one pixel is
 * handed to the kernel as such for every row). */
void mcu_run(const mcu_op *op, const mcu_view *in, const mcu_view *in2, const mcu_view *out,
             const mcu_rect *rect, void *scratch);

#endif
