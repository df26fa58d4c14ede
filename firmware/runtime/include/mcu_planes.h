/* What depthwise kernels of five and seven rows and columns share: see depthwise_planes.c. */
#ifndef MCU_PLANES_H
#define MCU_PLANES_H

#include "mcu_asm.h"
#include "mcu_depthwise.h"

/* Outputs of a block, side by side. */
#define MCU_BLOCK 5

/* One block of outputs of the first of four channels: bytes to its weights and to its first words in the
 * strip, pairs of rows that it is made of, and bytes to its first output. No pairs: the list's end. */
typedef struct mcu_plane_block {
    int32_t weights;
    int32_t strip;
    int32_t pairs;
    int32_t out;
} mcu_plane_block;

/* Blocks of a call. Those whose window begins in the upper row of a pair come first, up to an end; then
 * those whose window begins in the lower row, up to another end: their weights are shifted by one row, and
 * `shifted` is where to put them, NULL if there are none. `pitch`: bytes from pair to pair in the strip.
 * `steps`: how far each of a block's last four outputs is from the one before; 0 for those that are not
 * wanted, which are written first. */
typedef struct mcu_plane_job {
    int32_t *shifted;
    int8_t *out;
    const mcu_plane_block *blocks;
    int32_t pitch;
    int32_t steps[MCU_BLOCK - 1];
} mcu_plane_job;

/* All blocks of four channels. */
typedef void mcu_plane_kernel(const int32_t *stream, const int32_t *strip, const mcu_plane_job *job);

/* Depthwise convolution by `kernel`. */
void mcu_depthwise_planes(const mcu_depthwise_planes_params *p, const mcu_rows *rows,
                          mcu_plane_kernel *kernel);

/* What a kernel of `size` rows and columns does, in portable C; `output` requantises. */
typedef int8_t mcu_plane_output(int32_t doubled, const mcu_scale *scale);
void mcu_plane_channels(const int32_t *stream, const int32_t *strip, const mcu_plane_job *job, int32_t size,
                        int32_t stride, mcu_plane_output *output);

#if MCU_TARGET
/* clang-format off */

/* The first four columns of a block. */
#define MCU_PRELOAD(first, second, third, fourth) \
    "ldr r3, [r1, #" first "]\n\t"                \
    "ldr r4, [r1, #" second "]\n\t"               \
    "ldr r5, [r1, #" third "]\n\t"                \
    "ldr r6, [r1, #" fourth "]\n\t"

/* One tap of five outputs, whose columns are x0 to x4; x4 is loaded. */
#define MCU_TAP(width, column, weight, x0, x1, x2, x3, x4) \
    "ldr" width " " x4 ", [r1, #" column "]\n\t"           \
    "ldr" width " r2, [r0, #" weight "]\n\t"           \
    "smlad r8, " x0 ", r2, r8\n\t"                         \
    "smlad r9, " x1 ", r2, r9\n\t"                         \
    "smlad r10, " x2 ", r2, r10\n\t"                       \
    "smlad r11, " x3 ", r2, r11\n\t"                       \
    "smlad r12, " x4 ", r2, r12\n\t"

#define MCU_PLANE_SCALE(acc, offset)              \
    "smmlar " acc ", " acc ", r0, " offset "\n\t" \
    "asr " acc ", " acc ", r2\n\t"                \
    "ssat " acc ", #8, " acc "\n\t"

#define MCU_PLANE_TWICE                 \
    "vmov r1, s1\n\t"                   \
    "vmov r0, s0\n\t"                   \
    "vmov r2, s2\n\t"                   \
    "add r3, r1, r8, asr #31\n\t"       \
    "add r4, r1, r9, asr #31\n\t"       \
    "add r5, r1, r10, asr #31\n\t"      \
    "add r6, r1, r11, asr #31\n\t"      \
    "add r7, r1, r12, asr #31\n\t"      \
    MCU_PLANE_SCALE("r8", "r3")         \
    MCU_PLANE_SCALE("r9", "r4")         \
    MCU_PLANE_SCALE("r10", "r5")        \
    MCU_PLANE_SCALE("r11", "r6")        \
    MCU_PLANE_SCALE("r12", "r7")

