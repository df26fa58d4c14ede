"""What ran, packed into the trace: the executed code, and how often each linear run was executed where.

Both are little-endian arrays, compressed by zlib and written as base64. Code is the number of its pieces,
the start and size of each, then their bytes. Runs are their number, then the columns start (less the start
before), size, taken, outcome (see mcusim.timing.outcomes), place (unsigned 32 bits) and count (unsigned 64
bits).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mcusim import trace
from mcusim.core.costing import CodeRun, instruction_cycles, run_cycles
from mcusim.core.interface import RunCount
from mcusim.errors import InputError
from mcusim.image import Image
from mcusim.packing import compressed, expanded
from mcusim.profile import flash_reads
from mcusim.profile.profile import Profile, function_start, layer_owners
from mcusim.timing.flash import FlashTiming
from mcusim.timing.model import TimingModel

_WORD, _LONG = np.dtype("<u4"), np.dtype("<u8")
_COLUMNS = 5

RunKey = tuple[int, int, bool, int]
"""Start, end, whether a taken branch ended the run, and its outcome."""


@dataclass(frozen=True)
class Execution:
    """``counts``: per run and place (see ``trace.Execution``) the number of executions."""

    pieces: Mapping[int, bytes]
    counts: Mapping[tuple[RunKey, int], int]

    def place_cycles(self, model: TimingModel, places: int) -> list[int]:
        """Cycles of the runs in each of ``places`` places under ``model``."""
        keys = sorted({key for key, _ in self.counts})
        runs = [CodeRun(self._code(start, end), start, taken, outcome) for start, end, taken, outcome in keys]
        cost = dict(zip(keys, run_cycles(model, runs), strict=True))
        cycles = [0] * places
        for (key, place), count in self.counts.items():
            cycles[place] += cost[key] * count
        return cycles

    def instruction_cycles(self, model: TimingModel, addresses: Collection[int]) -> dict[int, int]:
        """Cycles that each instruction at one of ``addresses`` took under ``model``; none if it never ran."""
        wanted = sorted(addresses)
        totals: Counter[RunKey] = Counter()
        for (key, _), count in self.counts.items():
            if bisect_left(wanted, key[1]) > bisect_left(wanted, key[0]):
                totals[key] += count
        cycles: Counter[int] = Counter()
        runs = [
            CodeRun(self._code(start, end), start, taken, outcome) for start, end, taken, outcome in totals
        ]
        for count, costs in zip(totals.values(), instruction_cycles(model, runs), strict=True):
            for address, spent in costs:
                cycles[address] += spent * count
        return {address: cycles[address] for address in wanted if address in cycles}

    def _code(self, start: int, end: int) -> bytes:
        """Raises IndexError if [start, end) is not in one piece of the code."""
        starts = self._starts
        piece = starts[bisect_right(starts, start) - 1]
        code = self.pieces[piece][start - piece : end - piece]
        if len(code) != end - start:
            raise IndexError(f"no code at 0x{start:08x}")
        return code

    @cached_property
    def _starts(self) -> list[int]:
        return sorted(self.pieces)


def record(
    profile: Profile,
    image: Image,
    tree_nodes: Sequence[int],
    read: Callable[[int, int], bytes | None],
    model: str,
    surveyed: Sequence[FlashTiming] = (),
) -> trace.Execution | None:
    """What the trace keeps; ``tree_nodes`` are the nodes of its call tree that the core's belong to,
    ``model`` is the one that the core counted with, ``surveyed`` are the flashes whose reads it counted.

    None if code that was executed cannot be read any more.
    """
    counts = profile.counts
    starts = [function_start(image, node.function) for node in counts.nodes]
    owners = layer_owners(counts.nodes, starts, [layer.mark for layer in profile.layers])
    places: dict[tuple[int, int], int] = {}
    place_of = [places.setdefault(pair, len(places)) for pair in zip(tree_nodes, owners, strict=True)]
    execution = collect(counts.runs, place_of, read)
    if execution is None:
        return None
    spent = [0] * len(places)
    for node, place in zip(counts.nodes, place_of, strict=True):
        spent[place] += node.cycles_self
    of_runs = execution.place_cycles(TimingModel(model), len(places))
    other = [total - own for total, own in zip(spent, of_runs, strict=True)]
    flashes = flash_reads.record(surveyed, counts.flash_reads, place_of)
    code, runs = pack(execution)
    return trace.Execution(
        code=code,
        runs=runs,
        places=tuple(places),
        other=_with_waiting(other, flashes, surveyed),
        network_call=_network_call(profile, image),
        flashes=flashes,
    )


def _with_waiting(
    other: Sequence[int], flashes: Sequence[trace.FlashReads], surveyed: Sequence[FlashTiming]
) -> tuple[tuple[int, int, int, int], ...]:
    """Place, and low, best and high cycles beside those of the runs; the chip's own flash comes first."""
    best, low, high = (
        (flash_reads.place_waits(kept, surveyed[0].wait_states, len(other)) for kept in flashes[:3])
        if flashes
        else ([0] * len(other),) * 3
    )
    rows = (
        (place, more - best[place] + low[place], more, more - best[place] + high[place])
        for place, more in enumerate(other)
    )
    return tuple(row for row in rows if any(row[1:]))


