"""Two passes over a squeeze-excite block: a stage whose gates are computed ahead, as plain streams.

A gate is one pixel made from the mean of a tensor that it is then multiplied with, so that this tensor would
have to wait as a whole. Instead a first pass makes it row by row for its mean alone, and a last one makes it
again and uses it. In the graph that this module gives back the operators of the first pass are there twice,
and its schedule consists of streams and single operators. Copies share the weights of what they are copies
of; they bear its number and, as the leading digit, that of the pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import msgspec

from mcusim.compiler import spatial
from mcusim.compiler.schedule import Schedule, Stage, stage_operators
from mcusim.errors import ScheduleError
from mcusim.network.graph import Graph, Operator, Tensor


@dataclass(frozen=True)
class Gate:
    """``squeezed``: the tensor that ``means`` average; ``excite``: what makes the gate of its mean."""

    squeezed: int
    means: tuple[Operator, ...]
    excite: tuple[Operator, ...]


def unfold(graph: Graph, schedule: Schedule) -> tuple[Graph, Schedule]:
    """``graph`` and ``schedule`` with the passes of its two-pass stages one after the other.

    Raises ScheduleError for a stage in which a gate cannot be computed ahead.
    """
    unfolding = _Unfolding(graph)
    stages: list[Stage] = []
    for stage in schedule.stages:
        operators = stage_operators(graph, stage)
        if stage.mode == "se2":
            stages += unfolding.add_passes(stage, operators)
        else:
            unfolding.add(operators)
            stages.append(stage)
    return unfolding.graph(), msgspec.structs.replace(schedule, stages=tuple(stages))


def find_gates(
    graph: Graph, operators: Sequence[Operator], users: Sequence[Operator] | None = None
) -> tuple[Gate, ...]:
    """The gates that ``operators`` make and, all of them or just ``users``, use, in execution order.

    Raises ScheduleError for one that is not made from the mean of one tensor of theirs.
    """
    makers = {output: op for op in operators for output in op.outputs}
    pixels = (spatial.pixel_operand(graph, op) for op in (operators if users is None else users))
    wanted = dict.fromkeys(pixel for pixel in pixels if pixel in makers)
    return tuple(_gate(graph, operators, pixel) for pixel in wanted if pixel is not None)


def _gate(graph: Graph, operators: Sequence[Operator], pixel: int) -> Gate:
    makers = {output: op for op in operators for output in op.outputs if _is_of_gate(graph, op)}
    chosen = _leading_to(graph, makers, [pixel])
    inside = [op for op in operators if op.index in chosen]
    made = {output for op in inside for output in op.outputs}
    sources = {t for op in inside for t in spatial.activations(graph, op)} - made
    means = tuple(op for op in inside if _averages(graph, op))
    chained = [m for m in means if spatial.pools_all(graph, m)] == list(means[-1:])
    if len(sources) != 1 or not chained or not any(sources & set(op.outputs) for op in operators):
        raise ScheduleError(
            f"the gate that operator {inside[-1].index} makes is not computed from the mean of one tensor of "
            "the stage, so that no pass can compute it ahead"
        )
    return Gate(sources.pop(), means, tuple(op for op in inside if op not in means))


def _is_of_gate(graph: Graph, op: Operator) -> bool:
    size = spatial.extent(graph.output_of(op))
    return size.height * size.width == 1 or spatial.averages_columns(graph, op)


def _averages(graph: Graph, op: Operator) -> bool:
    return spatial.averages_columns(graph, op) or spatial.pools_all(graph, op)


def _leading_to(graph: Graph, makers: dict[int, Operator], tensors: Iterable[int]) -> set[int]:
    """Indices of those of ``makers`` on which ``tensors`` depend."""
    found: set[int] = set()
    wanted = list(tensors)
    while wanted:
        op = makers.get(wanted.pop())
        if op is not None and op.index not in found:
            found.add(op.index)
            wanted += spatial.activations(graph, op)
    return found


class _Unfolding:
    """A graph with operators in another order, some of them more than once."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._tensors: dict[int, Tensor] = dict(graph.tensors)
        self._operators: list[Operator] = []
        self._decade = 10 ** len(str(max(op.index for op in graph.operators)))

    def graph(self) -> Graph:
        """What has been added so far."""
        return replace(self._graph, tensors=self._tensors, operators=tuple(self._operators))

    def add(self, operators: Iterable[Operator]) -> None:
        """As they are."""
        self._operators += operators

    def add_passes(self, stage: Stage, operators: Sequence[Operator]) -> list[Stage]:
        """A pass for every gate that ``operators`` make, and the last one."""
        gates = find_gates(self._graph, operators)
        if not gates:
            raise ScheduleError(
                f"operators {stage.first} to {stage.last} make and use no gate: one pass is enough"
            )
        of_gates = {op.index for gate in gates for op in (*gate.means, *gate.excite)}
        rows = [op for op in operators if op.index not in of_gates]
        stages: list[Stage] = []
        for number, gate in enumerate(gates, 1):
            stages += self._add_pass(number, gate, rows, stage.chunk)
        self.add(rows)
        mode = "bands" if stage.bands > 1 else "stream"
        last = msgspec.structs.replace(stage, mode=mode, first=rows[0].index, last=rows[-1].index)
        return [*stages, last]

    def _add_pass(self, number: int, gate: Gate, rows: Sequence[Operator], chunk: int) -> list[Stage]:
        makers = {output: op for op in rows for output in op.outputs}
        needed = _leading_to(self._graph, makers, [gate.squeezed])
        copies: dict[int, int] = {}
        pass_operators = [self._copy(op, number, copies) for op in rows if op.index in needed]
        pass_operators += [self._reading(op, copies) for op in gate.means]
        self.add((*pass_operators, *gate.excite))
        stages = [_stage("stream", pass_operators, chunk)]
        return [*stages, _stage("op", gate.excite)] if gate.excite else stages

    def _copy(self, op: Operator, number: int, copies: dict[int, int]) -> Operator:
        for output in op.outputs:
            original = self._tensors[output]
            index = copies[output] = max(self._tensors) + 1
            self._tensors[index] = replace(original, index=index, name=f"{original.name} (pass {number})")
        outputs = tuple(copies[output] for output in op.outputs)
        index = number * self._decade + op.index
        return replace(self._reading(op, copies), index=index, outputs=outputs, copy_of=op.index)

    def _reading(self, op: Operator, copies: dict[int, int]) -> Operator:
        return replace(op, inputs=tuple(copies.get(index, index) for index in op.inputs))


def _stage(mode: str, operators: Sequence[Operator], chunk: int = 1) -> Stage:
    first, last = operators[0].index, operators[-1].index
    return msgspec.convert({"first": first, "last": last, "mode": mode, "chunk": chunk}, Stage)
