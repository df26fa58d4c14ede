/* Streams: operators that advance together row by row. Of every tensor between them only the rows that
 * are still needed exist, in a ring. To make its next rows, the last operator first has every input made
 * up to the row that it needs, and so on upwards, so that nothing is made twice.
 *
 * A stage may run once for each of several vertical bands of its output; columns that two bands need are
 * then made in both. */
#ifndef MCU_STREAM_H
#define MCU_STREAM_H

#include "mcu_patch.h"

/* A tensor of a stream in one band, `columns` of it. The view is of a ring of as many rows as are needed at a
 * time, or of the whole tensor. Its y0 is at most 0, so that the tensor has (y0 + height) >> shift rows:
 * which row lies first in a ring does not matter. */
typedef struct mcu_stream_tensor {
    mcu_view view;
    mcu_span columns;
} mcu_stream_tensor;

/* Rows first <= y < end of an operator's output in one band. */
typedef void mcu_stream_layer(int32_t first, int32_t end, int32_t band);

/* An operator of a stream. Of every tensor there are as many descriptions as bands; `in2` is NULL if there is
 * one input. `maker` and `maker2` are the steps that make
 * the inputs, -1 for what is there before. `layer` makes rows, `rows_at_once` of them. */
typedef struct mcu_stream_step {
    const mcu_op *op;
    const mcu_stream_tensor *in;
    const mcu_stream_tensor *in2;
    const mcu_stream_tensor *out;
    mcu_stream_layer *layer;
    int8_t maker;
    int8_t maker2;
    uint8_t rows_at_once;
} mcu_stream_step;

/* What a stream knows of a step while it runs: rows made; and, unrelated, a place of the path of steps
 * from the last one upwards to the one that is wanted now. */
typedef struct mcu_stream_state {
    int16_t made;
    int16_t path;
} mcu_stream_state;

/* Run `count` steps, whose last makes the stream's output. */
void mcu_run_stream(const mcu_stream_step *steps, int32_t count, int32_t bands, mcu_stream_state *state);

/* Make rows of one step's output, all of whose inputs are there. */
void mcu_run_rows(const mcu_stream_step *step, int32_t first, int32_t end, int32_t band, void *scratch);

#endif
