"""Removal of channels that carry nothing: the outputs of the network stay the same, bit for bit.

A channel goes if it is provably constant (see ``bounds``) and all that read it can do without: a convolution
without padding and a dense layer take the constant into their biases; a padded convolution can if the
constant is the zero point, since that is what it reads beyond the border. It goes too if nothing reads it any
more, whatever its values. Depthwise convolutions and pools keep channels apart, so their inputs and outputs
lose the same ones. The proof holds for every input; nothing is estimated from data.
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcusim.network import geometry
from mcusim.network.bounds import INT32_MAX, Bounds, channel_bounds
from mcusim.network.graph import Graph, Operator, OpKind, Padding, Quantisation, Tensor
from mcusim.network.quantise import quantisation_of

Mask = NDArray[np.bool_]

CHANNEL_BLOCK = 4
"""Kernels work on blocks of so many channels: what is left is rounded up to whole blocks."""

_MATRICES = (OpKind.CONV_2D, OpKind.FULLY_CONNECTED)
_POOLS = (OpKind.AVERAGE_POOL_2D, OpKind.MAX_POOL_2D)


@dataclass(frozen=True, eq=False)
class Pruned:
    """``graph`` without ``channels`` of its ``all_channels`` activation channels (of every operator's output)
    and without ``macs`` of its multiply-accumulates."""

    graph: Graph
    channels: int
    all_channels: int
    macs: int

    @property
    def provenance(self) -> dict[str, int]:
        """What a build records of it; empty where nothing was removed."""
        return {"pruned_channels": self.channels, "pruned_macs": self.macs} if self.channels else {}


def prune(graph: Graph) -> Pruned:
    """``graph`` without the channels that it provably does not need. Operators and tensors keep their
    numbers, inputs and outputs their shapes."""
    smaller = graph
    while (found := _Pruning(smaller).result()) is not None:
        smaller = found
    before, after = _channels(graph), _channels(smaller)
    removed = geometry.total_macs(graph) - geometry.total_macs(smaller)
    return Pruned(smaller, before - after, before, removed)


def unpruned(graph: Graph) -> Pruned:
    """``graph`` as it is."""
    return Pruned(graph, 0, _channels(graph), 0)


def _channels(graph: Graph) -> int:
    return sum(graph.output_of(op).shape[-1] for op in graph.operators if graph.output_of(op).shape)


class _Pruning:
    """One pass over a graph: which channels each tensor keeps.

    Tensors that are linked by operators which keep channels apart form a group, called by the tensor at its
    root, and lose the same channels.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.bounds = channel_bounds(graph)
        self.readings = Counter(index for op in graph.operators for index in op.inputs)
        self.roots = self._find_roots()
        self.kept: dict[int, Mask] = {}

    def result(self) -> Graph | None:
        """The smaller graph, or None where nothing can go."""
        for root in dict.fromkeys(self.roots.values()):
            shape = self.graph.tensors[root].shape
            self.kept[root] = np.zeros(shape[-1] if shape else 1, np.bool_)
        for index in (*self.graph.inputs, *self.graph.outputs):
            self._keep_all(index)
        for op in reversed(self.graph.operators):
            self._visit(op)
        if all(mask.all() for mask in self.kept.values()):
            return None
        return self._rewritten()

    def _find_roots(self) -> dict[int, int]:
        roots = {index: index for index in self.graph.inputs}
        for op in self.graph.operators:
            for index in op.outputs:
                roots[index] = roots[op.inputs[0]] if self._is_channelwise(op) else index
        return roots

    def _is_channelwise(self, op: Operator) -> bool:
        source, result = self.graph.input_of(op), self.graph.output_of(op)
        if source.is_constant or not source.shape or source.shape[-1:] != result.shape[-1:]:
            return False
        if op.kind is OpKind.DEPTHWISE_CONV_2D:
            return self._owns_weights(op)
        return op.kind in (*_POOLS, OpKind.RESHAPE)

    def _is_matrix(self, op: Operator) -> bool:
        """Whether rows and columns of the operator's weights can be removed: no groups, nothing shared."""
        if op.kind not in _MATRICES or not self._owns_weights(op):
            return False
        columns = self.graph.input_of(op, 1).shape[-1]
        source = self.graph.input_of(op).shape
        return columns == source[-1] or (
            op.kind is OpKind.FULLY_CONNECTED and columns == int(np.prod(source[1:], dtype=np.int64))
        )

    def _owns_weights(self, op: Operator) -> bool:
        return all(
            self.graph.tensors[index].is_constant and self.readings[index] == 1 for index in op.inputs[1:]
        )

    def _keep_all(self, tensor: int) -> None:
        if tensor in self.roots:
            self.kept[self.roots[tensor]][:] = True

    def _visit(self, op: Operator) -> None:
        """Settle what the outputs of ``op`` keep, all whose readers were visited, and ask for its inputs."""
        if self._is_channelwise(op):
            return
        if not self._is_matrix(op):
            for index in (*op.inputs, *op.outputs):
                self._keep_all(index)
            return
        result = self.roots[op.outputs[0]]
        self.kept[result] = _whole_blocks(self.kept[result])
        source = self.roots.get(op.inputs[0])
        if source is not None:
            self.kept[source] |= self._columns_needed(op)

    def _columns_needed(self, op: Operator) -> Mask:
        """Input channels that a convolution or dense layer cannot do without."""
        used = np.asarray((self._columns(op) != 0).any(axis=(0, 1)))
        constant = self._absorbable(op)
        needed: Mask = used & ~constant
        if not self._bias_fits(op, ~needed):
            return used
        return needed

    def _columns(self, op: Operator) -> NDArray[np.int64]:
        """Weights [kept outputs, taps or pixels, input channels]."""
        weights = _data(self.graph.input_of(op, 1)).astype(np.int64)
        channels = self.graph.input_of(op).shape[-1]
        rows = weights.reshape(weights.shape[0], -1, channels)
        return rows[self.kept[self.roots[op.outputs[0]]]]

    def _absorbable(self, op: Operator) -> Mask:
        """Input channels whose constant the biases can take."""
        bounds = self._bounds_of(op)
        window = op.attributes.window
        anywhere = window is None or window.padding == Padding()
        at_zero: Mask = bounds.low == self._zero_point(op)
        return bounds.constant & (at_zero | (anywhere and len(op.inputs) > 2))

    def _bounds_of(self, op: Operator) -> Bounds:
        return self.bounds[op.inputs[0]]

    def _zero_point(self, op: Operator) -> int:
        return quantisation_of(self.graph.input_of(op)).zero_point

    def _absorbed(self, op: Operator, gone: Mask) -> NDArray[np.int64]:
        """What the kept outputs' biases take from the constant channels among ``gone``."""
        values = np.where(gone & self._absorbable(op), self._bounds_of(op).low - self._zero_point(op), 0)
        absorbed: NDArray[np.int64] = (self._columns(op) * values).sum(axis=(1, 2))
        return absorbed

    def _bias_fits(self, op: Operator, gone: Mask) -> bool:
        if len(op.inputs) < 3:
            return True
        kept = self.kept[self.roots[op.outputs[0]]]
        bias = _data(self.graph.input_of(op, 2)).reshape(-1)[kept] + self._absorbed(op, gone)
        return bool((np.abs(bias) <= INT32_MAX).all())

    def _rewritten(self) -> Graph:
        tensors = dict(self.graph.tensors)
        for index, root in self.roots.items():
            tensor, kept = tensors[index], int(self.kept[root].sum())
            tensors[index] = replace(tensor, shape=(*tensor.shape[:-1], kept)) if tensor.shape else tensor
        for op in self.graph.operators:
            if op.kind is OpKind.DEPTHWISE_CONV_2D and self._is_channelwise(op):
                for index in op.inputs[1:]:
                    tensors[index] = _taken(tensors[index], self.kept[self.roots[op.outputs[0]]])
            elif self._is_matrix(op):
                self._rewrite_matrix(op, tensors)
        return replace(self.graph, tensors=tensors)

    def _rewrite_matrix(self, op: Operator, tensors: dict[int, Tensor]) -> None:
        source = self.roots.get(op.inputs[0])
        rows = self.kept[self.roots[op.outputs[0]]]
        columns = (
            np.ones(self.graph.input_of(op).shape[-1], np.bool_) if source is None else self.kept[source]
        )
        weights = tensors[op.inputs[1]]
        shape = (int(rows.sum()), *weights.shape[1:-1], -1)
        data = self._columns(op)[:, :, columns].astype(np.int8).reshape(shape)
        scales = _taken_scales(weights.quantisation, rows)
        tensors[weights.index] = replace(weights, shape=data.shape, data=data, quantisation=scales)
        if len(op.inputs) > 2:
            bias = _taken(tensors[op.inputs[2]], rows)
            stored = _data(bias).astype(np.int64) + self._absorbed(op, ~columns)
            tensors[bias.index] = replace(bias, data=stored.astype(np.int32))


def _whole_blocks(needed: Mask) -> Mask:
    """The needed channels and as many of the others as make whole blocks of them, at least one."""
    missing = -int(needed.sum()) % CHANNEL_BLOCK or (0 if needed.any() else CHANNEL_BLOCK)
    spare = np.flatnonzero(~needed)[:missing]
    kept = needed.copy()
    kept[spare] = True
    return kept


def _data(tensor: Tensor) -> NDArray[Any]:
    """A constant in its shape."""
    return np.asarray(tensor.data).reshape(tensor.shape)


def _taken(tensor: Tensor, kept: Mask) -> Tensor:
    """A constant without the removed indices of its last dimension."""
    data = _data(tensor)[..., kept]
    return replace(tensor, shape=data.shape, data=data, quantisation=_taken_scales(tensor.quantisation, kept))


def _taken_scales(stored: Quantisation | None, kept: Mask) -> Quantisation | None:
    """Scales per channel without those of the removed ones."""
    if stored is None or len(stored.scales) != len(kept):
        return stored
    zero_points = stored.zero_points
    if len(zero_points) == len(kept):
        zero_points = tuple(itertools.compress(zero_points, kept))
    return replace(stored, scales=tuple(itertools.compress(stored.scales, kept)), zero_points=zero_points)
