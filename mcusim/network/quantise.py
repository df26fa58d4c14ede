"""Arithmetic of int8 networks, and the integer constants that each operator derives from its scales.

The rules are those of the TensorFlow Lite Micro reference kernels with double rounding (gemmlowp's
fixed point). The executor and the compiler both take their constants from here, so that a network means
the same on the host and in the firmware.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mcusim.errors import UnsupportedError
from mcusim.network.graph import Activation, Graph, Operator, Quantisation, Tensor

Int32Array = NDArray[np.int32]
Int64Array = NDArray[np.int64]

INT8_MIN = -128
INT8_MAX = 127
MAX_SHIFT = 31
ADD_LEFT_SHIFT = 20
"""Bits by which ADD widens its operands before it rescales them (tensorflow/lite/kernels/add.cc)."""

SOFTMAX_INTEGER_BITS = 5
"""Integer bits of the scaled difference that SOFTMAX exponentiates (Q5.26)."""


def quantise_multiplier(real: float) -> tuple[int, int]:
    """Write ``real`` >= 0 as mantissa * 2^(shift - 31), with the mantissa in [2^30, 2^31) or 0.

    A positive shift goes left. Below 2^-32 the pair is (0, 0), which is how dead channels are stored
    (QuantizeMultiplier in tensorflow/lite/kernels/internal/quantization_util.cc). Raises
    UnsupportedError from 2^31 on, where no 32-bit shift is left.
    """
    if real == 0.0:
        return 0, 0
    fraction, shift = math.frexp(real)
    mantissa = math.floor(fraction * (1 << 31) + 0.5)
    if mantissa == 1 << 31:
        mantissa >>= 1
        shift += 1
    if shift > MAX_SHIFT:
        raise UnsupportedError(f"scales in the ratio of {real:g} are beyond 32-bit arithmetic")
    if shift < -MAX_SHIFT:
        return 0, 0
    return mantissa, shift


def saturating_rounding_doubling_high_mul(a: ArrayLike, b: ArrayLike) -> Int64Array:
    """High word of 2*a*b for int32 values, rounded to nearest, ties upwards; int64 in int32's range.

    gemmlowp's nudge and truncating division equal the floor taken here: for a negative product
    (p + 1 - 2^30) / 2^31 towards zero is (p + 2^30) >> 31. Only (-2^31)^2 saturates.
    """
    product = np.asarray(a, np.int64) * np.asarray(b, np.int64)
    high: Int64Array = (product + (1 << 30)) >> 31
    return high.clip(max=(1 << 31) - 1)


def rounding_divide_by_pot(x: ArrayLike, exponent: ArrayLike) -> Int64Array:
    """x / 2^exponent to nearest, ties away from zero; exponents from 0 to 31."""
    value = np.asarray(x, np.int64)
    bits = np.asarray(exponent, np.int64)
    half = (np.int64(1) << bits) >> 1
    # Adding the sign (-1 for negatives) turns the tie of a negative value away from zero; with no bits
    # to drop there is no tie to turn.
    return (value + half + np.where(bits > 0, value >> 63, 0)) >> bits


def multiply_by_quantised_multiplier(x: ArrayLike, mantissa: ArrayLike, shift: ArrayLike) -> Int64Array:
    """x * mantissa * 2^(shift - 31) with both roundings of the reference; operands broadcast.

    The left shift wraps at 32 bits as the target's does.
    """
    amount = np.asarray(shift, np.int64)
    left = np.maximum(amount, 0)
    value = np.asarray(x, np.int64)
    if left.any():
        value = wrap_int32(value << left)
    return rounding_divide_by_pot(saturating_rounding_doubling_high_mul(value, mantissa), left - amount)


def wrap_int32(x: Int64Array) -> Int64Array:
    """The value that a 32-bit register keeps of ``x``."""
    return x.astype(np.int32).astype(np.int64)


def activation_range(activation: Activation, quantisation: Quantisation) -> tuple[int, int]:
    """Least and greatest int8 value of an output with this fused activation.

    The bound's quotient is taken in float32, as CalculateActivationRangeQuantized does.
    """
    scale = np.float32(quantisation.scale)
    zero_point = quantisation.zero_point

    def stored(real: float) -> int:
        quotient = float(np.float32(real) / scale)
        return zero_point + int(math.copysign(math.floor(abs(quotient) + 0.5), quotient))

    match activation:
        case Activation.NONE:
            return INT8_MIN, INT8_MAX
        case Activation.RELU:
            return max(INT8_MIN, stored(0.0)), INT8_MAX
        case Activation.RELU6:
            return max(INT8_MIN, stored(0.0)), min(INT8_MAX, stored(6.0))
        case Activation.RELU_N1_TO_1:
            return max(INT8_MIN, stored(-1.0)), min(INT8_MAX, stored(1.0))


def quantisation_of(tensor: Tensor) -> Quantisation:
    """The tensor's quantisation; raises UnsupportedError where it has none."""
    if tensor.quantisation is None:
        raise UnsupportedError(f"tensor {tensor.index} ({tensor.name}) has no quantisation")
    return tensor.quantisation