def _network_call(profile: Profile, image: Image) -> int:
    """Position of the network's function among those of the profile, -1 without one."""
    start = image.start_of(image.layers.invoke) if image.layers else None
    return next((i for i, function in enumerate(profile.functions) if function.start == start), -1)


def collect(
    runs: Iterable[RunCount], place_of: Sequence[int], read: Callable[[int, int], bytes | None]
) -> Execution | None:
    """``place_of`` gives the place of a node of the core's call tree; ``read`` (address, size) the code.

    None if code that was executed cannot be read any more.
    """
    counts: Counter[tuple[RunKey, int]] = Counter()
    for run in runs:
        key = run.start, run.end, run.next != 0, run.outcome
        counts[key, place_of[run.node]] += run.count
    pieces = {}
    for start, end in _merged((key[0], key[1]) for key, _ in counts):
        code = read(start, end - start)
        if code is None:
            return None
        pieces[start] = code
    return Execution(pieces, counts)


def _merged(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The union of ``ranges``, sorted."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def pack(execution: Execution) -> tuple[str, str]:
    """Code and runs as the trace holds them."""
    pieces = sorted(execution.pieces.items())
    head = np.array([len(pieces), *(n for start, code in pieces for n in (start, len(code)))], _WORD)
    code = head.tobytes() + b"".join(content for _, content in pieces)
    rows = sorted((*key, place, count) for (key, place), count in execution.counts.items())
    table = np.array([row[:_COLUMNS] for row in rows], np.int64).reshape(-1, _COLUMNS)
    starts, sizes = np.diff(table[:, 0], prepend=0), table[:, 1] - table[:, 0]
    columns = np.stack([starts, sizes, *table[:, 2:].T]).astype(_WORD)
    counts = np.array([row[_COLUMNS] for row in rows], _LONG)
    runs = np.array([len(rows)], _WORD).tobytes() + columns.tobytes() + counts.tobytes()
    return compressed(code), compressed(runs)


def unpack(packed: trace.Execution) -> Execution:
    """Raises InputError if the texts are damaged."""
    try:
        return Execution(_pieces(expanded(packed.code)), _counts(expanded(packed.runs)))
    except (ValueError, IndexError) as error:
        raise InputError(f"the execution in the trace cannot be read ({error})") from error


def _pieces(raw: bytes) -> dict[int, bytes]:
    number = int(np.frombuffer(raw, _WORD, 1)[0])
    position = _WORD.itemsize * (1 + 2 * number)
    pieces = {}
    for start, size in np.frombuffer(raw, _WORD, 2 * number, _WORD.itemsize).reshape(-1, 2).tolist():
        pieces[start] = raw[position : position + size]
        position += size
    return pieces


def _counts(raw: bytes) -> dict[tuple[RunKey, int], int]:
    number = int(np.frombuffer(raw, _WORD, 1)[0])
    table = np.frombuffer(raw, _WORD, _COLUMNS * number, _WORD.itemsize).reshape(_COLUMNS, number)
    counts = np.frombuffer(raw, _LONG, number, _WORD.itemsize * (1 + _COLUMNS * number))
    starts = np.cumsum(table[0], dtype=np.int64)
    ends = starts + table[1]
    columns = (starts, ends, *table[2:], counts)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return {
        ((start, end, bool(taken), outcome), place): count
        for start, end, taken, outcome, place, count in rows
    }