#define MCU_PLANE_SCALE_ONCE(acc)             \
    "smmla " acc ", " acc ", r0, r1\n\t"      \
    "ssat " acc ", #8, " acc ", asr #3\n\t"

#define MCU_PLANE_ONCE                  \
    "vmov r1, s1\n\t"                   \
    "vmov r0, s0\n\t"                   \
    MCU_PLANE_SCALE_ONCE("r8")          \
    MCU_PLANE_SCALE_ONCE("r9")          \
    MCU_PLANE_SCALE_ONCE("r10")         \
    MCU_PLANE_SCALE_ONCE("r11")         \
    MCU_PLANE_SCALE_ONCE("r12")

/* Weights of the next row of pairs, shifted by one row: the upper halves of the row before come first. */
#define MCU_SHIFT_IN(before, word) "orr " before ", " before ", " word ", lsl #16\n\t"
#define MCU_SHIFT_OUT(before, word) "lsr " before ", " word ", #16\n\t"

/* The body of an mcu_plane_kernel. `shift` puts the shifted weights at r1, if that is not 0, and leads r0 to
 * the stream's next channel; `taps` adds up one pair of rows, `weights` bytes of them; `scale` requantises.
 * r0 weights, r1 strip, r2 weight, r3 to r7 columns, r8 to r12 sums, lr pairs; s0 to s2 the scale, s3 the
 * bias, s4 pitch, s5 shifted, s6 weights, s7 strip, s8 the next channel's stream, s9 next block, s10 out, s11
 * channel, s12 the block's out, s13 blocks, s14 steps. */
#define MCU_PLANE_CHANNELS(shift, taps, weights, scale) \
    "push {r4-r11, lr}\n\t"             \
    "ldmia r2!, {r3-r6}\n\t"            \
    "movs r7, #4\n\t"                   \
    "vmov s5, r3\n\t"                   \
    "vmov s10, r4\n\t"                  \
    "vmov s13, r5\n\t"                  \
    "vmov s4, r6\n\t"                   \
    "vmov s14, r2\n\t"                  \
    "vmov s11, r7\n"                    \
    "0:\n\t"                            \
    "ldmia r0!, {r4-r7}\n\t"            \
    "vmov s7, r1\n\t"                   \
    "vmov r1, s5\n\t"                   \
    "vmov s3, r4\n\t"                   \
    "vmov s0, r5\n\t"                   \
    "vmov s1, r6\n\t"                   \
    "vmov s2, r7\n\t"                   \
    "vmov s6, r0\n\t"                   \
    shift                               \
    "vmov r2, s13\n\t"                  \
    "vmov s8, r0\n"                     \
    "1:\n\t"                            \
    "ldmia r2!, {r0, r1, r3, r4}\n\t"   \
    "vmov r5, s6\n\t"                   \
    "cmp r3, #0\n\t"                    \
    "beq.w 3f\n\t"                      \
    "vmov r6, s7\n\t"                   \
    "vmov r7, s10\n\t"                  \
    "vmov r8, s3\n\t"                   \
    "vmov s9, r2\n\t"                   \
    "adds r0, r0, r5\n\t"               \
    "adds r1, r1, r6\n\t"               \
    "adds r4, r4, r7\n\t"               \
    "mov lr, r3\n\t"                    \
    "vmov s12, r4\n\t"                  \
    "mov r9, r8\n\t"                    \
    "mov r10, r8\n\t"                   \
    "mov r11, r8\n\t"                   \
    "mov r12, r8\n\t"                   \
    ".balign 4\n"                       \
    "2:\n\t"                            \
    taps                                \
    "vmov r2, s4\n\t"                   \
    "adds r0, #" weights "\n\t"         \
    "adds r1, r1, r2\n\t"               \
    "subs lr, lr, #1\n\t"               \
    "bne 2b\n\t"                        \
    scale                               \
    "vmov r1, s14\n\t"                  \
    "vmov r0, s12\n\t"                  \
    "vmov r2, s9\n\t"                   \
    "ldm r1, {r3-r6}\n\t"               \
    "adds r3, r3, r0\n\t"               \
    "adds r4, r4, r3\n\t"               \
    "adds r5, r5, r4\n\t"               \
    "adds r6, r6, r5\n\t"               \
    "strb r12, [r6]\n\t"                \
    "strb r11, [r5]\n\t"                \
    "strb r10, [r4]\n\t"                \
    "strb r9, [r3]\n\t"                 \
    "strb r8, [r0]\n\t"                 \
    "b 1b\n"                            \
    "3:\n\t"                            \
    "vmov r3, s5\n\t"                   \
    "cmp r3, #0\n\t"                    \
    "beq 4f\n\t"                        \
    "vmov s6, r3\n\t"                   \
    "cmp r3, r5\n\t"                    \
    "bne 1b\n"                          \
    "4:\n\t"                            \
    "vmov r3, s11\n\t"                  \
    "vmov r2, s10\n\t"                  \
    "vmov r1, s7\n\t"                   \
    "vmov r0, s8\n\t"                   \
    "adds r2, r2, #1\n\t"               \
    "adds r1, r1, #4\n\t"               \
    "subs r3, r3, #1\n\t"               \
    "vmov s10, r2\n\t"                  \
    "vmov s11, r3\n\t"                  \
    "bne 0b\n\t"                        \
    "pop {r4-r11, pc}\n\t"