@dataclass(frozen=True, eq=False)
class MatrixConstants:
    """CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED.

    out = clamp(out_zp + requantise(bias + sum((in - in_zp) * weight), multiplier, shift)), where
    ``multipliers``, ``shifts`` and ``bias`` are int32 [output channels].
    """

    multipliers: Int32Array
    shifts: Int32Array
    bias: Int32Array
    in_zp: int
    out_zp: int
    act_min: int
    act_max: int


@dataclass(frozen=True)
class AddConstants:
    """ADD and SUB: each operand, less its zero point and shifted left by ``left_shift``, is rescaled by its
    own multiplier; the sum or difference is rescaled by the output's."""

    left_shift: int
    in1_zp: int
    in1_multiplier: int
    in1_shift: int
    in2_zp: int
    in2_multiplier: int
    in2_shift: int
    out_zp: int
    out_multiplier: int
    out_shift: int
    act_min: int
    act_max: int


@dataclass(frozen=True)
class MulConstants:
    """MUL: out = clamp(out_zp + requantise((in1 - in1_zp) * (in2 - in2_zp), multiplier, shift))."""

    in1_zp: int
    in2_zp: int
    out_zp: int
    multiplier: int
    shift: int
    act_min: int
    act_max: int


@dataclass(frozen=True)
class PoolConstants:
    """Pools: input and output share scale and zero point, so only the range remains."""

    act_min: int
    act_max: int


@dataclass(frozen=True)
class MeanConstants:
    """MEAN: out = clamp(out_zp + requantise(sum(in) - count * in_zp, multiplier, shift)), the division
    by ``count`` being part of the multiplier."""

    count: int
    in_zp: int
    out_zp: int
    multiplier: int
    shift: int


@dataclass(frozen=True)
class SoftmaxConstants:
    """SOFTMAX: difference to the row's maximum, times multiplier * 2^(shift - 31), is a Q5.26 exponent;
    differences below ``diff_min`` give the least output."""

    multiplier: int
    shift: int
    diff_min: int


def conv_constants(graph: Graph, op: Operator) -> MatrixConstants:
    """Constants of CONV_2D or DEPTHWISE_CONV_2D, one multiplier per output channel."""
    return _matrix_constants(graph, op, graph.output_of(op).shape[-1])


def fully_connected_constants(graph: Graph, op: Operator) -> MatrixConstants:
    """Constants of FULLY_CONNECTED; a single weight scale is repeated for every output."""
    return _matrix_constants(graph, op, graph.input_of(op, 1).shape[0])


def _matrix_constants(graph: Graph, op: Operator, channels: int) -> MatrixConstants:
    source = quantisation_of(graph.input_of(op))
    result = quantisation_of(graph.output_of(op))
    scales = quantisation_of(graph.input_of(op, 1)).scales
    pairs = [quantise_multiplier(source.scale * scale / result.scale) for scale in scales]
    if len(pairs) == 1:
        pairs = pairs * channels
    bias = graph.input_of(op, 2).data if len(op.inputs) > 2 else None
    if bias is None:
        bias = np.zeros(channels, np.int32)
    act_min, act_max = activation_range(op.attributes.activation, result)
    return MatrixConstants(
        multipliers=np.array([mantissa for mantissa, _ in pairs], np.int32),
        shifts=np.array([shift for _, shift in pairs], np.int32),
        bias=bias.astype(np.int32).reshape(-1),
        in_zp=source.zero_point,
        out_zp=result.zero_point,
        act_min=act_min,
        act_max=act_max,
    )


