/* The row kernels and their parameters. Layouts and ranges are stated in each kernel's own file. */
#ifndef MCU_KERNELS_H
#define MCU_KERNELS_H

#include "mcu_asm.h"
#include "mcu_requantise.h"
#include "mcusim_runtime.h"

/* Blocks of four outputs of one or two pixels (see gemm.c). On the target they are assembly that takes
 * nothing as C does. */
typedef struct mcu_gemm mcu_gemm;
#if MCU_TARGET
typedef void mcu_gemm_blocks_of_one(void);
typedef void mcu_gemm_blocks_of_pair(void);
#else
typedef void mcu_gemm_blocks_of_one(const mcu_gemm *gemm, const int32_t *x, int8_t *out);
typedef void mcu_gemm_blocks_of_pair(const mcu_gemm *gemm, const int32_t *x, int8_t *out0, int8_t *out1);
#endif
mcu_gemm_blocks_of_one mcu_one_twice, mcu_one_fine, mcu_one_coarse, mcu_one_sums;
mcu_gemm_blocks_of_pair mcu_pair_twice, mcu_pair_fine, mcu_pair_coarse, mcu_pair_sums;

/* A matrix of packed weights with its requantisation; the order of the first five fields is known to
 * assembly. */
struct mcu_gemm {
    const int32_t *stream;
    int32_t quads;    /* groups of four products per output */
    int32_t channels; /* outputs, that is channels per pixel */
    mcu_gemm_blocks_of_pair *pair;
    mcu_gemm_blocks_of_one *one;
    int32_t clamped; /* 1: the activation's range is narrower than int8 */
    int32_t act_min; /* the range's ends, in each of four bytes */
    int32_t act_max;
};

/* Widen `words` words of one pixel, or of two at once, for mcu_gemm_one or mcu_gemm_pair (see widen.c).
 * Returns the end of what was written. */
int32_t *mcu_widen_one(const int8_t *in, int32_t words, int32_t *x);
int32_t *mcu_widen_pair(const int8_t *in0, const int8_t *in1, int32_t words, int32_t *x);

/* Windows of two pixels: of each of `count` rows `words` words, from `first` bytes on and from `distance`
 * bytes behind that, into `x` one row behind the other (see widen.c); the order of fields is known to
 * assembly. */
typedef struct mcu_windows {
    int32_t *x;
    const int8_t *const *rows;
    int32_t count; /* at least 1 */
    int32_t first;
    int32_t distance;
    int32_t words;
} mcu_windows;
void mcu_widen_windows(const mcu_windows *windows);

/* Widen two 3x3 windows of three channels, from `first` bytes on in each of three rows, the other one
 * `distance` bytes behind it (see widen_nines.c). */
void mcu_widen_nines(const int8_t *const *rows, int32_t first, int32_t distance, int32_t *x);

/* Outputs of one pixel, or of two at once, from widened inputs, saturated to int8. */
void mcu_gemm_one(const mcu_gemm *gemm, const int32_t *x, int8_t *out);
void mcu_gemm_pair(const mcu_gemm *gemm, const int32_t *x, int8_t *out0, int8_t *out1);

/* Pairs of neighbouring pixels of a 1x1 convolution with whole blocks of channels: each is widened into `x`,
 * then multiplied; the order of fields is known to assembly. */
typedef struct mcu_pairs {
    const mcu_gemm *gemm;
    int32_t *x;
    int8_t *out;
    const int8_t *in;
    int32_t in_channels;
    int32_t count; /* at least 1 */
} mcu_pairs;
void mcu_gemm_pairs(const mcu_pairs *pairs);

/* Bring `count` outputs into a range, whose ends are given in each of four bytes. */
void mcu_clamp_row(int8_t *out, int32_t count, int32_t act_min, int32_t act_max);

typedef struct mcu_conv_1x1_params {
    mcu_gemm gemm;
    int32_t in_channels;
} mcu_conv_1x1_params;

/* Sums that a convolution is added up in (see gemm_sums.c): what they begin with, and outputs from them. */
typedef struct mcu_sums_begin_params {
    const int32_t *biases;
    int32_t words; /* of a pixel's sums */
} mcu_sums_begin_params;

typedef struct mcu_sums_end_params {
    const int32_t *scales;
    int32_t channels;
    int32_t shift; /* of one rounding, or 0 */
    int32_t clamped;
    int32_t act_min; /* in each of four bytes */
    int32_t act_max;
} mcu_sums_end_params;

typedef struct mcu_conv_params {
    mcu_gemm gemm;
    int32_t in_channels;
    int32_t kernel_h;
    int32_t kernel_w;
    int32_t stride_w;
    int32_t run_words;  /* words read of each row of a window */
    int32_t zero_point; /* of the input, in each of four bytes */
} mcu_conv_params;

