/* What the depthwise kernels share. */
#ifndef MCU_DEPTHWISE_H
#define MCU_DEPTHWISE_H

#include "mcu_kernels.h"
#include "mcu_requantise.h"

#include <stddef.h>

/* Output columns for which a strip is built at once; bounds the scratch. */
#define MCU_STRIP 24

/* Words of the stream for one channel of a 3x3 kernel, stride 1 and stride 2. */
#define MCU_DEPTHWISE_3X3_WORDS 10

static inline int8_t mcu_depthwise_output(const mcu_depthwise_params *p, int32_t acc,
                                          const mcu_scale *scale) {
    return (int8_t)mcu_clamp(mcu_scale_apply(acc, scale), p->act_min, p->act_max);
}

#endif
