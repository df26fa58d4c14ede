"""The order of operators: against all orders that the data flow allows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcusim import network
from mcusim.compiler.memory_plan import plan_memory
from mcusim.compiler.schedule import parse_spec
from mcusim.network import executor, order
from mcusim.network.graph import Graph, Operator, OpKind, Tensor


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Up to six operators that read any one or two tensors made before; what nobody reads is an output."""
    sizes = [draw(st.integers(1, 9))]
    operators: list[Operator] = []
    for index in range(draw(st.integers(1, 6))):
        inputs = draw(st.lists(st.integers(0, index), min_size=1, max_size=2, unique=True))
        operators.append(Operator(index, OpKind.ADD, tuple(inputs), (index + 1,)))
        sizes.append(draw(st.integers(1, 9)))
    read = {tensor for op in operators for tensor in op.inputs}
    outputs = [t for t in range(1, len(sizes)) if t not in read]
    if draw(st.booleans()):
        outputs = list({*outputs, draw(st.integers(1, len(sizes) - 1))})
    tensors = {t: Tensor(t, f"t{t}", (1, 1, 1, size), "int8") for t, size in enumerate(sizes)}
    return Graph("flow", tensors, tuple(operators), (0,), tuple(outputs))


def all_orders(graph: Graph) -> Iterator[tuple[Operator, ...]]:
    def extend(done: tuple[Operator, ...], known: frozenset[int]) -> Iterator[tuple[Operator, ...]]:
        if len(done) == len(graph.operators):
            yield done
        for op in graph.operators:
            if op not in done and known.issuperset(op.inputs):
                yield from extend((*done, op), known | {*op.outputs})

    return extend((), frozenset(graph.inputs))


def live_bytes(graph: Graph, operators: tuple[Operator, ...]) -> list[int]:
    """Bytes of every step, the fullest first, from the definition: made by then, and read or kept from then
    on."""
    steps = []
    for position in range(len(operators)):
        made = {*graph.inputs, *(t for op in operators[: position + 1] for t in op.outputs)}
        needed = {*graph.outputs, *(t for op in operators[position:] for t in (*op.inputs, *op.outputs))}
        steps.append(sum(graph.tensors[t].bytes for t in made & needed))
    return sorted(steps, reverse=True)


@given(graphs())
@settings(max_examples=100, deadline=None)
def test_no_order_needs_less(graph: Graph) -> None:
    found = order.reorder(graph)
    orders = list(all_orders(graph))
    assert found.operators in orders
    assert live_bytes(graph, found.operators) == min(live_bytes(graph, other) for other in orders)
    assert (found.inputs, found.outputs) == (graph.inputs, graph.outputs)


def test_an_order_that_cannot_be_improved_stays() -> None:
    graph = network.load("zoo:mobilenet_v2?width=0.35&resolution=96&classes=10")
    assert order.reorder(graph) is graph


def test_a_narrow_search_still_finds_an_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order, "WIDTH", 1)
    graph = network.load("zoo:resnet8", simplify=False)
    found = order.reorder(graph)
    assert sorted(op.index for op in found.operators) == [op.index for op in graph.operators]


def test_the_heads_of_a_detector_run_one_after_the_other(models: Path) -> None:
    """A stream's arena falls; the outputs stay what and where they are."""
    path = models / "mcunet_detection.tflite"
    graph = network.load(path)
    assert [op.index for op in graph.operators] != sorted(op.index for op in graph.operators)
    assert plan_memory(graph, parse_spec("stream", graph, "flash")).arena_bytes <= 30080
    given_input = np.load(models / "mcunet_detection.rand.in.npy")
    outputs = executor.outputs(graph, [given_input])
    assert len(outputs) == 3
    for number, output in enumerate(outputs):
        np.testing.assert_array_equal(output, np.load(models / f"mcunet_detection.rand.out{number}.npy"))
