"""What must hold of every network on the machine, whatever its figures are."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from mcusim import chips, image, network, trace
from mcusim.compiler.build import BuildResult, build
from mcusim.compiler.schedule import parse_spec
from mcusim.simulate import SimulationResult, simulate

CHIP = "stm32f412zg"
NETWORKS = [
    ("zoo:autoencoder", "layer"),
    ("zoo:ds_cnn", "layer"),
    ("zoo:resnet8", "patch:2x2@3"),
    ("zoo:mobilenet_v1?width=0.25&resolution=96", "layer"),
]


@pytest.fixture(scope="module", params=NETWORKS, ids=lambda item: "@".join(item).removeprefix("zoo:"))
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    model, spec = request.param
    graph = network.load(model)
    folder = tmp_path_factory.mktemp("networks")
    return build(graph, parse_spec(spec, graph, "sram"), chips.load(CHIP), out=folder / "x.elf")


@pytest.fixture(scope="module")
def result(built: BuildResult) -> SimulationResult:
    return _infer(built.elf)


def _infer(elf: Path) -> SimulationResult:
    layers = image.load(elf).layers
    assert layers is not None
    port = layers.inputs[0]
    numbers = np.random.default_rng(7).integers(-128, 128, port.shape)
    return simulate(elf, CHIP, inputs=[numbers.astype(port.dtype)])


def test_the_books_balance(result: SimulationResult) -> None:
    total = result.trace.totals.cycles
    assert result.error is None
    assert sum(layer.cycles for layer in result.trace.layers) + result.profile.rest_cycles == total
    assert sum(function.cycles_self for function in result.trace.functions) == total
    costs = result.instruction_costs()
    assert sum(cost.cycles for cost in costs.values()) == total
    assert 0 <= result.profile.rest_cycles < total // 100


def test_layer_records_agree_with_the_call_tree(result: SimulationResult) -> None:
    records = {record.function: record for record in result.profile.counts.layers}
    for cost in result.profile.layers:
        if cost.mark.start is not None:
            record = records[cost.mark.start]
            assert (record.cycles, record.calls) == (cost.cycles, cost.calls)
            assert cost.calls == cost.mark.planned_calls


def test_measured_memory_is_the_planned_one(built: BuildResult, result: SimulationResult) -> None:
    memory = result.trace.memory
    assert memory.arena_high_water_bytes == memory.arena_bytes == built.plan.arena_bytes
    assert memory.scratch_bytes == built.plan.scratch_bytes
    parts = (memory.static_bytes, memory.arena_bytes, memory.scratch_bytes, memory.stack_bytes)
    assert memory.sram_peak_bytes == sum(parts) + memory.heap_bytes
    assert 0 < max(layer.stack_bytes for layer in result.trace.layers) < memory.stack_bytes


def test_two_runs_give_the_same_bytes(built: BuildResult, result: SimulationResult) -> None:
    again = _infer(built.elf)
    host = trace.Host(seconds=0.0, mcusim_version="")
    documents = [trace.dump(msgspec.structs.replace(run.trace, host=host)) for run in (result, again)]
    assert documents[0] == documents[1]
    assert again.outputs[0][0].tobytes() == result.outputs[0][0].tobytes()


def test_the_twin_counts_a_whole_network_alike(tmp_path: Path) -> None:
    graph = network.load("zoo:autoencoder")
    elf = build(graph, parse_spec("layer", graph, "sram"), chips.load(CHIP), out=tmp_path / "x.elf").elf
    native = simulate(elf, CHIP)
    twin = simulate(elf, CHIP, core="twin")
    assert twin.profile.counts == native.profile.counts
