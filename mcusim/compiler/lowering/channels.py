"""Channels of depthwise convolutions as their kernels read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcusim.compiler.lowering.gemm import bytes_of, clamping_fields
from mcusim.compiler.lowering.once import DEPTHWISE, Line
from mcusim.compiler.lowering.scaling import Scale
from mcusim.network.quantise import MatrixConstants

FILL_BYTES = 24
"""MCU_FILL_BYTES of ``mcu_depthwise.h``: an entry of the list of what fills a strip."""


@dataclass(frozen=True, eq=False)
class Channel:
    """A channel's weights [kernel_h, kernel_w], its bias, its scale, and the line that takes its place where
    outputs are rounded once."""

    kernel: NDArray[np.int64]
    bias: int
    scale: Scale
    line: Line | None = None

    @property
    def tail(self) -> tuple[int, int, int, int]:
        """What goes with the weights in every stream."""
        return self._tail(self.bias)

    def folded(self, zero_point: int) -> tuple[int, int, int, int]:
        """The same for inputs that come with their zero point."""
        return self._tail(0 if self.scale.constant else self.bias - zero_point * int(self.kernel.sum()))

    def _tail(self, bias: int) -> tuple[int, int, int, int]:
        if self.line is not None:
            lane = DEPTHWISE.low
            return lane.unit * bias + self.line.bias, self.line.multiplier, self.line.offset, lane.bits
        return 2 * bias, self.scale.multiplier, self.scale.offset, self.scale.exponent


def parameters(channels: Sequence[Channel], constants: MatrixConstants) -> str:
    """The initialiser of an ``mcu_depthwise_params``."""
    rectified = int(constants.act_min >= constants.out_zp)
    return (
        f"{{.stream = $stream, .channels = {len(channels)}, .zero_point = {bytes_of(constants.in_zp)}, "
        f".rectified = {rectified}, .once = {int(rounded_once(channels))}, "
        f"{clamping_fields(constants.act_min, constants.act_max)}}}"
    )


def rounded_once(channels: Sequence[Channel]) -> bool:
    """Whether outputs are rounded once, all of them."""
    return all(channel.line is not None for channel in channels)


def kernel_name(channels: Sequence[Channel], size: int, stride: int) -> str:
    """The kernel of ``size`` rows and columns that takes these channels."""
    return f"mcu_depthwise_{size}x{size}_s{stride}{'_once' if rounded_once(channels) else ''}"


def doubled_pair(low: int, high: int) -> int:
    """Two weights, doubled, as a word of int16."""
    return (2 * int(low) & 0xFFFF) | ((2 * int(high) & 0xFFFF) << 16)


def pack_any(channel: Channel, stride: int) -> list[int]:
    """Words of one channel for ``depthwise.c``: pairs of rows, of each the columns of each phase. Those of
    stride 1 are also those for ``depthwise_planes.c``."""
    missing = len(channel.kernel) % 2
    rows = np.concatenate([channel.kernel, np.zeros((missing, channel.kernel.shape[1]), np.int64)])
    words = [
        doubled_pair(upper, lower)
        for pair in range(0, len(rows), 2)
        for phase in range(min(stride, rows.shape[1]))
        for upper, lower in zip(rows[pair, phase::stride], rows[pair + 1, phase::stride], strict=True)
    ]
    return [*channel.tail, *words]
