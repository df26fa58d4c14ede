"""Packing of weights and the linear form of ADD."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operator_cases import add_graph

from mcusim.compiler.lowering.channels import Channel, pack_any
from mcusim.compiler.lowering.convolution import window_pairs
from mcusim.compiler.lowering.elementwise import find_linear_sum, linear_sums, reference_sums
from mcusim.compiler.lowering.gemm import bytes_of, pack_stream, prove_matrix, quad_pairs
from mcusim.compiler.lowering.scaling import Scale
from mcusim.compiler.lowering.types import LoweredOp, pixelwise
from mcusim.network.graph import Activation
from mcusim.network.quantise import INT8_MAX, INT8_MIN, MatrixConstants, add_constants


def constants_for(channels: int, shift: int = -9, bias: int = 0) -> MatrixConstants:
    return MatrixConstants(
        multipliers=np.full(channels, 3 << 29, np.int32),
        shifts=np.full(channels, shift, np.int32),
        bias=np.full(channels, bias, np.int32),
        in_zp=-3,
        out_zp=4,
        act_min=-128,
        act_max=127,
    )


@given(st.integers(1, 11), st.integers(1, 40), st.booleans())
def test_windows_hold_every_product_once(kernel_h: int, run: int, rounded: bool) -> None:
    pairs = window_pairs(kernel_h, run, -(-run // 4) if rounded else run // 4)
    products = [product for pair in pairs for product in pair if product >= 0]
    assert sorted(products) == list(range(kernel_h * run))
    assert len(pairs) % 2 == 0


def test_quads_are_in_the_order_of_sxtb16() -> None:
    assert quad_pairs(range(8)) == [(0, 2), (1, 3), (4, 6), (5, 7)]


@given(st.integers(1, 9), st.integers(1, 5), st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_stream_gives_back_weights_and_folded_biases(channels: int, quads: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.integers(-127, 128, (channels, 4 * quads), np.int8)
    matrix = prove_matrix(weights, constants_for(channels, bias=77))
    assert matrix is not None
    stream = np.frombuffer(pack_stream(matrix, quad_pairs(range(4 * quads))).data, "<i4")
    blocks = stream.reshape(-1, 14 + 4 * quads)
    assert len(blocks) == -(-channels // 4)
    low_bytes = blocks[:, 4:-10].copy().view(np.int8).reshape(len(blocks), 2 * quads, 2, 4)
    order = np.array(quad_pairs(range(4 * quads))).reshape(-1)
    for channel in range(0, channels, 2):
        words = low_bytes[channel // 4, :, (channel % 4) // 2]
        np.testing.assert_array_equal(words[:, [0, 2]].reshape(-1), weights[channel, order])
        bias = 77 + 3 * int(weights[channel].sum())
        assert blocks[channel // 4, 1 + channel % 4] == bias


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_slides_hold_every_weight_once(height: int, width: int, stride: int, seed: int) -> None:
    kernel = np.random.default_rng(seed).integers(-127, 128, (height, width)).astype(np.int64)
    scale = Scale(multiplier=3 << 29, offset=1 << 8, exponent=9)
    words = pack_any(Channel(kernel, 11, scale), stride)
    assert words[:4] == [22, 3 << 29, 1 << 8, 9]
    pairs = iter(words[4:])
    found = np.zeros((height + height % 2, width), np.int64)
    for row in range(0, height, 2):
        for phase in range(min(stride, width)):
            for column in range(phase, width, stride):
                word = np.array(next(pairs), np.uint32)
                found[row : row + 2, column] = np.frombuffer(word.tobytes(), "<i2")
    assert next(pairs, None) is None
    np.testing.assert_array_equal(found[:height], 2 * kernel)
    assert (found[height:] == 0).all()


def test_weights_that_share_no_halfword_are_refused() -> None:
    weights = np.full((2, 4), -128, np.int8)
    assert prove_matrix(weights, constants_for(2)) is None
    assert prove_matrix(weights + 1, constants_for(2)) is not None


def test_sums_beyond_23_bits_are_refused() -> None:
    assert prove_matrix(np.full((4, 600), 127, np.int8), constants_for(4)) is None
    assert prove_matrix(np.full((4, 400), 127, np.int8), constants_for(4)) is not None


@given(st.sampled_from(list(Activation)), st.booleans(), st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_linear_sums_are_exact_where_they_are_found(activation: Activation, equal: bool, seed: int) -> None:
    graph = add_graph(np.random.default_rng(seed), (1, 1, 1, 4), activation, equal)
    constants = add_constants(graph, graph.operators[0])
    linear = find_linear_sum(constants)
    if linear is not None:
        expected = reference_sums(constants).clip(INT8_MIN, INT8_MAX)
        np.testing.assert_array_equal(linear_sums(linear), expected)


@pytest.mark.parametrize(("value", "word"), [(0, 0), (1, 0x01010101), (-1, -1), (-128, -0x7F7F7F80)])
def test_bytes_of(value: int, word: int) -> None:
    assert bytes_of(value) == word


def test_initialisers_name_symbols() -> None:
    lowered: LoweredOp = pixelwise("mcu_lookup", "{.table = $table, .channels = 4}")
    assert lowered.initialiser({"table": "op7_table"}) == "{.table = op7_table, .channels = 4}"
    with pytest.raises(KeyError):
        lowered.initialiser({})
