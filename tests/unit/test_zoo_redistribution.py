"""Receptive-field redistribution of the zoo's networks of inverted residuals."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcusim import chips
from mcusim.cli.application import invoke
from mcusim.compiler.build import build
from mcusim.compiler.schedule import parse_spec
from mcusim.errors import UsageError
from mcusim.network import executor, geometry, load, zoo
from mcusim.network.graph import OpKind
from mcusim.network.zoo.redistribution import redistribute, stage_end
from mcusim.search import redistribution
from mcusim.simulate import simulate

TABLES = {name: known.table for name, known in zoo.ARCHITECTURES.items() if known.table is not None}
SMALL = "zoo:mobilenet_v2?width=0.35&resolution=64&classes=4"


@pytest.mark.parametrize("name", TABLES)
@settings(max_examples=10, deadline=None)
@given(count=st.integers(2, 6), width=st.sampled_from([0.35, 0.5, 1.0]), resolution=st.integers(96, 256))
def test_what_is_saved_is_spent_behind_the_stage_and_no_more(
    name: str, count: int, width: float, resolution: int
) -> None:
    table = TABLES[name]
    moved = redistribute(table, count, width, resolution)
    stage = moved.table.blocks[: moved.stage_blocks]
    assert [b.channels for b in stage] == list(dict.fromkeys(b.channels for b in table.blocks[:count]))
    assert all(block.kernel <= 3 for block in stage)
    before, after = table.blocks[count:], moved.table.blocks[moved.stage_blocks :]
    assert sum(b.kernel for b in after) >= sum(b.kernel for b in before)
    strides = [b.stride for b in table.blocks if b.stride > 1]
    assert [b.stride for b in moved.table.blocks if b.stride > 1] == strides


@pytest.mark.parametrize("name", TABLES)
def test_macs_stay(name: str) -> None:
    query = "width=0.5&resolution=96&classes=10"
    before, after = (
        geometry.total_macs(load(f"zoo:{name}?{query}{more}")) for more in ("", "&redistribute=4")
    )
    assert 0.99 * before < after <= before


@pytest.mark.parametrize("name", TABLES)
def test_the_stage_ends_behind_its_last_block(name: str) -> None:
    graph = load(f"zoo:{name}?width=0.5&resolution=64&classes=4")
    for count, block in enumerate(TABLES[name].blocks, start=1):
        last = stage_end(TABLES[name], count, 0.5)
        op = next(op for op in graph.operators if op.index == last)
        assert op.kind in {OpKind.CONV_2D, OpKind.ADD}
        following = next(op for op in graph.operators if op.index == last + 1)
        assert following.kind in {OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D}
        assert graph.output_of(op).shape[-1] == zoo.blocks.round_channels(block.channels * 0.5)


def test_halo_and_field_shrink_as_published() -> None:
    """The published factors, 1.42 and 1.18, count every patch as large as an inner one."""
    before, after = redistribution.compare("zoo:mobilenet_v2", 4, (4, 4), chips.load("mps2-an386"), "flash")
    assert (before.field, after.field) == ((75, 75), (63, 63))
    assert 1.3 < before.stage_factor < 1.42
    assert 1.1 < after.stage_factor < 1.18
    assert after.mac_factor < before.mac_factor


def test_the_redistributed_network_runs_bit_exact(tmp_path_factory: pytest.TempPathFactory) -> None:
    graph, chip = load(f"{SMALL}&redistribute=4"), chips.load("stm32f412zg")
    schedule = parse_spec("patch:2x2@8", graph, "flash")
    elf = build(graph, schedule, chip, out=tmp_path_factory.mktemp("build") / "net.elf").elf
    image = np.random.default_rng(1).integers(-128, 128, (1, 64, 64, 3), dtype=np.int8)
    (outputs,) = simulate(elf, chip, inputs=[image]).outputs
    np.testing.assert_array_equal(outputs[0], executor.outputs(graph, [image])[0])


def test_the_command_shows_both_sides(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["redistribute", SMALL, "--grid", "2x2"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"cycles, measured +[\d,]{9,} +[\d,]{9,} +-\d", text)
    assert "redistribute=4, its schedule patch:2x2@8" in " ".join(text.split())
    assert re.search(r"\| +MB6 3x3 24\n", text)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["zoo:resnet8"], "has no blocks to redistribute"),
        (["zoo:mobilenet_v2?redistribute=4"], "is redistributed already"),
        (["zoo:mobilenet_v2", "--blocks", "17"], "can have 1 to 16"),
        (["zoo:mobilenet_v2", "--grid", "4"], "'4' is not a grid such as 4x4"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["redistribute", *arguments, "--plan-only"]) == UsageError.exit_code
    said = capsys.readouterr().err
    assert sentence in said
    assert len(said.splitlines()) == 1