/* Convolution, depthwise convolution or dense layer with nothing assumed. */
typedef struct mcu_conv_general_params {
    const int8_t *weights;
    const int32_t *bias;
    const int32_t *multipliers;
    const int32_t *shifts;
    int32_t in_channels;
    int32_t out_channels;
    int32_t kernel_h;
    int32_t kernel_w;
    int32_t stride_w;
    int32_t dilation_h;
    int32_t dilation_w;
    int32_t depth;         /* input channels that an output sees */
    int32_t group_outputs; /* outputs that see the same ones */
    int32_t in_zero_point;
    int32_t out_zero_point;
    int32_t act_min;
    int32_t act_max;
} mcu_conv_general_params;

typedef struct mcu_depthwise_params {
    const int32_t *stream;
    int32_t channels;
    int32_t zero_point; /* of the input, in each of four bytes */
    int32_t rectified;  /* 1: the activation ends at the output's zero point (see mcu_requantise.h) */
    int32_t once;       /* 1: for kernels that round once (see mcu_output_once) */
    int32_t clamped;    /* 1: the activation's range is narrower than int8 */
    int32_t act_min;    /* the range's ends, in each of four bytes */
    int32_t act_max;
} mcu_depthwise_params;

typedef struct mcu_depthwise_any_params {
    mcu_depthwise_params base;
    int32_t kernel_h;
    int32_t kernel_w;
    int32_t stride_w;
} mcu_depthwise_any_params;

/* `size`: rows and columns of the kernel. `columns`: those of the output for which a strip is built. */
typedef struct mcu_depthwise_planes_params {
    mcu_depthwise_params base;
    int32_t size;
    int32_t stride;
    int32_t columns;
} mcu_depthwise_planes_params;

/* `single`: which operand (1 or 2) is one pixel for all of the tensor, or 0. `sign2`: -1 for a difference. */
typedef struct mcu_add_exact_params {
    int32_t channels;
    int32_t single;
    int32_t zero_point1;
    int32_t multiplier1;
    int32_t shift1;
    int32_t zero_point2;
    int32_t multiplier2;
    int32_t shift2;
    int32_t sign2;
    int32_t out_zero_point;
    int32_t out_multiplier;
    int32_t out_shift;
    int32_t act_min;
    int32_t act_max;
} mcu_add_exact_params;

typedef struct mcu_add_channels_params {
    const int32_t *addends;
    int32_t channels;
    int32_t zero_point;
    int32_t multiplier;
    int32_t shift;
    int32_t sign;
    int32_t out_zero_point;
    int32_t out_multiplier;
    int32_t out_shift;
    int32_t act_min;
    int32_t act_max;
} mcu_add_channels_params;

typedef struct mcu_add_linear_params {
    int32_t channels;
    int32_t factor1;
    int32_t factor2;
    int32_t offset;
    int32_t clamped;
    int32_t act_min; /* in each of four bytes */
    int32_t act_max;
} mcu_add_linear_params;

typedef struct mcu_pool_params {
    int32_t channels;
    int32_t kernel_h;
    int32_t kernel_w;
    int32_t stride_w;
    int32_t clamped; /* 1: the activation's range is narrower than int8 */
    int32_t act_min; /* the range's ends, in each of four bytes */
    int32_t act_max;
} mcu_pool_params;

typedef struct mcu_softmax_params {
    int32_t channels;
    int32_t multiplier;
    int32_t shift;
    int32_t diff_min;
} mcu_softmax_params;

typedef struct mcu_log_softmax_params {
    int32_t channels;
    int32_t multiplier;
    int32_t shift;
    int32_t diff_min;
    int32_t reverse_multiplier;
    int32_t reverse_shift;
} mcu_log_softmax_params;

typedef struct mcu_pad_params {
    int32_t channels;
    int32_t zero_point;
} mcu_pad_params;

typedef struct mcu_mul_params {
    int32_t channels;
    int32_t single; /* which operand (1 or 2) is one pixel for all of the tensor, or 0 */
    int32_t zero_point1;
    int32_t zero_point2;
    int32_t multiplier;
    int32_t shift;
    int32_t out_zero_point;
    int32_t act_min;
    int32_t act_max;
} mcu_mul_params;

typedef struct mcu_mul_packed_params {
    int32_t channels;
    int32_t single;             /* as in mcu_mul_params */
    int32_t minus_zero_points1; /* the operand's zero point, negated, in both halfwords */
    int32_t minus_zero_points2;
    mcu_scale scale;
    int32_t clamped;
    int32_t act_min; /* in each of four bytes */
    int32_t act_max;
} mcu_mul_packed_params;

/* `rectified`: elements that are not negative are rescaled by the own pair instead (PRELU). */
typedef struct mcu_mul_channels_params {
    const int32_t *factors;
    int32_t channels;
    int32_t zero_point;
    int32_t multiplier;
    int32_t shift;
    int32_t rectified;
    int32_t own_multiplier;
    int32_t own_shift;
    int32_t out_zero_point;
    int32_t act_min;
    int32_t act_max;
} mcu_mul_channels_params;

