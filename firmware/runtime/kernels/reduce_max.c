/* Greatest element over one dimension, or over neighbouring ones, of a whole tensor [outer][count][inner].
 *
 * Sees whole tensors. Four neighbours at a time by SSUB8 and SEL. No scratch. About 2 cycles an element, 5
 * where fewer than four lie beside each other. */
#include "mcu_kernels.h"
#include "mcu_simd.h"

static int32_t greatest(const int8_t *from, const mcu_reduce_params *p, int four) {
    int32_t result = (int32_t)0x80808080;
    for (int32_t n = p->count; n > 0; n--) {
        result = mcu_max8(result, four ? mcu_load32(from) : *from);
        from += p->inner;
    }
    return result;
}

void mcu_reduce_max(const void *params, const mcu_rows *rows) {
    const mcu_reduce_params *p = params;
    const int8_t *block = rows->in[0];
    int8_t *out = rows->out[0];
    for (int32_t i = 0; i < p->outer; i++) {
        int32_t c = 0;
        for (; c + 4 <= p->inner; c += 4) {
            mcu_store32(out + c, greatest(block + c, p, 1));
        }
        for (; c < p->inner; c++) {
            out[c] = (int8_t)(greatest(block + c, p, 0) & 0xFF);
        }
        block += p->count * p->inner;
        out += p->inner;
    }
}