def add_constants(graph: Graph, op: Operator) -> AddConstants:
    """Constants of ADD or SUB: both operands are brought to twice the larger input scale."""
    first = quantisation_of(graph.input_of(op, 0))
    second = quantisation_of(graph.input_of(op, 1))
    result = quantisation_of(graph.output_of(op))
    common = 2.0 * max(first.scale, second.scale)
    in1_multiplier, in1_shift = quantise_multiplier(first.scale / common)
    in2_multiplier, in2_shift = quantise_multiplier(second.scale / common)
    out_multiplier, out_shift = quantise_multiplier(common / ((1 << ADD_LEFT_SHIFT) * result.scale))
    act_min, act_max = activation_range(op.attributes.activation, result)
    return AddConstants(
        left_shift=ADD_LEFT_SHIFT,
        in1_zp=first.zero_point,
        in1_multiplier=in1_multiplier,
        in1_shift=in1_shift,
        in2_zp=second.zero_point,
        in2_multiplier=in2_multiplier,
        in2_shift=in2_shift,
        out_zp=result.zero_point,
        out_multiplier=out_multiplier,
        out_shift=out_shift,
        act_min=act_min,
        act_max=act_max,
    )


def mul_constants(graph: Graph, op: Operator) -> MulConstants:
    """Constants of MUL."""
    first = quantisation_of(graph.input_of(op, 0))
    second = quantisation_of(graph.input_of(op, 1))
    result = quantisation_of(graph.output_of(op))
    multiplier, shift = quantise_multiplier(first.scale * second.scale / result.scale)
    act_min, act_max = activation_range(op.attributes.activation, result)
    return MulConstants(
        in1_zp=first.zero_point,
        in2_zp=second.zero_point,
        out_zp=result.zero_point,
        multiplier=multiplier,
        shift=shift,
        act_min=act_min,
        act_max=act_max,
    )


def pool_constants(graph: Graph, op: Operator) -> PoolConstants:
    """Constants of AVERAGE_POOL_2D and MAX_POOL_2D."""
    return PoolConstants(*activation_range(op.attributes.activation, quantisation_of(graph.output_of(op))))


def mean_constants(graph: Graph, op: Operator) -> MeanConstants:
    """Constants of MEAN over ``attributes.axes``.

    The count is divided out of the mantissa, which is first widened by as many bits as 64-bit
    arithmetic and the exponent leave room for (QuantizedMeanOrSum in the reference's reduce.h).
    """
    source = quantisation_of(graph.input_of(op))
    result = quantisation_of(graph.output_of(op))
    shape = graph.input_of(op).shape
    count = math.prod(shape[axis] for axis in op.attributes.axes)
    mantissa, shift = quantise_multiplier(source.scale / result.scale)
    widening = min(count.bit_length() - 1, 32, 31 + shift)
    return MeanConstants(
        count=count,
        in_zp=source.zero_point,
        out_zp=result.zero_point,
        multiplier=(mantissa << widening) // count,
        shift=shift - widening,
    )


def softmax_constants(graph: Graph, op: Operator) -> SoftmaxConstants:
    """Constants of SOFTMAX with scale 1/256 and zero point -128 at its output.

    ``diff_min`` is minus the greatest difference that still fits the Q5.26 format after the left shift
    (PreprocessSoftmaxScaling and CalculateInputRadius of the reference).
    """
    fractional_bits = 31 - SOFTMAX_INTEGER_BITS
    scale = quantisation_of(graph.input_of(op)).scale
    real = min(op.attributes.beta * scale * (1 << fractional_bits), (1 << 31) - 1.0)
    multiplier, shift = quantise_multiplier(real)
    radius = ((1 << SOFTMAX_INTEGER_BITS) - 1) * 2.0 ** (fractional_bits - shift)
    return SoftmaxConstants(multiplier=multiplier, shift=shift, diff_min=-math.floor(radius))
