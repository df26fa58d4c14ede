/* Padding of rows and columns with the zero point, where it could not be folded into a convolution.
 *
 * No scratch. About two cycles an element. */
#include "mcu_kernels.h"

#include <stddef.h>

void mcu_pad(const void *params, const mcu_rows *rows) {
    const mcu_pad_params *p = params;
    const int8_t *row = rows->in[0];
    int8_t *out = rows->out[0];
    for (int32_t x = rows->in_x0; x < rows->in_x0 + rows->out_width; x++) {
        const int8_t *pixel = row != NULL && x >= 0 && x < rows->in_width ? row + x * p->channels : NULL;
        for (int32_t c = 0; c < p->channels; c++) {
            *out++ = pixel != NULL ? pixel[c] : (int8_t)p->zero_point;
        }
    }
}
