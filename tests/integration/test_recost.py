"""A kept run costed again is the run that would have been."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from mcusim import chips, trace
from mcusim.errors import InputError, UsageError
from mcusim.profile.document import chip_info
from mcusim.recost import recost
from mcusim.simulate import simulate

Demo = Callable[[str], bytes]
CHIP = "stm32f412zg"
EVERYTHING_BUT = {"host", "timing"}


def _fields(document: trace.Trace) -> dict[str, object]:
    fields = msgspec.structs.asdict(document)
    return {name: value for name, value in fields.items() if name not in EVERYTHING_BUT}


@pytest.fixture
def network(demo_elf: Demo) -> trace.Trace:
    return simulate(demo_elf("network"), CHIP).trace


def test_the_same_model_gives_the_same_trace(network: trace.Trace) -> None:
    assert _fields(recost(network, model=network.timing.model, chip=network.chip)) == _fields(network)


@pytest.mark.parametrize("model", ["m1", "m2"])
def test_another_model_gives_the_figures_of_a_fresh_run(
    demo_elf: Demo, network: trace.Trace, model: str
) -> None:
    again = recost(network, model=model, chip=network.chip)
    fresh = simulate(demo_elf("network"), CHIP, model=model).trace
    assert (again.totals, again.layers, again.inferences) == (fresh.totals, fresh.layers, fresh.inferences)
    assert {f.name: f for f in again.functions} == {f.name: f for f in fresh.functions}
    assert again.timing == fresh.timing


def test_models_differ(network: trace.Trace) -> None:
    cycles = {recost(network, model=model, chip=network.chip).totals.cycles for model in ("m1", "m2")}
    assert cycles != {network.totals.cycles}


def test_another_chip_changes_the_time(network: trace.Trace) -> None:
    again = recost(network, model=network.timing.model, chip=chip_info(chips.load("nrf52840")))
    assert again.totals.cycles == network.totals.cycles
    assert again.totals.seconds == network.totals.cycles / 64_000_000
    assert again.chip.name == "nrf52840"


def test_low_and_high_enclose_the_cycles(network: trace.Trace) -> None:
    for part in (network.totals, *network.layers):
        assert 0 < part.cycles_low <= part.cycles <= part.cycles_high
    assert network.totals.cycles_low < network.totals.cycles_high


def test_recursion_is_costed_in_the_layer_that_caused_it(network: trace.Trace) -> None:
    again = recost(network, model="m1", chip=network.chip)
    tree = sum(node.cycles for node in again.call_tree)
    assert tree == again.totals.cycles == sum(function.cycles_self for function in again.functions)


def test_a_trace_without_its_execution_says_so(network: trace.Trace) -> None:
    bare = msgspec.structs.replace(network, execution=None)
    with pytest.raises(InputError, match="does not hold what was executed"):
        recost(bare, model=bare.timing.model, chip=network.chip)


def test_a_damaged_execution_says_so(network: trace.Trace) -> None:
    assert network.execution is not None
    broken = msgspec.structs.replace(network.execution, runs=network.execution.runs[:40])
    damaged = msgspec.structs.replace(network, execution=broken)
    with pytest.raises(InputError, match="execution in the trace cannot be read"):
        recost(damaged, model=damaged.timing.model, chip=network.chip)


def test_an_unknown_model_is_a_usage_error(network: trace.Trace) -> None:
    with pytest.raises(UsageError, match="no timing model named 'm9'"):
        recost(network, model="m9", chip=network.chip)
