"""The kernel calls of an inverted residual block in channel tiles, from its undivided operators."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mcusim.compiler.lowering import lower
from mcusim.compiler.lowering.convolution import weights_of
from mcusim.compiler.lowering.gemm import (
    CHANNEL_BLOCK,
    Matrix,
    clamping_fields,
    first_sums,
    last_words,
    prove_matrix,
    quad_pairs,
    to_words,
    weight_words,
)
from mcusim.compiler.lowering.pooling import over_rows
from mcusim.compiler.lowering.types import Constant, LoweredOp, Options, pixelwise
from mcusim.compiler.patches import Span
from mcusim.compiler.stages import HeadStage, TileStage
from mcusim.compiler.tiles import SUM_BYTES, TileBlock, TileHead
from mcusim.errors import UnsupportedError
from mcusim.network.graph import Graph, Operator, OpKind, Tensor
from mcusim.network.quantise import conv_constants


@dataclass(frozen=True)
class TileKernels:
    """One kernel call a tile of each operator of ``block``; ``begin`` gives the sums their biases, ``end``
    makes outputs of them."""

    block: TileBlock
    expand: tuple[LoweredOp, ...]
    depthwise: tuple[LoweredOp, ...]
    project: tuple[LoweredOp, ...]
    begin: LoweredOp
    end: LoweredOp

    def of(self, op: Operator) -> Iterator[tuple[str, LoweredOp]]:
        """The kernel calls of an operator, each with a label that is unique in the network; none of ADD,
        which is not divided."""
        tiled = {
            self.block.expand.index: self.expand,
            self.block.depthwise.index: self.depthwise,
            self.block.project.index: self.project,
        }
        for number, lowered in enumerate(tiled.get(op.index, ())):
            yield f"{op.index:03d}_{number}", lowered
        if op == self.block.project:
            yield f"{op.index:03d}_begin", self.begin
            yield f"{op.index:03d}_end", self.end

    def scratch_bytes(self, graph: Graph) -> int:
        """The most that a call takes."""
        ends = self.block.source, self.block.last.outputs[0]
        in_width, out_width = (graph.tensors[tensor].shape[2] for tensor in ends)
        most = max(lowered.scratch_in_stream(in_width, in_width) for lowered in self.expand)
        most = max(most, *(lowered.scratch_in_stream(in_width, out_width) for lowered in self.depthwise))
        return max(most, *(lowered.scratch_in_stream(out_width, out_width) for lowered in self.project))


@dataclass(frozen=True)
class HeadKernels:
    """One kernel call a tile of each operator of ``head``; the pool adds up row by row."""

    head: TileHead
    expand: tuple[LoweredOp, ...]
    pool: tuple[LoweredOp, ...]

    def of(self, op: Operator) -> Iterator[tuple[str, LoweredOp]]:
        """As ``TileKernels.of``."""
        for number, lowered in enumerate(self.expand if op == self.head.expand else self.pool):
            yield f"{op.index:03d}_{number}", lowered

    def scratch_bytes(self, graph: Graph) -> int:
        """The most that a call takes; the pool's sums come on top."""
        width = graph.tensors[self.head.expand.inputs[0]].shape[2]
        return max(lowered.scratch_in_stream(width, width) for lowered in self.expand)


Kernels = TileKernels | HeadKernels


def kernels_in_tiles(graph: Graph, stage: TileStage | HeadStage, options: Options) -> Kernels:
    """Those of a stage. Raises UnsupportedError where a projection's sums exceed what kernels hold."""
    if isinstance(stage, TileStage):
        return tile_kernels(graph, stage.block, stage.tiles, options)
    expand, pool = stage.head.expand, stage.head.pool
    return HeadKernels(
        head=stage.head,
        expand=tuple(_slice(graph, expand, tile, options) for tile in stage.tiles),
        pool=tuple(over_rows(_slice(graph, pool, tile, options)) for tile in stage.tiles),
    )


