"""Shadow call stack, call tree and layer records of the Python core; twin of native/calls.c."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mcusim.core.interface import CallNode, FunctionRange, LayerRecord, Watch
from mcusim.core.twin_access import AccessTracker
from mcusim.core.twin_liveness import LiveFigures
from mcusim.core.twin_stacks import Frame, Moment, StackChange, Stacks

MAXIMUM_DEPTH = 1 << 16


@dataclass(slots=True)
class _Layer:
    calls: int = 0
    cycles: int = 0
    instructions: int = 0
    stack_bytes: int = 0


class CallState:
    """What runs where in the call tree."""

    def __init__(
        self,
        functions: Mapping[int, FunctionRange],
        areas: Sequence[tuple[int, int]],
        memory: AccessTracker,
    ) -> None:
        self._functions = functions
        self._memory = memory
        self.stacks = Stacks(areas)
        self.reset(0, 0)

    @property
    def _frames(self) -> list[Frame]:
        return self.stacks.present.frames

    def reset(self, stack_pointer: int, stack_limit: int) -> None:
        """Forget everything; the stack pointer is that of reset."""
        self.stacks.reset(stack_pointer, stack_limit)
        self.nodes: list[CallNode] = []
        self._children: dict[tuple[int, int], int] = {}
        self.current = -1
        self._since = Moment(0, 0, 0)
        self._layers = {
            start: _Layer()
            for start, function in sorted(self._functions.items())
            if function.watch & Watch.LAYER
        }

    @property
    def innermost_node(self) -> int:
        """Node of the innermost frame, -1 if there is none."""
        return self._frames[-1].node if self._frames else -1

    def chain(self, node: int) -> tuple[int, ...]:
        """Functions from the root to ``node``."""
        chain: list[int] = []
        while node >= 0:
            chain.append(self.nodes[node].function)
            node = self.nodes[node].parent
        return tuple(reversed(chain))

    def layer_records(self, figures: LiveFigures) -> tuple[LayerRecord, ...]:
        """One record per layer function, by address."""
        return tuple(
            LayerRecord(
                start,
                layer.calls,
                layer.cycles,
                layer.instructions,
                self._memory.liveness.touched_bytes(start),
                layer.stack_bytes,
                figures.layer_peaks.get(start, 0),
                figures.layer_unread[start],
            )
            for start, layer in self._layers.items()
        )

    def stop_on_return(self) -> None:
        """Mark the innermost frame as one whose return stops."""
        self._frames[-1].stops = True

    def enter(self, address: int, return_address: int, now: Moment) -> None:
        """A call of the function at ``address``."""
        self.keep_frames()
        self._push(address, return_address, self.innermost_node, False, now)

    def tail(self, address: int, now: Moment) -> None:
        """A branch to a function's start that keeps the return address; an unwatched caller is gone."""
        if not self._frames:
            self._push(address, 0, -1, False, now)
            return
        top = self._frames[-1]
        if top.stops or top.is_layer:
            self._push(address, top.return_address, top.node, True, now)
        else:
            self._frames.pop()
            self._push(address, top.return_address, self.nodes[top.node].parent, top.is_tail, now)
            self._frames[-1].is_exception = top.is_exception

    def leave_to(self, address: int, now: Moment, deep: bool) -> int | None:
        """Return to ``address``: of the innermost frame, with ``deep`` of any.

        Gives None if no such frame is there, else the start of the outermost function left that stops,
        0 if none does.
        """
        depth = len(self._frames)
        lowest = 1 if deep else depth
        while depth >= max(lowest, 1) and self._frames[depth - 1].return_address != address:
            depth -= 1
        if depth < max(lowest, 1):
            return None
        stopped = 0
        while len(self._frames) >= depth:
            stopped = self._leave(now) or stopped
        return stopped

    def keep_frames(self) -> None:
        """The frames of a stack that was taken up go on there."""
        self.stacks.present.is_fresh = False

    def drop_fresh_frames(self) -> None:
        """Another function begins there, if it was taken up just now."""
        if self.stacks.present.is_fresh:
            self._frames.clear()
            self.keep_frames()

    def mark_exception(self) -> None:
        """The innermost frame is that of an exception."""
        self._frames[-1].is_exception = True

    @property
    def exception(self) -> Frame | None:
        """The exception that was entered last on the present stack."""
        return next((frame for frame in reversed(self._frames) if frame.is_exception), None)

    def leave_exception(self, now: Moment) -> int | None:
        """Leave the exception that was entered last on the present stack; as ``leave_to``."""
        depth = max((n for n, frame in enumerate(self._frames, 1) if frame.is_exception), default=0)
        if not depth:
            return None
        stopped = 0
        while len(self._frames) >= depth:
            stopped = self._leave(now) or stopped
        return stopped

    def change_stack(self, change: StackChange, now: Moment) -> None:
        """The stack pointer was written."""
        if self.stacks.change(change, self.current) and self._frames:
            self.settle(now)
            self.current = self._frames[-1].node

    def settle(self, now: Moment) -> None:
        """Credit the current node with what happened since it became current."""
        if self.current >= 0:
            node = self.nodes[self.current]
            self.nodes[self.current] = replace(
                node,
                cycles_self=node.cycles_self + now.cycles - self._since.cycles,
                instructions_self=node.instructions_self + now.instructions - self._since.instructions,
            )
        self._since = now

    def _node(self, parent: int, function: int) -> int:
        key = parent, function
        if key not in self._children:
            self._children[key] = len(self.nodes)
            self.nodes.append(CallNode(function, parent, 0, 0, 0))
        return self._children[key]

    def _push(self, address: int, back: int, parent: int, is_tail: bool, now: Moment) -> None:
        if len(self._frames) == MAXIMUM_DEPTH:
            return
        watch = self._functions[address].watch if address in self._functions else Watch.NOTHING
        node = self._node(parent, address)
        frame = Frame(back, node, address, bool(watch & Watch.STOP), bool(watch & Watch.LAYER), now, is_tail)
        if frame.is_layer:
            if self._memory.is_active:
                self._memory.liveness.open(address)
            stack = self.stacks.present
            frame.outer_lowest, stack.lowest = stack.lowest, now.sp
        self._frames.append(frame)
        self.nodes[node] = replace(self.nodes[node], calls=self.nodes[node].calls + 1)
        self.settle(now)
        self.current = node

    def _leave(self, now: Moment) -> int:
        stopped, is_tail = 0, True
        while is_tail and self._frames:
            frame = self._frames.pop()
            self._close_layer(frame, now)
            stopped = frame.function if frame.stops else stopped
            is_tail = frame.is_tail
        if self._frames:
            self.settle(now)
            self.current = self._frames[-1].node
        return stopped

    def _close_layer(self, frame: Frame, now: Moment) -> None:
        if not frame.is_layer:
            return
        layer = self._layers[frame.function]
        if self._memory.is_active:
            self._memory.liveness.close(frame.function)
        layer.calls += 1
        layer.cycles += now.cycles - frame.entry.cycles
        layer.instructions += now.instructions - frame.entry.instructions
        stack = self.stacks.present
        layer.stack_bytes = max(layer.stack_bytes, frame.entry.sp - stack.lowest)
        stack.lowest = min(stack.lowest, frame.outer_lowest)