typedef struct mcu_lookup_params {
    const int8_t *table;
    int32_t channels;
} mcu_lookup_params;

/* Over `count` elements that lie `inner` apart, of a tensor [outer][count][inner]. */
typedef struct mcu_mean_params {
    int32_t outer;
    int32_t count;
    int32_t inner;
    int32_t zero_points; /* the input's zero point times count */
    int32_t multiplier;
    int32_t shift;
    int32_t out_zero_point;
} mcu_mean_params;

typedef struct mcu_reduce_params {
    int32_t outer;
    int32_t count;
    int32_t inner;
} mcu_reduce_params;

/* Elements in up to three dimensions, the last one innermost; steps and offsets are bytes. */
typedef struct mcu_box {
    int32_t source; /* which input */
    int32_t target; /* which output */
    int32_t first_in;
    int32_t first_out;
    int32_t count[3];
    int32_t in_step[3];
    int32_t out_step[3];
} mcu_box;

typedef struct mcu_move_params {
    const int32_t *boxes; /* of mcu_box */
    int32_t count;
} mcu_move_params;

typedef struct mcu_shift_params {
    int32_t bytes;
} mcu_shift_params;

typedef struct mcu_resize_nearest_params {
    const int16_t *rows;    /* input row of every output row */
    const int16_t *columns; /* input column of every output column */
    int32_t in_width;
    int32_t out_height;
    int32_t out_width;
    int32_t channels;
} mcu_resize_nearest_params;

/* An output row or column that lies between two of the input; weight 0 to 1024 is that of the second. */
typedef struct mcu_between {
    int32_t first;
    int32_t second;
    int32_t weight;
} mcu_between;

typedef struct mcu_resize_bilinear_params {
    const int32_t *rows;    /* of mcu_between, one for every output row */
    const int32_t *columns; /* and for every output column */
    int32_t in_width;
    int32_t out_height;
    int32_t out_width;
    int32_t channels;
} mcu_resize_bilinear_params;

typedef struct mcu_transpose_conv_params {
    const int8_t *weights;
    const int32_t *bias;
    const int32_t *multipliers;
    const int32_t *shifts;
    int32_t in_height;
    int32_t in_width;
    int32_t in_channels;
    int32_t out_height;
    int32_t out_width;
    int32_t out_channels;
    int32_t kernel_h;
    int32_t kernel_w;
    int32_t stride_h;
    int32_t stride_w;
    int32_t pad_top;
    int32_t pad_left;
    int32_t in_zero_point;
    int32_t out_zero_point;
    int32_t act_min;
    int32_t act_max;
} mcu_transpose_conv_params;

mcu_row_kernel mcu_conv_1x1;
mcu_row_kernel mcu_conv;
mcu_row_kernel mcu_conv_general;
mcu_row_kernel mcu_sums_begin;
mcu_row_kernel mcu_sums_end;
mcu_row_kernel mcu_depthwise;
mcu_row_kernel mcu_depthwise_column;
mcu_row_kernel mcu_depthwise_general;
mcu_row_kernel mcu_depthwise_3x3_s1, mcu_depthwise_3x3_s1_once;
mcu_row_kernel mcu_depthwise_3x3_s2, mcu_depthwise_3x3_s2_once;
mcu_row_kernel mcu_depthwise_5x5_s1, mcu_depthwise_5x5_s1_once;
mcu_row_kernel mcu_depthwise_5x5_s2, mcu_depthwise_5x5_s2_once;
mcu_row_kernel mcu_depthwise_7x7_s1, mcu_depthwise_7x7_s1_once;
mcu_row_kernel mcu_depthwise_7x7_s2, mcu_depthwise_7x7_s2_once;
mcu_row_kernel mcu_add_exact;
mcu_row_kernel mcu_add_linear;
mcu_row_kernel mcu_mul;
mcu_row_kernel mcu_mul_packed;
mcu_row_kernel mcu_add_channels;
mcu_row_kernel mcu_mul_channels;
mcu_row_kernel mcu_lookup;
mcu_row_kernel mcu_average_pool;
mcu_row_kernel mcu_average_pool_row;
mcu_row_kernel mcu_mean_rows;
mcu_row_kernel mcu_max_pool;
mcu_row_kernel mcu_pad;
mcu_row_kernel mcu_softmax;
mcu_row_kernel mcu_log_softmax;

/* Kernels that see whole tensors: `in` of mcu_rows has the operator's inputs, and `out` its outputs, each by
 * the address of its first element, as if it were one row of pixels. */
mcu_row_kernel mcu_mean;
mcu_row_kernel mcu_reduce_max;
mcu_row_kernel mcu_move;
mcu_row_kernel mcu_shift;
mcu_row_kernel mcu_resize_nearest;
mcu_row_kernel mcu_resize_bilinear;
mcu_row_kernel mcu_transpose_conv;

#endif
