"""Schedules: specifications, the document, and which ones a network can have."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from mcusim import network
from mcusim.compiler.schedule import Schedule, Stage, dump, parse_spec, patch_ends, validate
from mcusim.errors import ScheduleError, UsageError
from mcusim.network.graph import Graph


@pytest.fixture(scope="module")
def graph() -> Graph:
    return network.load("zoo:mobilenet_v2?width=0.35&resolution=96")


def test_layer_is_one_stage_of_all_operators(graph: Graph) -> None:
    schedule = parse_spec("layer", graph)
    last = graph.operators[-1].index
    assert schedule.stages == (Stage(first=0, last=last, mode="op"),)
    assert schedule.input_in == "sram"


def test_patch_spec_is_a_patch_stage_and_the_rest(graph: Graph) -> None:
    schedule = parse_spec("patch:4x3@12", graph, "flash")
    assert schedule.stages[0] == Stage(first=0, last=12, mode="patch", grid=(4, 3))
    assert schedule.stages[1].first == 13
    assert schedule.name == "patch:4x3@12"
    assert schedule.input_in == "flash"


def test_a_schedule_file_means_what_was_written(graph: Graph, tmp_path: Path) -> None:
    schedule = parse_spec("patch:2x2@5", graph, "flash")
    path = tmp_path / "two.json"
    path.write_bytes(dump(schedule))
    assert parse_spec(str(path), graph) == schedule
    assert parse_spec(str(path), graph, "sram").input_in == "sram"


@pytest.mark.parametrize("spec", ["", "layers", "patch:2@3", "patch:2x2", "patch:-1x2@3", "bands", "bands:2"])
def test_other_words_are_wrong_usage(graph: Graph, spec: str) -> None:
    with pytest.raises(UsageError, match="is not layer"):
        parse_spec(spec, graph)


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("patch:2x2@999", "has no operator 999"),
        ("patch:0x2@5", "at least 1x1 patches"),
        ("patch:25x2@5", "25x2 patches are more than operator 5's output has pixels"),
        ("patch:2x2@6", "2 tensors are live behind operator 6.*may end at operator 0, 1, 2"),
        ("patch:2x2@63", r"operator \d+ \(AVERAGE_POOL_2D|RESHAPE|FULLY_CONNECTED\) cannot be computed"),
    ],
)
def test_impossible_patch_stages_say_why(graph: Graph, spec: str, sentence: str) -> None:
    with pytest.raises(ScheduleError, match=sentence) as caught:
        parse_spec(spec, graph)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_schedule(graph: Graph, tmp_path: Path) -> None:
    with pytest.raises(ScheduleError, match="No such file"):
        parse_spec(str(tmp_path / "none.json"), graph)
    (tmp_path / "bad.json").write_text('{"format": "mcusim.schedule", "version": 2}')
    with pytest.raises(ScheduleError, match="not an mcusim schedule of version 1"):
        parse_spec(str(tmp_path / "bad.json"), graph)


def test_stages_cover_the_network_in_order(graph: Graph) -> None:
    last = graph.operators[-1].index
    whole = Schedule(name="x", stages=(Stage(first=0, last=last, mode="op"),))
    validate(whole, graph)
    gap = (Stage(first=0, last=3, mode="op"), Stage(first=5, last=last, mode="op"))
    with pytest.raises(ScheduleError, match="does not start right behind"):
        validate(msgspec.structs.replace(whole, stages=gap), graph)
    short = (Stage(first=0, last=3, mode="op"),)
    with pytest.raises(ScheduleError, match="leaves out operators from 4 on"):
        validate(msgspec.structs.replace(whole, stages=short), graph)


def test_a_patch_stage_ends_where_one_tensor_is_live(graph: Graph) -> None:
    """Operator 5's output is both block 3's input and its residual: inside the block two tensors live."""
    ends = patch_ends(graph)
    assert ends[:10] == (0, 1, 2, 3, 4, 5, 9, 10, 11, 12)
    for last in ends:
        parse_spec(f"patch:1x1@{last}", graph)


def test_the_documented_schedule_is_one() -> None:
    """The example of docs/compiler.md, on a network with as many operators as it names."""
    document = Path(__file__).parents[2] / "docs" / "compiler.md"
    example = document.read_text(encoding="utf-8").partition("```json\n")[2].partition("```")[0]
    schedule = msgspec.json.decode(example, type=Schedule)
    network_of_it = network.load("zoo:mobilenet_v1?width=0.25&resolution=96&classes=2")
    assert network_of_it.operators[-1].index == schedule.stages[-1].last
    validate(schedule, network_of_it)
