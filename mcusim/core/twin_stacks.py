"""Stacks and the shadow call stack of each for the Python core; twin of the stacks in native/calls.c."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

FIRST_FRAME = 4 * (18 + 32)
"""A stack pointer so near below the end of an area is the start of a stack there."""

MAXIMUM_STACKS = 64


@dataclass(frozen=True, slots=True)
class Moment:
    """Where execution is, as far as the call tree needs to know."""

    cycles: int
    instructions: int
    sp: int


@dataclass(slots=True)
class Frame:
    """A function that is being called."""

    return_address: int
    node: int
    function: int
    stops: bool
    is_layer: bool
    entry: Moment
    is_tail: bool = False
    outer_lowest: int = 0
    is_exception: bool = False


@dataclass(slots=True)
class Stack:
    """``lowest``: since the innermost open layer was entered on it. ``is_fresh``: its frames are those of
    where it was taken up, and may go on there or not."""

    top: int
    area: int
    deepest: int
    lowest: int
    deepest_node: int = -1
    limit: int = 0
    left_at: int = 0
    is_process: bool = False
    is_fresh: bool = False
    frames: list[Frame] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class StackChange:
    """The stack pointer right before and right behind a write; ``is_named``: by MSR."""

    start: int
    to: int
    is_process: bool
    is_named: bool = False


class Stacks:
    """Which stack is in use."""

    def __init__(self, areas: Sequence[tuple[int, int]]) -> None:
        self._areas = areas
        self._starts = [start for start, _ in areas]
        self.reset(0, 0)

    def reset(self, stack_pointer: int, limit: int) -> None:
        """Only the stack of reset is there."""
        self.present = self._stack(stack_pointer)
        self.present.limit = 0 if stack_pointer < limit else limit
        self.all = [self.present]

    def change(self, change: StackChange, node: int) -> bool:
        """The stack pointer was written in ``node`` of the call tree; whether another stack is in use now."""
        if self._goes_on(change):
            return False
        before = self.present
        found = (
            stack
            for stack in self.all
            if stack is not before and stack.is_process == change.is_process and stack.left_at == change.to
        )
        stack = next(found, None)
        before.left_at = change.start
        self.present = stack or self._new(change, node)
        return self.present is not before

    def _stack(self, stack_pointer: int) -> Stack:
        return Stack(stack_pointer, self._area_at(stack_pointer), stack_pointer, stack_pointer)

    def _area_at(self, stack_pointer: int) -> int:
        index = bisect_left(self._starts, stack_pointer) - 1
        return index if index >= 0 and stack_pointer <= self._areas[index][1] else -1

    def _is_start(self, area: int, stack_pointer: int) -> bool:
        return area >= 0 and self._areas[area][1] - stack_pointer <= FIRST_FRAME

    def _goes_on(self, change: StackChange) -> bool:
        stack, area = self.present, self._area_at(change.to)
        if change.is_process != stack.is_process:
            return False
        if change.to == change.start:
            return True
        if area == stack.area:
            return not (change.is_named and change.is_process)
        return not self._is_start(area, change.to) and change.to < stack.top

    def _new(self, change: StackChange, node: int) -> Stack:
        if len(self.all) == MAXIMUM_STACKS:
            return self.present
        stack = self._stack(change.to)
        stack.is_process, stack.is_fresh, stack.deepest_node = change.is_process, True, node
        if stack.area >= 0:
            stack.limit, end = self._areas[stack.area]
            stack.top = end if self._is_start(stack.area, change.to) else change.to
        stack.frames = [replace(frame, is_layer=False, stops=False) for frame in self.present.frames]
        self.all.append(stack)
        return stack
