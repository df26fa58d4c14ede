"""Exports: every format carries the whole call tree, and its consumer understands it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import example_trace
import jsonschema
import msgspec
import pytest
import trace_processor

from mcusim import trace
from mcusim.cli.application import invoke
from mcusim.errors import InputError
from mcusim.report.call_tree import frames, layer_labels
from mcusim.report.export import FORMATS, speedscope

NAMES = ("main", "layer_000", "conv", "layer_003", "gemm; row")
TREE = (
    (0, -1, 1, 1_000),
    (1, 0, 1, 20),
    (2, 1, 9, 899_980),
    (3, 0, 1, 15),
    (4, 3, 4, 89_000),
    (2, 3, 1, 985),
)
"""Function, parent, calls and own cycles; instructions are half of the cycles."""
TOTAL = sum(cycles for _, _, _, cycles in TREE)


def called() -> trace.Trace:
    """The example with a call tree: ``conv`` is called in both layers."""
    functions = tuple(example_trace.function(name, 0) for name in NAMES)
    nodes = tuple(
        trace.CallTreeNode(function=f, parent=parent, calls=calls, cycles=cycles, instructions=cycles // 2)
        for f, parent, calls, cycles in TREE
    )
    first = example_trace.trace()
    instructions = sum(node.instructions for node in nodes)
    totals = msgspec.structs.replace(first.totals, cycles=TOTAL, instructions=instructions)
    return example_trace.changed(functions=functions, call_tree=nodes, totals=totals)


def test_frames_have_inclusive_cycles_and_the_labels_of_layers() -> None:
    tree = frames(called())
    assert tree[0].total_cycles == TOTAL
    assert tree[1].label == "#0 CONV_2D layer_000"
    assert (tree[3].cycles, tree[3].total_cycles, tree[3].children) == (15, 90_000, (4, 5))
    assert set(layer_labels(called())) == {"layer_000", "layer_003"}


@pytest.mark.parametrize("name", FORMATS)
def test_a_trace_without_a_call_tree_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="has no call tree"):
        FORMATS[name](example_trace.trace())


def test_collapsed_stacks_add_up() -> None:
    lines = FORMATS["collapsed"](called()).decode().splitlines()
    assert lines[0] == "main 1000"
    assert lines[4] == "main;#3 FULLY_CONNECTED layer_003;gemm: row 89000"
    assert sum(int(line.rpartition(" ")[2]) for line in lines) == TOTAL


def test_speedscope_has_what_its_schema_requires() -> None:
    document = json.loads(FORMATS["speedscope"](called()))
    assert document["$schema"] == speedscope.SCHEMA
    assert document["name"] == "small.elf @ layer"
    names = [frame["name"] for frame in document["shared"]["frames"]]
    assert len(names) == len(set(names)) == 5
    cycles, instructions = document["profiles"]
    assert instructions["name"] == "instructions"
    assert set(cycles) == {"type", "name", "unit", "startValue", "endValue", "samples", "weights"}
    assert (cycles["type"], cycles["unit"], cycles["startValue"]) == ("sampled", "none", 0)
    assert len(cycles["samples"]) == len(cycles["weights"]) == 6
    assert cycles["endValue"] == sum(cycles["weights"]) == TOTAL
    spent = Counter[str]()
    for stack, weight in zip(cycles["samples"], cycles["weights"], strict=True):
        spent[names[stack[-1]]] += weight
    assert spent["conv"] == 899_980 + 985


def test_speedscope_keeps_to_the_published_schema() -> None:
    """The schema is that of speedscope 1.25.0, as its npm package has it."""
    schema = json.loads((Path(__file__).parent / "speedscope" / "file-format-schema.json").read_text())
    document = json.loads(FORMATS["speedscope"](called()))
    jsonschema.validate(document, schema)
    document["profiles"][0]["samples"] = "none"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema)


@pytest.mark.skipif(shutil.which("callgrind_annotate") is None, reason="callgrind_annotate is not installed")
def test_callgrind_annotate_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "callgrind.out"
    path.write_bytes(FORMATS["callgrind"](called()))
    command = ["callgrind_annotate", "--threshold=100", "--tree=caller", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    plain = re.sub(r"\s*\([ \d.]+%\)", "", done.stdout).replace(",", "")
    assert re.search(rf"^ *{TOTAL} +\d+ +PROGRAM TOTALS", plain, re.MULTILINE)
    assert re.search(r"^ *899980 +449990 +< kernel\.c:#0 CONV_2D layer_000 \(9x\)", plain, re.MULTILINE)
    assert re.search(r"^ *900965 +450482 +\* +kernel\.c:conv", plain, re.MULTILINE)


def test_callgrind_inclusive_costs_are_those_of_the_tree() -> None:
    text = FORMATS["callgrind"](called()).decode()
    assert "cfn=#3 FULLY_CONNECTED layer_003\ncalls=1 7\n7 90000 44999\n" in text
    assert f"summary: {TOTAL} " in text


def test_perfetto_slices_nest_and_last_as_long_as_on_the_chip() -> None:
    protos = pytest.importorskip(
        "perfetto.protos.perfetto.trace.perfetto_trace_pb2", reason="the perfetto package is not installed"
    )
    document = protos.Trace()
    document.ParseFromString(FORMATS["perfetto"](called()))
    assert not any(map(_unknown_fields, document.packet))
    first, *events = document.packet
    assert first.track_descriptor.name == "small.elf @ layer on stm32f412zg, 100 MHz, 0 wait states"
    times = [packet.timestamp for packet in events]
    assert times == sorted(times)
    open_slices, lengths = [], []
    for packet in events:
        event = packet.track_event
        assert event.track_uuid == first.track_descriptor.uuid
        if event.type == event.TYPE_SLICE_BEGIN:
            notes = {note.name: note.uint_value for note in event.debug_annotations}
            open_slices.append((event.name, packet.timestamp, notes))
        else:
            name, start, notes = open_slices.pop()
            lengths.append((name, packet.timestamp - start, notes["cycles"]))
    assert not open_slices
    assert lengths[-1] == ("main", TOTAL * 10, 1000)
    assert ("#3 FULLY_CONNECTED layer_003", 900_000, 15) in lengths


def _unknown_fields(message: Any) -> list[int]:
    """Numbers of fields, at any depth, that Perfetto's own descriptors do not have."""
    from google.protobuf.unknown_fields import UnknownFieldSet

    found = [field.field_number for field in UnknownFieldSet(message)]
    for descriptor, value in message.ListFields():
        if descriptor.type == descriptor.TYPE_MESSAGE:
            inner = value if descriptor.is_repeated else [value]
            found += [number for one in inner for number in _unknown_fields(one)]
    return found


def test_trace_processor_finds_every_slice() -> None:
    rows = trace_processor.select(
        FORMATS["perfetto"](called()), "select name, dur, depth from slice order by ts, depth"
    )
    assert rows == [
        ("main", 9_910_000, 0),
        ("#0 CONV_2D layer_000", 9_000_000, 1),
        ("conv", 8_999_800, 2),
        ("#3 FULLY_CONNECTED layer_003", 900_000, 1),
        ("gemm; row", 890_000, 2),
        ("conv", 9_850, 2),
    ]


def test_export_writes_the_file_and_refuses_to_overwrite(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept, out = tmp_path / "run.json", tmp_path / "run.txt"
    kept.write_bytes(trace.dump(called()))
    arguments = ["export", str(kept), "--format", "collapsed", "-o", str(out)]
    assert invoke(arguments) == 0
    assert out.read_bytes() == FORMATS["collapsed"](called())
    assert invoke(arguments) == 2
    assert "exists; -f overwrites it" in capsys.readouterr().err
