"""Operators that see whole tensors: their kernels on the host against the executor."""

from __future__ import annotations

import math

import numpy as np
import pytest
from host_kernels import run_operator
from hypothesis import given, settings
from hypothesis import strategies as st
from operator_cases import activation_tensor, matrix_tensors, one_operator, random_image

from mcusim.compiler import spatial
from mcusim.compiler.lowering import lower
from mcusim.compiler.lowering.movement import Dimension, joined, steps_of
from mcusim.errors import UnsupportedError
from mcusim.network import executor
from mcusim.network.graph import Activation, Attributes, Graph, Operator, OpKind, Padding, Slice, Window

SEEDS = st.integers(0, 2**32 - 1)
SHAPES = st.tuples(st.just(1), st.integers(1, 6), st.integers(1, 7), st.integers(1, 9))


def graph_of(
    kind: OpKind,
    inputs: list[tuple[int, ...]],
    outputs: list[tuple[int, ...]],
    attributes: Attributes,
    seed: int = 0,
) -> Graph:
    """One operator; all tensors have the same quantisation unless the operator rescales."""
    rng = np.random.default_rng(seed)
    rescales = kind is OpKind.MEAN
    tensors = {}
    for index, shape in enumerate([*inputs, *outputs]):
        scale = float(rng.uniform(0.01, 0.1)) if rescales else 0.1
        zero_point = int(rng.integers(-128, 128)) if rescales else -4
        tensors[index] = activation_tensor(index, shape, scale, zero_point)
    sources, targets = tuple(range(len(inputs))), tuple(range(len(inputs), len(tensors)))
    return Graph("one", tensors, (Operator(0, kind, sources, targets, attributes),), sources, targets)


def check(graph: Graph, seed: int) -> None:
    rng = np.random.default_rng(seed)
    images = {i: random_image(rng, graph.tensors[i].shape) for i in graph.inputs}
    expected = executor.outputs(graph, list(images.values()))
    found = run_operator(graph, graph.operators[0], images)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


AXES = st.sampled_from([(1,), (2,), (3,), (1, 2), (2, 3), (1, 2, 3)])


@given(st.sampled_from([OpKind.MEAN, OpKind.REDUCE_MAX]), SHAPES, AXES, st.booleans(), SEEDS)
@settings(max_examples=80, deadline=None)
def test_reductions(
    kind: OpKind, shape: tuple[int, ...], axes: tuple[int, ...], keep_dims: bool, seed: int
) -> None:
    kept = [1 if axis in axes else n for axis, n in enumerate(shape) if keep_dims or axis not in axes]
    check(graph_of(kind, [shape], [tuple(kept)], Attributes(axes=axes, keep_dims=keep_dims), seed), seed)


def test_mean_over_more_values_than_a_halfword_sums() -> None:
    shape = (1, 20, 30, 5)
    graph = graph_of(OpKind.MEAN, [shape], [(1, 5)], Attributes(axes=(1, 2)), 3)
    for value in (-128, 127):
        images = {0: np.full(shape, value, np.int8)}
        expected = executor.outputs(graph, [images[0]])[0]
        np.testing.assert_array_equal(run_operator(graph, graph.operators[0], images)[0], expected)


@pytest.mark.parametrize("kind", [OpKind.AVERAGE_POOL_2D, OpKind.MAX_POOL_2D])
def test_global_pools_over_more_rows_than_a_call_takes(kind: OpKind) -> None:
    attributes = Attributes(window=Window(101, 3, 2, 1), activation=Activation.RELU)
    graph = graph_of(kind, [(1, 101, 3, 7)], [(1, 1, 1, 7)], attributes)
    assert lower(graph, graph.operators[0]).whole_tensors
    assert not spatial.is_spatial(graph, graph.operators[0])
    for seed in range(5):
        check(graph, seed)


def test_scattered_axes_are_refused_by_name() -> None:
    graph = graph_of(OpKind.MEAN, [(1, 2, 3, 4)], [(1, 3)], Attributes(axes=(1, 3)))
    with pytest.raises(UnsupportedError, match=r"operator 0 \(MEAN\) reduces the axes \[1, 3\]"):
        lower(graph, graph.operators[0])


@given(SHAPES, st.permutations([1, 2, 3]), SEEDS)
@settings(max_examples=60, deadline=None)
def test_transpose(shape: tuple[int, ...], order: list[int], seed: int) -> None:
    permutation = (0, *order)
    out_shape = tuple(shape[axis] for axis in permutation)
    check(graph_of(OpKind.TRANSPOSE, [shape], [out_shape], Attributes(permutation=permutation)), seed)


def with_axis(shape: tuple[int, ...], axis: int, size: int) -> tuple[int, ...]:
    return (*shape[:axis], size, *shape[axis + 1 :])


