"""The order of a network's operators: of all that the data flow allows, the one that needs least memory.

Converters interleave branches, and what one branch has made then waits in memory while the others go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from mcusim.network.graph import Graph, Operator

WIDTH = 1000
"""Sets of equally many operators that are followed: beyond so many only the best of them."""


def reorder(graph: Graph) -> Graph:
    """``graph`` with its operators in the order that needs the fewest bytes in the fullest step, then in the
    second fullest, and so on; in stored order where no other is better.

    Operators keep their numbers, inputs and outputs their order. The search goes over sets of operators that
    may have run, and is exact where there are never more than ``WIDTH`` of equally many operators.
    """
    found = _search(_Flow(graph))
    if found.order == tuple(range(len(graph.operators))):
        return graph
    return replace(graph, operators=tuple(graph.operators[position] for position in found.order))


@dataclass(frozen=True)
class _Prefix:
    """Operators that have run, as a set of bits over stored positions, and in which order; the bytes of their
    steps, the fullest first; the bytes that are alive behind them."""

    done: int
    order: tuple[int, ...]
    steps: tuple[int, ...]
    live: int


def _search(flow: _Flow) -> _Prefix:
    """Of the prefixes that have run the same operators only the best one matters: steps that are added to
    both do not change which of them is better."""
    prefixes = [_Prefix(0, (), (), flow.given)]
    for _ in range(flow.count):
        best: dict[int, _Prefix] = {}
        for longer in (flow.run(p, position) for p in prefixes for position in flow.ready(p.done)):
            known = best.get(longer.done)
            if known is None or _rank(longer) < _rank(known):
                best[longer.done] = longer
        prefixes = sorted(best.values(), key=_rank)[:WIDTH]
    return prefixes[0]


def _rank(prefix: _Prefix) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Ties go to the order that is nearest to the stored one."""
    return prefix.steps, prefix.order


class _Flow:
    """Which operators may run when, and what lives while they do."""

    def __init__(self, graph: Graph) -> None:
        self.count = len(graph.operators)
        self._sizes = {t: tensor.bytes for t, tensor in graph.tensors.items() if not tensor.is_constant}
        self._reads = [self._activations(op) for op in graph.operators]
        self._makes = [op.outputs for op in graph.operators]
        makers = {t: position for position, made in enumerate(self._makes) for t in made}
        self._before = [_bits(makers[t] for t in read if t in makers) for read in self._reads]
        self._readers = {
            t: _bits(position for position, read in enumerate(self._reads) if t in read) for t in self._sizes
        }
        self._kept = frozenset(graph.outputs)
        self.given = sum(self._sizes[t] for t in graph.inputs)

    def ready(self, done: int) -> Iterator[int]:
        """Positions that may run behind ``done``."""
        for position, before in enumerate(self._before):
            if not done >> position & 1 and not before & ~done:
                yield position

    def run(self, prefix: _Prefix, position: int) -> _Prefix:
        """``prefix`` with the operator at ``position`` behind it."""
        done = prefix.done | 1 << position
        made = self._makes[position]
        step = prefix.live + sum(self._sizes[t] for t in made)
        over = sum(self._sizes[t] for t in {*self._reads[position], *made} if self._is_over(t, done))
        steps = tuple(sorted((*prefix.steps, step), reverse=True))
        return _Prefix(done, (*prefix.order, position), steps, step - over)

    def _is_over(self, tensor: int, done: int) -> bool:
        return tensor not in self._kept and not self._readers[tensor] & ~done

    def _activations(self, op: Operator) -> frozenset[int]:
        return frozenset(t for t in op.inputs if t in self._sizes)


def _bits(positions: Iterable[int]) -> int:
    mask = 0
    for position in positions:
        mask |= 1 << position
    return mask
