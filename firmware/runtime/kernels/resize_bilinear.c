/* Resizing by the mean of the four nearest pixels, weighted by distance with ten fractional bits.
 *
 * Sees whole tensors. The lowering says of every output row and column which two of the input it lies
 * between, and the weight of the second. Sums are exact in 32 bits and rounded half away from zero. No
 * scratch. About 25 cycles an element. */
#include "mcu_kernels.h"
#include "mcu_simd.h"

enum { FRACTION_BITS = 10, ONE = 1 << FRACTION_BITS };

static int8_t rounded(int32_t total) {
    const int32_t half = 1 << (2 * FRACTION_BITS - 1);
    return (int8_t)(total >= 0 ? (total + half) >> (2 * FRACTION_BITS)
                               : -((half - total) >> (2 * FRACTION_BITS)));
}

void mcu_resize_bilinear(const void *params, const mcu_rows *rows) {
    const mcu_resize_bilinear_params *p = params;
    const mcu_between *row = (const mcu_between *)(const void *)p->rows;
    const mcu_between *columns = (const mcu_between *)(const void *)p->columns;
    const int32_t channels = p->channels, pitch = p->in_width * channels;
    int8_t *out = rows->out[0];
    for (int32_t y = 0; y < p->out_height; y++, row++) {
        const int8_t *upper = rows->in[0] + row->first * pitch;
        const int8_t *lower = rows->in[0] + row->second * pitch;
        const int32_t down = row->weight, up = ONE - down;
        for (int32_t x = 0; x < p->out_width; x++) {
            const int32_t left = columns[x].first * channels, right = columns[x].second * channels;
            const int32_t weight = columns[x].weight;
            for (int32_t c = 0; c < channels; c++) {
                const int32_t before = upper[left + c] * up + lower[left + c] * down;
                const int32_t behind = upper[right + c] * up + lower[right + c] * down;
                *out++ = rounded(before * (ONE - weight) + behind * weight);
            }
        }
    }
}
