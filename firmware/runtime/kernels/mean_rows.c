/* Mean over all rows and columns of a tensor that comes row by row, of up to 255 columns.
 *
 * The scratch holds an int32 count of the rows that have come, which is 0 before the first one, and an int32
 * sum of every channel (mcu_row_sums.h). The call with the last row writes the output: of a tensor [1][count]
 * [channels], the sum less count times the zero point is requantised by a multiplier that contains the
 * division; rounding is that of mcu_requantise, as in mean.c.
 *
 * Bound: as average_pool_row.c. */
#include "mcu_requantise.h"
#include "mcu_row_sums.h"

static void write_means(const mcu_mean_params *p, const int32_t *sums, int8_t *out) {
    for (int32_t c = 0; c < p->inner; c++) {
        const int32_t value = mcu_requantise(sums[c] - p->zero_points, p->multiplier, p->shift);
        out[c] = (int8_t)mcu_clamp(value + p->out_zero_point, INT8_MIN, INT8_MAX);
    }
}

void mcu_mean_rows(const void *params, const mcu_rows *rows) {
    const mcu_mean_params *p = params;
    int32_t *count = rows->scratch;
    int32_t *sums = count + 1;
    mcu_add_row(rows, p->inner, *count, sums);
    if (++*count * rows->in_width == p->count) {
        write_means(p, sums, rows->out[0]);
    }
}
