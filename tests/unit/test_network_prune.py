"""Pruning by proof: fewer channels, the same outputs for every input."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path

import numpy as np
import pytest

from mcusim import network
from mcusim.network import executor, geometry, validate
from mcusim.network.bounds import channel_bounds
from mcusim.network.graph import Activation, Graph, OpKind
from mcusim.network.prune import prune
from mcusim.network.zoo.builder import Builder


def with_dead_channels(graph: Graph, rng: random.Random, share: float) -> Graph:
    """``graph`` with channels whose weights are all zero; with their biases as they are, so that some come
    out as the zero point and others as some other constant."""
    tensors = dict(graph.tensors)
    for op in graph.operators:
        if op.kind not in (OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D):
            continue
        weights = tensors[op.inputs[1]]
        data = np.array(weights.data).reshape(weights.shape)
        axis = 0 if op.kind is OpKind.CONV_2D else 3
        dead = [channel for channel in range(data.shape[axis]) if rng.random() < share]
        np.moveaxis(data, axis, 0)[dead] = 0
        tensors[weights.index] = dataclasses.replace(weights, data=data)
    return dataclasses.replace(graph, tensors=tensors)


def separable(seed: int, *, padded: bool = True) -> Graph:
    """Convolutions and depthwise ones in turn, with a branch and a residual addition."""
    rng = random.Random(seed)
    net = Builder("separable", f"separable-{seed}")
    x = net.conv(net.image_input(9, 7, 3), 16, (3, 3) if padded else (1, 1), 1, Activation.RELU6)
    for _ in range(3):
        if padded:
            x = net.depthwise(x, 3, rng.choice([1, 2]), Activation.RELU6)
        x = net.conv(x, rng.choice([16, 20, 24]), activation=rng.choice(list(Activation)[:3]))
    x = net.add(x, net.conv(net.conv(x, 32, activation=Activation.RELU), net.channels(x)))
    x = net.conv(x, 24, activation=Activation.RELU6)
    return with_dead_channels(net.graph(net.dense(net.flatten(net.global_average_pool(x)), 5)), rng, 0.5)


def pictures(graph: Graph, count: int) -> np.ndarray:
    shape = graph.tensors[graph.inputs[0]].shape
    return np.random.default_rng(0).integers(-128, 128, (count, *shape[1:]), dtype=np.int8)


@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("seed", range(12))
def test_outputs_stay_the_same(seed: int, padded: bool) -> None:
    graph = separable(seed, padded=padded)
    pruned = prune(graph)
    validate.check(pruned.graph)
    assert pruned.channels > 0
    assert geometry.total_macs(graph) - pruned.macs == geometry.total_macs(pruned.graph)
    x = pictures(graph, 16)
    for before, after in zip(executor.outputs(graph, [x]), executor.outputs(pruned.graph, [x]), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("seed", range(6))
def test_bounds_hold_for_every_activation(seed: int) -> None:
    graph = separable(seed)
    values = executor.run(graph, [pictures(graph, 16)])
    for index, bounds in channel_bounds(graph).items():
        channels = values[index].reshape(-1, len(bounds.low))
        assert (channels.min(axis=0) >= bounds.low).all()
        assert (channels.max(axis=0) <= bounds.high).all()


def test_what_is_left_comes_in_whole_blocks() -> None:
    pruned = prune(separable(3)).graph
    widths = [pruned.output_of(op).shape[-1] for op in pruned.operators if op.kind is OpKind.CONV_2D]
    assert all(width % 4 == 0 for width in widths)


def test_nothing_goes_from_a_network_that_uses_all_of_it() -> None:
    graph = network.load("zoo:tiny")
    pruned = prune(graph)
    assert pruned.graph is graph
    assert (pruned.channels, pruned.macs, pruned.provenance) == (0, 0, {})


def test_weights_that_two_layers_share_stay() -> None:
    net = Builder("twice", "twice")
    x = net.conv(net.image_input(6, 6, 2), 16, activation=Activation.RELU6)
    first = net.depthwise(x, 3, 1, Activation.RELU6)
    second = net.depthwise(first, 3, 1, Activation.RELU6)
    graph = with_dead_channels(net.graph(net.conv(second, 8)), random.Random(0), 0.5)
    one, two = [op for op in graph.operators if op.kind is OpKind.DEPTHWISE_CONV_2D]
    shared = dataclasses.replace(two, inputs=(two.inputs[0], *one.inputs[1:]))
    operators = tuple(shared if op is two else op for op in graph.operators)
    twice = dataclasses.replace(graph, operators=operators)
    smaller = prune(twice).graph
    assert smaller.input_of(shared).shape[-1] == 16
    x = pictures(twice, 4)
    np.testing.assert_array_equal(executor.outputs(twice, [x])[0], executor.outputs(smaller, [x])[0])


def test_half_of_visual_wake_words_is_without_effect(models: Path) -> None:
    """The MLPerf Tiny network has layers of which nine channels in ten never change; X-CUBE-AI, which removes
    some of them, runs 4.65 of its 7.49 million MACs."""
    graph = network.load(models / "vww_96_int8.tflite")
    pruned = prune(graph)
    assert geometry.total_macs(pruned.graph) == 3_766_476
    for kind in ("rand", "ramp", "photo", "photo2"):
        x, wanted = (np.load(models / f"vww_96_int8.{kind}.{side}.npy") for side in ("in", "out"))
        np.testing.assert_array_equal(executor.outputs(pruned.graph, [x])[0], wanted)
