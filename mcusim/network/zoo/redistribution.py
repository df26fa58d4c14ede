"""Receptive-field redistribution (Lin et al., 2021, "MCUNetV2", arXiv 2110.15352, section 3.2).

What the patches of a first stage compute twice grows with the stage's receptive field. So windows and depth
are taken from the stage's blocks and given to those behind it, at the same work. How much goes where is not
published but for one network (see ``mobilenet_v2_rd``); here it is the rule of ``redistribute``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from mcusim.errors import UsageError
from mcusim.network.zoo.blocks import Block, Frame, Table, round_channels
from mcusim.network.zoo.registry import Parameter

REDISTRIBUTE = Parameter(
    "redistribute", 0, 0, 16, "moves the receptive field of this many first blocks behind them"
)

STAGE_KERNEL = 3
"""No window of the stage is larger."""
LARGEST_KERNEL = 7
MOST_NEW_BLOCKS = 3
"""That a row of the table gets."""


@dataclass(frozen=True)
class Place:
    """Where a block stands: height and width of its input, and its input's channels."""

    size: int
    channels: int


@dataclass(frozen=True)
class Redistribution:
    """``stage_blocks``: how many blocks the patch stage has now."""

    table: Table
    stage_blocks: int


def redistribute(table: Table, count: int, width: float, resolution: int) -> Redistribution:
    """``table`` with windows and depth of its first ``count`` blocks moved behind them.

    In the stage, blocks that repeat the one before them go, a first block without expansion gets a 1x1
    window, and no other window is larger than 3x3. The MACs that this saves buy repeated blocks of later
    rows, those that use most of them, and then larger windows from the last block backwards; never more
    than was saved.
    Raises UsageError if there are no blocks behind the stage.
    """
    if not 0 < count < len(table.blocks):
        raise UsageError(f"the patch stage can have 1 to {len(table.blocks) - 1} of the network's blocks")
    stage = tuple(_shrunk(table.blocks, table.frame, count))
    later = table.blocks[count:]
    budget = _macs(table.blocks, table.frame, width, resolution)
    later = _deepened(stage, later, table.frame, width, resolution, budget)
    later = _widened(stage, later, table.frame, width, resolution, budget)
    return Redistribution(replace(table, blocks=(*stage, *later)), len(stage))


def stage_end(table: Table, count: int, width: float) -> int:
    """Index of the last operator of the first ``count`` blocks."""
    operators = 1
    places = _places(table.blocks, table.frame, width, resolution=1)
    for block, place in itertools.islice(zip(table.blocks, places, strict=True), count):
        operators += 2 + _has_expansion(block) + 3 * (block.groups > 1)
        operators += block.stride == 1 and place.channels == round_channels(block.channels * width)
    return operators - 1


def _shrunk(blocks: Sequence[Block], frame: Frame, count: int) -> Iterator[Block]:
    channels = frame.first
    for block in blocks[:count]:
        if block.stride > 1 or block.channels != channels:
            is_plain = block.stride == 1 and not _has_expansion(block)
            yield replace(block, kernel=1 if is_plain else min(block.kernel, STAGE_KERNEL))
        channels = block.channels


def _deepened(
    stage: Sequence[Block],
    later: Sequence[Block],
    frame: Frame,
    width: float,
    resolution: int,
    budget: int,
) -> tuple[Block, ...]:
    """``later`` with up to ``MOST_NEW_BLOCKS`` copies of each row's last repeated block, such that as much
    as can be of ``budget`` MACs is used."""
    ends = [i for i in range(1, len(later)) if _repeats(later, i) and not _repeats(later, i + 1)]
    best, most = tuple(later), 0
    for copies in itertools.product(range(MOST_NEW_BLOCKS + 1), repeat=len(ends)):
        deeper = list(later)
        for end, number in reversed(list(zip(ends, copies, strict=True))):
            deeper[end:end] = [later[end]] * number
        macs = _macs((*stage, *deeper), frame, width, resolution)
        if most < macs <= budget:
            best, most = tuple(deeper), macs
    return best


def _widened(
    stage: Sequence[Block],
    later: Sequence[Block],
    frame: Frame,
    width: float,
    resolution: int,
    budget: int,
) -> tuple[Block, ...]:
    """``later`` with windows larger by 2 from the last block backwards, as often as ``budget`` MACs allow."""
    widest = list(later)
    for _ in range(3, LARGEST_KERNEL, 2):
        for i in reversed(range(len(widest))):
            larger = replace(widest[i], kernel=min(widest[i].kernel + 2, LARGEST_KERNEL))
            tried = (*stage, *widest[:i], larger, *widest[i + 1 :])
            if _macs(tried, frame, width, resolution) <= budget:
                widest[i] = larger
    return tuple(widest)


def _repeats(blocks: Sequence[Block], i: int) -> bool:
    """Whether block ``i`` has input and output of one shape, and one before it in ``blocks``."""
    return i < len(blocks) and blocks[i].stride == 1 and blocks[i].channels == blocks[i - 1].channels


def _has_expansion(block: Block) -> bool:
    return block.expansion > 1 or block.expand_always


def _macs(blocks: Sequence[Block], frame: Frame, width: float, resolution: int) -> int:
    """MACs of ``blocks`` alone; what stands before and behind them is always the same."""
    places = _places(blocks, frame, width, resolution)
    return sum(_block_macs(block, place, width) for block, place in zip(blocks, places, strict=True))


def _places(blocks: Sequence[Block], frame: Frame, width: float, resolution: int) -> Iterator[Place]:
    size, channels = math.ceil(resolution / 2), round_channels(frame.first * width)
    for block in blocks:
        yield Place(size, channels)
        size, channels = math.ceil(size / block.stride), round_channels(block.channels * width)


def _block_macs(block: Block, place: Place, width: float) -> int:
    middle = place.channels * block.expansion
    out = math.ceil(place.size / block.stride) ** 2
    expand = place.size**2 * place.channels * middle // block.groups if _has_expansion(block) else 0
    project = out * middle * round_channels(block.channels * width) // block.groups
    return expand + out * middle * block.kernel**2 + project
