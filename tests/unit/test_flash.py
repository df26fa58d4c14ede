"""Flash with wait states: the model's rules, and that both cores charge what it says."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcusim.timing.flash import AHEAD, CacheShape, FlashSurvey, FlashTiming, FlashUnit

START = 0x08000000
CODE, DATA = CacheShape(4, 4, 16), CacheShape(2, 2, 16)
FLASH = FlashTiming((START, 0), 1 << 16, 5, CODE, DATA, prefetch=True)
NO_PREFETCH = dataclasses.replace(FLASH, prefetch=False)
NOT_AHEAD = dataclasses.replace(NO_PREFETCH, runs_ahead=False)
NO_CACHE = dataclasses.replace(NO_PREFETCH, code=CacheShape(0, 1, 16), data=CacheShape(0, 1, 16))

RUNS = st.lists(
    st.tuples(st.integers(0, 40).map(lambda n: START + 4 * n), st.integers(1, 30), st.integers(1, 60)),
    min_size=1,
    max_size=40,
)


def _waits(timing: FlashTiming, runs: list[tuple[int, int, int]]) -> int:
    unit = FlashUnit(timing)
    return sum(unit.fetch(start, start + 2 * halfwords, cycles) for start, halfwords, cycles in runs)


def test_a_branch_to_a_line_that_is_not_cached_waits_for_all_of_it() -> None:
    unit = FlashUnit(FLASH)
    assert unit.fetch(START, START + 8, 4) == 5
    assert unit.fetch(START + 8, START + 16, 4) == 0
    assert unit.fetch(START + 64, START + 72, 4) == 5
    assert unit.fetch(START, START + 8, 4) == 0


def test_a_loop_inside_the_cache_waits_once() -> None:
    unit = FlashUnit(FLASH)
    first = unit.fetch(START, START + 64, 16)
    assert first == 5 + 3 * (5 + 1 - 4)
    assert [unit.fetch(START, START + 64, 16) for _ in range(3)] == [0, 0, 0]


def test_prefetch_hides_lines_that_take_long_enough() -> None:
    assert FlashUnit(FLASH).fetch(START, START + 64, 24) == 5
    assert FlashUnit(NOT_AHEAD).fetch(START, START + 64, 24) == 4 * 5


@pytest.mark.parametrize(("cycles", "waited"), [(16, 4 * 5), (20, 5 + 3 * (5 - 1)), (24, 5 + 3 * (5 - 2))])
def test_the_words_that_the_fetch_unit_holds_hide_what_code_takes_beyond_a_word_a_cycle(
    cycles: int, waited: int
) -> None:
    assert FlashUnit(NO_PREFETCH).fetch(START, START + 64, cycles) == waited


def test_held_words_last_only_so_long() -> None:
    slow = dataclasses.replace(NO_PREFETCH, wait_states=15)
    assert FlashUnit(slow).fetch(START, START + 32, 2 * 16) == 15 + 15 - (3 * 16 // 4 - 1)


def test_a_branch_empties_the_fetch_unit() -> None:
    unit = FlashUnit(NO_PREFETCH)
    assert unit.fetch(START, START + 16, 12) == 5
    assert unit.fetch(START + 16, START + 32, 12) == 5


def test_the_least_recently_used_line_is_replaced() -> None:
    unit = FlashUnit(NO_PREFETCH)
    for line in (0, 1, 2, 3, 0, 4):
        unit.fetch(START + 64 * line, START + 64 * line + 4, 2)
    assert unit.fetch(START, START + 4, 2) == 0
    assert unit.fetch(START + 64, START + 68, 2) == 5


def test_an_alias_is_the_same_flash_and_sram_does_not_wait() -> None:
    unit = FlashUnit(FLASH)
    assert unit.fetch(START, START + 8, 4) == 5
    assert unit.fetch(0, 8, 4) == 0
    assert unit.fetch(0x20000000, 0x20000040, 4) == 0
    assert unit.read(0x20000000) == 0


def test_constants_have_lines_of_their_own() -> None:
    unit = FlashUnit(FLASH)
    assert [unit.read(START + offset) for offset in (0, 12, 16, 0, 32, 16)] == [5, 0, 5, 0, 5, 5]


@given(RUNS, st.integers(0, 7))
def test_more_wait_states_never_cost_less(runs: list[tuple[int, int, int]], states: int) -> None:
    for timing in (FLASH, NO_PREFETCH, NO_CACHE):
        fewer = dataclasses.replace(timing, wait_states=states)
        more = dataclasses.replace(timing, wait_states=states + 1)
        assert _waits(fewer, runs) <= _waits(more, runs)


@given(RUNS)
def test_what_helps_never_costs(runs: list[tuple[int, int, int]]) -> None:
    assert _waits(FLASH, runs) <= _waits(NO_PREFETCH, runs) <= _waits(NO_CACHE, runs)
    assert _waits(NO_PREFETCH, runs) <= _waits(NOT_AHEAD, runs)


@given(RUNS, st.integers(0, AHEAD - 1))
def test_the_survey_holds_the_waits_at_any_number_of_wait_states(
    runs: list[tuple[int, int, int]], states: int
) -> None:
    timings = (FLASH, NO_PREFETCH, NO_CACHE)
    survey = FlashSurvey(timings)
    for start, halfwords, cycles in runs:
        survey.commit(0, start, start + 2 * halfwords, cycles)
    for index, timing in enumerate(timings):
        reads = survey.counts(index, 1)[0]
        waits = sum(count * max(0, states - ahead) for ahead, count in enumerate(reads))
        assert waits == _waits(dataclasses.replace(timing, wait_states=states), runs)


@settings(max_examples=30)
@given(RUNS, st.integers(1, 20))
def test_moving_the_program_by_whole_lines_of_every_set_changes_nothing(
    runs: list[tuple[int, int, int]], lines: int
) -> None:
    moved = [(start + 16 * lines, halfwords, cycles) for start, halfwords, cycles in runs]
    assert _waits(FLASH, runs) == _waits(FLASH, moved)


@pytest.mark.parametrize("states", [0, 5])
def test_no_wait_states_no_waiting(states: int) -> None:
    timing = dataclasses.replace(NO_CACHE, wait_states=states)
    assert (_waits(timing, [(START, 40, 10)]) > 0) == bool(states)
