/* Clamping of a finished row to the range of its activation, four bytes at a time, in place.
 *
 * For activations narrower than the saturated int8 that the kernels produce by themselves. About 1.5 cycles
 * an element. */
#include "mcu_kernels.h"
#include "mcu_simd.h"

void mcu_clamp_row(int8_t *out, int32_t count, int32_t act_min, int32_t act_max) {
    for (; count >= 4; count -= 4) {
        mcu_store32(out, mcu_min8(mcu_max8(mcu_load32(out), act_min), act_max));
        out += 4;
    }
    for (; count > 0; count--) {
        *out = (int8_t)mcu_min8(mcu_max8(*out, act_min), act_max);
        out++;
    }
}
