"""From counts to functions and layers, on call trees made by hand."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from mcusim.core.interface import CallNode, Counts, StackRecord
from mcusim.image import Function, Image
from mcusim.image.lines import LineTable
from mcusim.image.symbols import SymbolTable
from mcusim.profile import LayerMark, build, document

NAMES = ("main", "layer_a", "layer_b", "helper")
FUNCTIONS = tuple(Function(name, 0x100 * (i + 1), 0x100 * (i + 1) + 0x80) for i, name in enumerate(NAMES))
MAIN, LAYER_A, LAYER_B, HELPER = (function.start for function in FUNCTIONS)
IMAGE = Image("x.elf", "", 0, (), (), FUNCTIONS, SymbolTable(), None, LineTable(b""))
MARKS = (
    LayerMark(index=4, name="a", op="CONV_2D", symbol="layer_a", start=LAYER_A),
    LayerMark(index=7, name="b", op="ADD", symbol="layer_b", start=LAYER_B),
    LayerMark(index=8, name="free", op="RESHAPE", symbol="", start=None),
)


def _counts(nodes: Sequence[CallNode]) -> Counts:
    return Counts(
        cycles=sum(node.cycles_self for node in nodes),
        instructions=sum(node.instructions_self for node in nodes),
        runs=(),
        nodes=nodes,
        layers=(),
        stacks=(StackRecord(0x2000_1000, 0x2000_0F00, (MAIN, LAYER_A)),),
    )


def test_layers_and_rest_of_a_small_tree() -> None:
    nodes = [
        CallNode(MAIN, -1, 1, 10, 5),
        CallNode(LAYER_A, 0, 2, 100, 50),
        CallNode(HELPER, 1, 6, 30, 15),
        CallNode(HELPER, 0, 1, 7, 3),
        CallNode(LAYER_B, 1, 1, 1000, 500),
    ]
    profile = build(_counts(nodes), IMAGE, MARKS, 0x2000_1000)
    first, second, free = profile.layers
    assert (first.calls, first.cycles, first.instructions) == (2, 1130, 565)
    assert (second.calls, second.cycles) == (0, 0)
    assert (free.calls, free.cycles) == (0, 0)
    assert profile.rest_cycles == 17
    assert profile.stack_bytes == 0x100
    assert profile.stack_chain == ("main", "layer_a")
    helper = next(cost for cost in profile.functions if cost.name == "helper")
    assert (helper.calls, helper.cycles_self, helper.cycles_total) == (7, 37, 37)
    assert profile.functions[0].name == "layer_b"


def test_recursion_counts_once_in_the_total() -> None:
    nodes = [
        CallNode(MAIN, -1, 1, 1, 1),
        CallNode(HELPER, 0, 1, 10, 1),
        CallNode(HELPER, 1, 1, 20, 1),
        CallNode(LAYER_A, 2, 1, 40, 1),
        CallNode(HELPER, 3, 1, 80, 1),
    ]
    profile = build(_counts(nodes), IMAGE, (), 0)
    helper = next(cost for cost in profile.functions if cost.name == "helper")
    assert (helper.calls, helper.cycles_self, helper.cycles_total) == (3, 110, 150)


def test_code_without_a_symbol_is_named_by_its_address() -> None:
    profile = build(_counts([CallNode(0x9000, -1, 1, 5, 2)]), IMAGE, MARKS, 0)
    assert profile.functions[0].name == "0x00009000"


@st.composite
def _trees(draw: st.DrawFn) -> list[CallNode]:
    nodes = [CallNode(MAIN, -1, 1, draw(st.integers(0, 50)), 1)]
    for _ in range(draw(st.integers(0, 20))):
        parent = draw(st.integers(0, len(nodes) - 1))
        function = draw(st.sampled_from(FUNCTIONS)).start
        nodes.append(CallNode(function, parent, 1, draw(st.integers(0, 50)), 1))
    return nodes


@given(_trees())
def test_sums_hold_on_every_tree(nodes: list[CallNode]) -> None:
    profile = build(_counts(nodes), IMAGE, MARKS, 0)
    assert sum(layer.cycles for layer in profile.layers) + profile.rest_cycles == profile.cycles
    assert sum(cost.cycles_self for cost in profile.functions) == profile.cycles
    main = next(cost for cost in profile.functions if cost.name == "main")
    assert main.cycles_total == profile.cycles
    assert all(cost.cycles_self <= cost.cycles_total <= profile.cycles for cost in profile.functions)


def test_the_call_tree_names_functions_by_position_and_joins_equal_siblings() -> None:
    nodes = [
        CallNode(MAIN, -1, 1, 10, 5),
        CallNode(HELPER, 0, 2, 100, 50),
        CallNode(HELPER + 4, 0, 1, 1, 1),
        CallNode(LAYER_A, 2, 1, 7, 3),
    ]
    profile = build(_counts(nodes), IMAGE, (), 0)
    names = [cost.name for cost in profile.functions]
    tree = document.call_tree(profile, document.fold_tree(profile, IMAGE))
    rows = [(names[n.function], n.parent, n.calls, n.cycles, n.instructions) for n in tree]
    assert rows == [("main", -1, 1, 10, 5), ("helper", 0, 3, 101, 51), ("layer_a", 1, 1, 7, 3)]


def test_the_call_tree_folds_recursion() -> None:
    nodes = [
        CallNode(MAIN, -1, 1, 1, 1),
        *(CallNode((HELPER, LAYER_A)[depth % 2], depth, 1, 10, 1) for depth in range(5000)),
        CallNode(LAYER_B, 5000, 3, 7, 1),
    ]
    profile = build(_counts(nodes), IMAGE, (), 0)
    tree = document.call_tree(profile, document.fold_tree(profile, IMAGE))
    names = [profile.functions[node.function].name for node in tree]
    assert names == ["main", "helper", "layer_a", "layer_b"]
    assert [node.parent for node in tree] == [-1, 0, 1, 2]
    assert [node.calls for node in tree] == [1, 2500, 2500, 3]


@given(_trees())
def test_the_call_tree_keeps_every_cycle(nodes: list[CallNode]) -> None:
    profile = build(_counts(nodes), IMAGE, (), 0)
    tree = document.call_tree(profile, document.fold_tree(profile, IMAGE))
    assert sum(node.cycles for node in tree) == profile.cycles
    assert all(node.parent < index for index, node in enumerate(tree))
    assert len({(node.parent, node.function) for node in tree}) == len(tree)
