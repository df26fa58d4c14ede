/* Sums of gemm_sums.c before anything is added: the biases, with the input's zero point folded in, of each
 * pixel of a row.
 *
 * `biases` has four words for each four channels, as they lie in the sums. The input is not looked at.
 *
 * Bound: a load and a store a word. */
#include "mcu_kernels.h"

void mcu_sums_begin(const void *params, const mcu_rows *rows) {
    const mcu_sums_begin_params *p = params;
    int8_t *out = rows->out[0];
    for (int32_t pixel = 0; pixel < rows->out_width; pixel++) {
        for (int32_t i = 0; i < p->words; i++) {
            mcu_store32(out, p->biases[i]);
            out += 4;
        }
    }
}
