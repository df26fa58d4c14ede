/* Average pooling over a whole tensor that comes row by row, of up to 255 columns.
 *
 * The scratch holds an int32 count of the rows that have come, which is 0 before the first one, and an int32
 * sum of every channel (mcu_row_sums.h). The call with the last row writes the output. Rounding is that of
 * mcu_mean.h.
 *
 * Bound: as average_pool.c, and for every row 4 loads and 4 stores of sums for four channels. */
#include "mcu_mean.h"
#include "mcu_row_sums.h"

static void write_means(const mcu_pool_params *p, const int32_t *sums, int8_t *out) {
    const mcu_divisor by = mcu_find_divisor(p->kernel_h * p->kernel_w);
    for (int32_t c = 0; c < p->channels; c++) {
        out[c] = mcu_divide(sums[c], &by);
    }
    if (p->clamped) {
        mcu_clamp_row(out, p->channels, p->act_min, p->act_max);
    }
}

void mcu_average_pool_row(const void *params, const mcu_rows *rows) {
    const mcu_pool_params *p = params;
    int32_t *count = rows->scratch;
    int32_t *sums = count + 1;
    mcu_add_row(rows, p->channels, *count, sums);
    if (++*count == p->kernel_h) {
        write_means(p, sums, rows->out[0]);
    }
}