PIECES = st.lists(st.integers(1, 6), min_size=1, max_size=5)


@given(SHAPES, st.integers(1, 3), PIECES, SEEDS)
@settings(max_examples=60, deadline=None)
def test_concatenation(shape: tuple[int, ...], axis: int, sizes: list[int], seed: int) -> None:
    parts = [with_axis(shape, axis, size) for size in sizes]
    whole = with_axis(shape, axis, sum(sizes))
    check(graph_of(OpKind.CONCATENATION, parts, [whole], Attributes(axis=axis)), seed)


@given(SHAPES, st.integers(1, 3), PIECES, SEEDS)
@settings(max_examples=60, deadline=None)
def test_split(shape: tuple[int, ...], axis: int, sizes: list[int], seed: int) -> None:
    parts = [with_axis(shape, axis, size) for size in sizes]
    whole = with_axis(shape, axis, sum(sizes))
    check(graph_of(OpKind.SPLIT, [whole], parts, Attributes(axis=axis)), seed)


@given(SHAPES, SEEDS)
@settings(max_examples=60, deadline=None)
def test_strided_slice(shape: tuple[int, ...], seed: int) -> None:
    rng = np.random.default_rng(seed)
    slices = [Slice(0, 1)]
    for size in shape[1:]:
        stride = int(rng.choice([-2, -1, 1, 2, 3]))
        start = int(rng.integers(0, size))
        room = start if stride < 0 else size - 1 - start
        slices.append(Slice(start, int(rng.integers(0, room // abs(stride) + 1)) + 1, stride))
    out_shape = tuple(part.count for part in slices)
    check(graph_of(OpKind.STRIDED_SLICE, [shape], [out_shape], Attributes(slices=tuple(slices))), seed)


RESIZES = st.sampled_from([OpKind.RESIZE_NEAREST_NEIGHBOR, OpKind.RESIZE_BILINEAR])


@given(RESIZES, SHAPES, st.integers(1, 13), st.integers(1, 13), st.booleans(), st.booleans(), SEEDS)
@settings(max_examples=100, deadline=None)
def test_resize(
    kind: OpKind, shape: tuple[int, ...], height: int, width: int, corners: bool, centres: bool, seed: int
) -> None:
    attributes = Attributes(align_corners=corners, half_pixel_centers=centres and not corners)
    out_shape = (1, height, width, shape[3])
    check(graph_of(kind, [shape], [out_shape], attributes), seed)


@given(SHAPES, st.integers(1, 5), st.integers(1, 4), st.integers(1, 4), SEEDS)
@settings(max_examples=60, deadline=None)
def test_transpose_conv(
    shape: tuple[int, ...], channels: int, kernel_h: int, kernel_w: int, seed: int
) -> None:
    """Windows that leave pixels of the output out, and such that overlap."""
    rng = np.random.default_rng(seed)
    strides = [int(n) for n in rng.integers(1, 4, 2)]
    extents = [(n - 1) * s + k for n, s, k in zip(shape[1:3], strides, (kernel_h, kernel_w), strict=True)]
    pads = [
        int(rng.integers(0, min(k, (n + 1) // 2))) for k, n in zip((kernel_h, kernel_w), extents, strict=True)
    ]
    window = Window(kernel_h, kernel_w, *strides, Padding(pads[0], 0, pads[1], 0))
    out_shape = (1, extents[0] - pads[0], extents[1] - pads[1], channels)
    weights = rng.integers(-127, 128, (channels, kernel_h, kernel_w, shape[3]), np.int8)
    tensors = [
        activation_tensor(0, shape, 0.05, int(rng.integers(-128, 128))),
        *matrix_tensors(rng, weights, channels, kernel_h * kernel_w * shape[3], 0),
        activation_tensor(3, out_shape, 0.06, int(rng.integers(-60, 60))),
    ]
    check(one_operator(OpKind.TRANSPOSE_CONV, tensors, Attributes(window=window)), seed)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=5), st.permutations(range(5)))
def test_joined_dimensions_visit_the_same_elements(shape: list[int], order: list[int]) -> None:
    permutation = [axis for axis in order if axis < len(shape)]
    in_steps = steps_of(shape)
    counts = [shape[axis] for axis in permutation]
    dimensions = [
        Dimension(count, in_steps[axis], out)
        for count, axis, out in zip(counts, permutation, steps_of(counts), strict=True)
    ]

    def visited(parts: list[Dimension]) -> list[tuple[int, int]]:
        places = [(0, 0)]
        for part in parts:
            places = [
                (a + i * part.in_step, b + i * part.out_step) for a, b in places for i in range(part.size)
            ]
        return places

    short = list(joined(dimensions))
    assert visited(short) == visited(dimensions)
    assert len(short) <= len(shape)
    assert len(visited(short)) == math.prod(shape)
