"""Moves: tensors that go to another place in the arena between two stages.

A stage whose output runs ahead of its input wants the input at a certain place, and the stage before wants
it at another: then no placement is as small as the fullest step needs. In the graph that this module gives
back a tensor changes its name, and so may change its place, where it is all that one stage leaves to the
next; a MOVE copies it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

import msgspec

from mcusim.compiler import spatial
from mcusim.compiler.schedule import Schedule, Stage, position_of
from mcusim.network.graph import Graph, Operator, OpKind


def places_for_moves(graph: Graph, schedule: Schedule) -> dict[int, int]:
    """By the position behind each stage but the last the tensor that it leaves to those that follow, if that
    is one alone and an operator made it."""
    found: dict[int, int] = {}
    for stage in schedule.stages[:-1]:
        position = position_of(graph, stage.last) + 1
        crossing = set(_crossing(graph, position))
        if len(crossing) == 1 and not crossing & set(graph.inputs):
            found[position] = crossing.pop()
    return found


def moved_name(graph: Graph, place: int) -> int:
    """What the MOVE before position ``place`` of ``graph`` makes."""
    return max(graph.tensors) + 1 + place


def _crossing(graph: Graph, position: int) -> Iterator[int]:
    """Activations that exist before ``position`` and are read there or later."""
    made = set(graph.inputs) | {t for op in graph.operators[:position] for t in op.outputs}
    needed = {t for op in graph.operators[position:] for t in spatial.activations(graph, op)}
    yield from made & (needed | set(graph.outputs))


def with_moves(graph: Graph, schedule: Schedule, places: Collection[int]) -> tuple[Graph, Schedule]:
    """``graph`` and ``schedule`` with a MOVE before each of the positions ``places``, which are some of
    ``places_for_moves``.

    A MOVE bears the number of the operator behind it and a leading 1. What it makes is numbered by its
    position, whatever other moves there are.
    """
    moved = places_for_moves(graph, schedule)
    decade = 10 ** len(str(max(op.index for op in graph.operators)))
    tensors, operators = dict(graph.tensors), list[Operator]()
    names: dict[int, int] = {}
    for position, op in enumerate(graph.operators):
        if position in places:
            tensor = moved[position]
            new = moved_name(graph, position)
            tensors[new] = replace(tensors[tensor], index=new, name=f"{tensors[tensor].name} (moved)")
            move = Operator(decade + op.index, OpKind.MOVE, (names.get(tensor, tensor),), (new,))
            operators.append(move)
            names[tensor] = new
        operators.append(replace(op, inputs=tuple(names.get(t, t) for t in op.inputs)))
    outputs = tuple(names.get(t, t) for t in graph.outputs)
    changed = replace(graph, tensors=tensors, operators=tuple(operators), outputs=outputs)
    return changed, _with_stages(schedule, {op.index for op in operators}, decade)


def _with_stages(schedule: Schedule, present: Collection[int], decade: int) -> Schedule:
    """``schedule`` with a stage for each MOVE, before that of the operator whose number it bears."""
    stages: list[Stage] = []
    for stage in schedule.stages:
        move = decade + stage.first
        if move in present:
            stages.append(Stage(first=move, last=move, mode="op"))
        stages.append(stage)
    return msgspec.structs.replace(schedule, stages=tuple(stages))
