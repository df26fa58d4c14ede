"""Which tensors are other names for bytes of another tensor, so that the operator between them moves nothing.

A RESHAPE names its input's bytes anew, a TRANSPOSE that moves only axes of one element as well. Where an axis
is the outermost that has more than one element, the pieces of a SPLIT, or what a STRIDED_SLICE takes in steps
of one, lie in one piece in their input, and the inputs of a CONCATENATION in its output.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from mcusim.compiler.lowering.movement import boxes_of
from mcusim.compiler.rows import ALIGNMENT
from mcusim.network.graph import Graph, Operator, OpKind

SLICING = frozenset({OpKind.CONCATENATION, OpKind.SPLIT, OpKind.STRIDED_SLICE})
"""Operators whose tensors may name part of each other's bytes."""


@dataclass(frozen=True)
class Aliases:
    """``roots``: for every activation the tensor whose bytes it names; ``shifts``: how many bytes behind that
    one's first its own lie, where they do not begin together. ``free``: indices of the operators that move
    nothing."""

    roots: Mapping[int, int] = field(default_factory=dict)
    shifts: Mapping[int, int] = field(default_factory=dict)
    free: frozenset[int] = frozenset()

    def shift(self, tensor: int) -> int:
        """Bytes from the first of the tensor's root to its own."""
        return self.shifts.get(tensor, 0)


def find_aliases(graph: Graph, copied: frozenset[int] = frozenset()) -> Aliases:
    """As few bytes as can be under different names; operators with an index in ``copied`` move theirs.

    Pieces begin at multiples of the arena's alignment, for the kernels that work on them. A CONCATENATION is
    free only if all its inputs can lie in its output: nobody else's part, no network input, none twice.
    """
    naming = _Naming(graph)
    free = frozenset(op.index for op in graph.operators if op.index not in copied and naming.joins(op))
    places = {tensor: naming.place(tensor) for tensor in naming.known()}
    roots = {tensor: root for tensor, (root, _) in places.items()}
    return Aliases(roots, {tensor: shift for tensor, (_, shift) in places.items() if shift}, free)


class _Naming:
    """Tensors inside of others; ``joins`` is called in execution order."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._inside: dict[int, tuple[int, int]] = {}

    def known(self) -> Iterator[int]:
        """Every activation: the network's inputs, then outputs in execution order."""
        yield from self._graph.inputs
        for op in self._graph.operators:
            yield from op.outputs

    def place(self, tensor: int) -> tuple[int, int]:
        """Its root, and the bytes from the root's first to its own."""
        shift = 0
        while tensor in self._inside:
            tensor, further = self._inside[tensor]
            shift += further
        return tensor, shift

    def joins(self, op: Operator) -> bool:
        """Whether the operator's tensors could be made names of one another; if so, they are."""
        found = self._parts(op)
        if found is None:
            return False
        if op.kind is not OpKind.CONCATENATION:
            self._inside.update({part: (op.inputs[0], shift) for part, shift in found})
            return True
        roots = [self.place(part)[0] for part, _ in found]
        if len(set(roots)) < len(roots) or not all(self._is_whole(part) for part, _ in found):
            return False
        self._inside.update(
            {root: (op.outputs[0], shift) for root, (_, shift) in zip(roots, found, strict=True)}
        )
        return True

    def _parts(self, op: Operator) -> list[tuple[int, int]] | None:
        """The tensors that lie in another of the operator's, each with its place there in bytes; None if one
        of them does not lie there in one piece."""
        if op.kind is OpKind.RESHAPE:
            return [(op.outputs[0], 0)]
        if op.kind not in SLICING and op.kind is not OpKind.TRANSPOSE:
            return None
        if op.kind is OpKind.CONCATENATION:
            if any(self._graph.tensors[part].is_constant for part in op.inputs):
                return None
            boxes = boxes_of(self._graph, op)
            found = [(op.inputs[box.source], box.first_out) for box in boxes]
        else:
            boxes = boxes_of(self._graph, op)
            found = [(op.outputs[box.target], box.first_in) for box in boxes]
        fits = all(box.in_one_piece for box in boxes) and not any(shift % ALIGNMENT for _, shift in found)
        return found if fits and self._keeps_values(op) else None

    def _keeps_values(self, op: Operator) -> bool:
        """Whether equal bytes mean equal values on both sides."""
        tensors = [self._graph.tensors[index] for index in (*op.inputs, *op.outputs)]
        stored = [tensor.quantisation for tensor in tensors if not tensor.is_constant]
        return all(each == stored[0] for each in stored)

    def _is_whole(self, tensor: int) -> bool:
        """Whether the tensor is all of its root, which the network makes itself."""
        root, shift = self.place(tensor)
        same_bytes = self._graph.tensors[root].bytes == self._graph.tensors[tensor].bytes
        return shift == 0 and same_bytes and root not in self._graph.inputs
