"""Integer constants of the activations that are operators of their own, and of QUANTIZE.

Like ``quantise``, shared by the executor and the compiler; the rules are those of the reference's Prepare
functions, in whose precision (float32 here and there) the quotients are taken.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mcusim.errors import UnsupportedError
from mcusim.network.graph import Graph, Operator
from mcusim.network.quantise import (
    SoftmaxConstants,
    quantisation_of,
    quantise_multiplier,
    softmax_constants,
)

LOGISTIC_INTEGER_BITS = 4
"""Integer bits of the argument of LOGISTIC and TANH."""

GREATEST_INT16_SHIFT = 15
"""Right shifts that 16-bit arithmetic can do."""


@dataclass(frozen=True)
class LogisticConstants:
    """LOGISTIC and TANH: (in - in_zp) * multiplier * 2^(shift - 31) has four integer bits; from ``radius``
    on the output is saturated."""

    in_zp: int
    multiplier: int
    shift: int
    radius: int


@dataclass(frozen=True)
class HardSwishConstants:
    """HARD_SWISH in 16-bit arithmetic: ``output_*`` rescales 128 * (in - in_zp) to the output,
    ``reluish_*`` to where 3.0 is 32768; the mantissas have 15 fractional bits, exponents go left."""

    in_zp: int
    out_zp: int
    output_multiplier: int
    output_exponent: int
    reluish_multiplier: int
    reluish_exponent: int


@dataclass(frozen=True)
class SlopeConstants:
    """LEAKY_RELU and PRELU: in - in_zp is rescaled by the first pair if it is not negative, otherwise by
    the second, for PRELU after multiplication with alpha - alpha_zp (LEAKY_RELU: with 1)."""

    in_zp: int
    alpha_zp: int
    out_zp: int
    multiplier: int
    shift: int
    alpha_multiplier: int
    alpha_shift: int


@dataclass(frozen=True)
class RequantiseConstants:
    """QUANTIZE between integers: out = clamp(out_zp + requantise(in - in_zp, multiplier, shift))."""

    in_zp: int
    out_zp: int
    multiplier: int
    shift: int


@dataclass(frozen=True)
class LogSoftmaxConstants:
    """LOG_SOFTMAX: SOFTMAX's constants with beta 1, and the pair that divides by their multiplier."""

    scaling: SoftmaxConstants
    reverse_multiplier: int
    reverse_shift: int


def logistic_constants(graph: Graph, op: Operator) -> LogisticConstants:
    """Constants of LOGISTIC or TANH.

    Raises UnsupportedError for input scales below 2^-28, which the reference's shifts do not reach.
    """
    source = quantisation_of(graph.input_of(op))
    real = source.scale * (1 << (31 - LOGISTIC_INTEGER_BITS))
    if real >= 1 << 31:
        return LogisticConstants(source.zero_point, 0, 0, 0)
    multiplier, shift = quantise_multiplier(real)
    if shift < 0:
        raise UnsupportedError(f"operator {op.index} ({op.kind}) has the tiny input scale {source.scale:g}")
    limit = ((1 << LOGISTIC_INTEGER_BITS) - 1) << (31 - LOGISTIC_INTEGER_BITS)
    return LogisticConstants(source.zero_point, multiplier, shift, limit >> shift)


def hard_swish_constants(graph: Graph, op: Operator) -> HardSwishConstants:
    """Constants of HARD_SWISH.

    Raises UnsupportedError where the ratio of the scales is beyond 16-bit arithmetic.
    """
    source, result = quantisation_of(graph.input_of(op)), quantisation_of(graph.output_of(op))
    fine = np.float32(1 / 128) * np.float32(source.scale)
    reluish_scale = np.float32(3.0) / np.float32(32768.0)
    output_multiplier, output_exponent = quantise_multiplier(float(fine / np.float32(result.scale)))
    reluish_multiplier, reluish_exponent = quantise_multiplier(float(fine / reluish_scale))
    if output_exponent > 0 or min(output_exponent, reluish_exponent) < -GREATEST_INT16_SHIFT:
        raise UnsupportedError(f"operator {op.index} ({op.kind}) has scales beyond 16-bit arithmetic")
    return HardSwishConstants(
        in_zp=source.zero_point,
        out_zp=result.zero_point,
        output_multiplier=_to_int16(output_multiplier),
        output_exponent=output_exponent,
        reluish_multiplier=_to_int16(reluish_multiplier),
        reluish_exponent=reluish_exponent,
    )


def _to_int16(mantissa: int) -> int:
    """A mantissa of 31 fractional bits with 15 (DownScaleInt32ToInt16Multiplier)."""
    return min((mantissa + (1 << 15)) >> 16, (1 << 15) - 1)


def leaky_relu_constants(graph: Graph, op: Operator) -> SlopeConstants:
    """Constants of LEAKY_RELU; the quotients are taken in float32."""
    source, result = quantisation_of(graph.input_of(op)), quantisation_of(graph.output_of(op))
    in_scale, out_scale = np.float32(source.scale), np.float32(result.scale)
    multiplier, shift = quantise_multiplier(float(in_scale / out_scale))
    slope = in_scale * np.float32(op.attributes.alpha) / out_scale
    alpha_multiplier, alpha_shift = quantise_multiplier(float(slope))
    return SlopeConstants(
        in_zp=source.zero_point,
        alpha_zp=0,
        out_zp=result.zero_point,
        multiplier=multiplier,
        shift=shift,
        alpha_multiplier=alpha_multiplier,
        alpha_shift=alpha_shift,
    )


def prelu_constants(graph: Graph, op: Operator) -> SlopeConstants:
    """Constants of PRELU."""
    source, alpha = quantisation_of(graph.input_of(op)), quantisation_of(graph.input_of(op, 1))
    result = quantisation_of(graph.output_of(op))
    multiplier, shift = quantise_multiplier(source.scale / result.scale)
    alpha_multiplier, alpha_shift = quantise_multiplier(source.scale * alpha.scale / result.scale)
    return SlopeConstants(
        in_zp=source.zero_point,
        alpha_zp=alpha.zero_point,
        out_zp=result.zero_point,
        multiplier=multiplier,
        shift=shift,
        alpha_multiplier=alpha_multiplier,
        alpha_shift=alpha_shift,
    )


def requantise_constants(graph: Graph, op: Operator) -> RequantiseConstants:
    """Constants of a QUANTIZE from one integer tensor to another."""
    source, result = quantisation_of(graph.input_of(op)), quantisation_of(graph.output_of(op))
    multiplier, shift = quantise_multiplier(source.scale / result.scale)
    return RequantiseConstants(source.zero_point, result.zero_point, multiplier, shift)


def log_softmax_constants(graph: Graph, op: Operator) -> LogSoftmaxConstants:
    """Constants of LOG_SOFTMAX with scale 1/16 and zero point 127 at its output.

    The reverse pair is that of 2^(31 - shift) / multiplier (PreprocessLogSoftmaxScalingExp).
    """
    scaling = softmax_constants(graph, op)
    multiplier, shift = quantise_multiplier(math.ldexp(1.0, 31 - scaling.shift) / scaling.multiplier)
    return LogSoftmaxConstants(scaling, multiplier, shift)