def tile_kernels(graph: Graph, block: TileBlock, tiles: Sequence[Span], options: Options) -> TileKernels:
    """Raises UnsupportedError where the projection's sums exceed what kernels hold."""
    matrix = _matrix(graph, block.project, options)
    words = np.concatenate(first_sums(matrix))
    last = np.concatenate(last_words(matrix))
    shift = matrix.kind.low.bits if matrix.kind else 0
    return TileKernels(
        block=block,
        expand=tuple(_slice(graph, block.expand, tile, options) for tile in tiles),
        depthwise=tuple(_slice(graph, block.depthwise, tile, options) for tile in tiles),
        project=tuple(_product(matrix, tile) for tile in tiles),
        begin=pixelwise(
            "mcu_sums_begin",
            f"{{.biases = $biases, .words = {len(words)}}}",
            constants=(Constant("biases", to_words(words), 4, "int32_t"),),
        ),
        end=pixelwise(
            "mcu_sums_end",
            f"{{.scales = $scales, .channels = {matrix.channels}, .shift = {shift}, "
            f"{clamping_fields(matrix.constants.act_min, matrix.constants.act_max)}}}",
            constants=(Constant("scales", to_words(last), 4, "int32_t"),),
        ),
    )


def _matrix(graph: Graph, project: Operator, options: Options) -> Matrix:
    weights = weights_of(graph, project)
    constants = conv_constants(graph, project)
    matrix = prove_matrix(weights.reshape(weights.shape[0], -1), constants, options)
    if matrix is None:
        raise UnsupportedError(f"the sums of operator {project.index} are too large for channel tiles")
    return matrix


def _product(matrix: Matrix, tile: Span) -> LoweredOp:
    """A tile's part of the projection, added to sums by ``gemm_sums.c``."""
    words = np.concatenate(weight_words(matrix, quad_pairs(range(*tile))))
    quads = tile.size // CHANNEL_BLOCK
    pixel = -(-matrix.channels // CHANNEL_BLOCK) * CHANNEL_BLOCK * SUM_BYTES
    gemm = (
        f"{{.stream = $stream, .quads = {quads}, .channels = {pixel}, "
        ".pair = mcu_pair_sums, .one = mcu_one_sums, .clamped = 0}"
    )
    call = pixelwise(
        "mcu_conv_1x1",
        f"{{.gemm = {gemm}, .in_channels = {tile.size}}}",
        constants=(Constant("stream", to_words(words), 4, "int32_t"),),
    )
    return replace(call, scratch_bytes=lambda _in_width, out_width: 8 * quads * min(out_width, 2))


def _slice(graph: Graph, op: Operator, tile: Span, options: Options) -> LoweredOp:
    """An operator that makes just the channels of ``tile``."""
    keeps = op.kind is not OpKind.CONV_2D
    data, *constants = op.inputs
    sliced = {
        data: _channels(graph.tensors[data], tile, 3) if keeps else graph.tensors[data],
        op.outputs[0]: _channels(graph.tensors[op.outputs[0]], tile, 3),
    }
    for place, index in enumerate(constants):
        if index >= 0:
            along = 3 if keeps and place == 0 else 0
            sliced[index] = _channels(graph.tensors[index], tile, along)
    part = Graph(graph.name, sliced, (op,), (data,), op.outputs)
    return lower(part, op, options)


def _channels(tensor: Tensor, tile: Span, axis: int) -> Tensor:
    """``tensor`` with the indices of ``tile`` along ``axis``; its scales too, where there is one for each."""
    shape = (*tensor.shape[:axis], tile.size, *tensor.shape[axis + 1 :])
    data = tensor.data
    if data is not None:
        data = data.reshape(tensor.shape).take(range(*tile), axis)
    quantisation = tensor.quantisation
    if quantisation is not None and len(quantisation.scales) == tensor.shape[axis] > 1:
        points = quantisation.zero_points
        quantisation = replace(
            quantisation,
            scales=quantisation.scales[tile.first : tile.end],
            zero_points=points[tile.first : tile.end] if len(points) > 1 else points,
        )
    return replace(tensor, shape=shape, data=data, quantisation=quantisation)