/* Columns a stride apart follow each other; a tap's column is the fifth of its outputs. */
#define MCU_WINDOW_1(width, column, weight) MCU_TAP(width, column, weight, "r3", "r4", "r5", "r6", "r7")
#define MCU_WINDOW_2(width, column, weight) MCU_TAP(width, column, weight, "r4", "r5", "r6", "r7", "r3")
#define MCU_WINDOW_3(width, column, weight) MCU_TAP(width, column, weight, "r5", "r6", "r7", "r3", "r4")
#define MCU_WINDOW_4(width, column, weight) MCU_TAP(width, column, weight, "r6", "r7", "r3", "r4", "r5")
#define MCU_WINDOW_5(width, column, weight) MCU_TAP(width, column, weight, "r7", "r3", "r4", "r5", "r6")

/* The first five columns of a kernel, stride 1. */
#define MCU_FIVE_TAPS                  \
    MCU_PRELOAD("0", "16", "32", "48") \
    MCU_WINDOW_1(".n", "64", "0")      \
    MCU_WINDOW_2(".n", "80", "4")      \
    MCU_WINDOW_3(".n", "96", "8")      \
    MCU_WINDOW_4(".n", "112", "12")    \
    MCU_WINDOW_5(".w", "128", "16")

#define MCU_PLANE_FUNCTION(name, size, stride, shift, taps, weights, SCALE, OUTPUT)                         \
    MCU_NAKED static void name(const int32_t *stream MCU_IN_REGISTER, const int32_t *strip MCU_IN_REGISTER, \
                               const mcu_plane_job *job MCU_IN_REGISTER) {                                  \
        __asm__(MCU_PLANE_CHANNELS(shift, taps, weights, SCALE));                                           \
    }

#else

#define MCU_PLANE_FUNCTION(name, size, stride, shift, taps, weights, SCALE, OUTPUT)                         \
    static void name(const int32_t *stream, const int32_t *strip, const mcu_plane_job *job) {               \
        mcu_plane_channels(stream, strip, job, size, stride, OUTPUT);                                       \
    }

#endif

/* The kernels of a size and stride, with two roundings and with one. */
#define MCU_PLANE_KERNELS(size, stride, shift, taps, weights)                                               \
    MCU_PLANE_FUNCTION(planes_##size##_s##stride##_twice, size, stride, shift, taps, weights,               \
                       MCU_PLANE_TWICE, mcu_output_twice)                                                   \
    MCU_PLANE_FUNCTION(planes_##size##_s##stride##_once, size, stride, shift, taps, weights,                \
                       MCU_PLANE_ONCE, mcu_output_once)                                                     \
    void mcu_depthwise_##size##x##size##_s##stride(const void *params, const mcu_rows *rows) {              \
        mcu_depthwise_planes(params, rows, planes_##size##_s##stride##_twice);                              \
    }                                                                                                       \
    void mcu_depthwise_##size##x##size##_s##stride##_once(const void *params, const mcu_rows *rows) {       \
        mcu_depthwise_planes(params, rows, planes_##size##_s##stride##_once);                               \
    }

/* clang-format on */

#endif
