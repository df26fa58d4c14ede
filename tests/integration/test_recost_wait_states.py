"""A kept run costed at other wait states is the run that would have been there."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from mcusim import chips, trace
from mcusim.chips import Chip
from mcusim.errors import InputError
from mcusim.profile.document import chip_info
from mcusim.recost import recost
from mcusim.simulate import simulate
from mcusim.timing.chip_flash import flash_range

Demo = Callable[[str], bytes]
RUN_ON = "stm32f407"


def _chip(name: str, states: int) -> Chip:
    return chips.adjusted(chips.load(name), wait_states=states)


def _again(kept: trace.Trace, chip: Chip, model: str = "") -> trace.Trace:
    return recost(kept, model=model or kept.timing.model, chip=chip_info(chip), flash=flash_range(chip))


def _call_tree(document: trace.Trace) -> list[tuple[str, int, int, int]]:
    """Function, parent, calls and cycles of each node."""
    names = [function.name for function in document.functions]
    return [(names[node.function], node.parent, node.calls, node.cycles) for node in document.call_tree]


@pytest.fixture(params=[0, 4], ids=["run at none", "run at 4"])
def kept(demo_elf: Demo, request: pytest.FixtureRequest) -> trace.Trace:
    return simulate(demo_elf("network"), _chip(RUN_ON, request.param), survey_flashes=True).trace


@pytest.mark.parametrize(
    ("name", "states"), [(RUN_ON, 0), (RUN_ON, 5), ("stm32f412zg", 15), ("stm32l4r5", 1), ("stm32l4r5", 5)]
)
def test_it_is_the_run_that_would_have_been(
    demo_elf: Demo, kept: trace.Trace, name: str, states: int
) -> None:
    chip = _chip(name, states)
    again, fresh = _again(kept, chip), simulate(demo_elf("network"), chip).trace
    assert (again.chip, again.totals, again.timing) == (fresh.chip, fresh.totals, fresh.timing)
    assert (again.layers, again.inferences) == (fresh.layers, fresh.inferences)
    assert _call_tree(again) == _call_tree(fresh)
    assert {f.name: f for f in again.functions} == {f.name: f for f in fresh.functions}
    assert not again.hot_instructions or again.totals == kept.totals


def test_the_cores_count_the_same_reads(demo_elf: Demo, kept: trace.Trace) -> None:
    chip = _chip(RUN_ON, kept.chip.wait_states)
    twin = simulate(demo_elf("network"), chip, survey_flashes=True, core="twin").trace
    assert twin.execution == kept.execution


def test_counting_reads_changes_no_figure(demo_elf: Demo, kept: trace.Trace) -> None:
    plain = simulate(demo_elf("network"), _chip(RUN_ON, kept.chip.wait_states)).trace
    assert plain.execution is not None
    own = 3 if plain.chip.wait_states else 0
    assert plain.execution.flashes == (kept.execution.flashes[:own] if kept.execution else ())
    assert (plain.totals, plain.layers, plain.memory) == (kept.totals, kept.layers, kept.memory)


def test_without_the_memory_measurement_constants_are_not_charged_either(demo_elf: Demo) -> None:
    elf, chip = demo_elf("network"), _chip(RUN_ON, 5)
    unmeasured = simulate(elf, RUN_ON, memory=False, survey_flashes=True).trace
    assert _again(unmeasured, chip).totals == simulate(elf, chip, memory=False).trace.totals


def test_prefetch_under_another_fetch_machine_hides_nearly_the_same(
    demo_elf: Demo, kept: trace.Trace
) -> None:
    chip = _chip(RUN_ON, 5)
    again = _again(kept, chip, model="m1")
    fresh = simulate(demo_elf("network"), chip, model="m1").trace
    assert again.totals.cycles == pytest.approx(fresh.totals.cycles, rel=0.002)


def test_a_flash_of_another_kind_is_refused(kept: trace.Trace) -> None:
    with pytest.raises(InputError, match="how often a flash like that of nrf52840 would be read"):
        _again(kept, _chip("nrf52840", 2))


def test_a_trace_that_did_not_count_reads_says_how_to(demo_elf: Demo) -> None:
    bare = simulate(demo_elf("network"), RUN_ON).trace
    assert _again(bare, _chip("stm32l4r5", 0)).totals.cycles == bare.totals.cycles
    with pytest.raises(
        InputError, match=r"is of 0 wait states on stm32f407 .* run the firmware again with -o"
    ):
        _again(bare, _chip(RUN_ON, 5))


def test_damaged_reads_say_so(kept: trace.Trace) -> None:
    assert kept.execution is not None
    flashes = tuple(
        msgspec.structs.replace(flash, reads=flash.reads[:-8]) for flash in kept.execution.flashes
    )
    damaged = msgspec.structs.replace(kept.execution, flashes=flashes)
    with pytest.raises(InputError, match="flash reads in the trace cannot be read"):
        _again(msgspec.structs.replace(kept, execution=damaged), _chip(RUN_ON, 3))
