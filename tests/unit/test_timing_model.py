"""Properties of the pipeline model and its rules."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcusim.timing.decode import decode_one, decode_run, expand_immediate
from mcusim.timing.isa import Branch, Class, Flag
from mcusim.timing.model import TimingModel, split_lines
from mcusim.timing.pipeline import VARIANTS
from mcusim.timing.rules import CLASS_CYCLES, RULES, Bound, Parameter, parameters

NARROW, WIDE, BRANCH = bytes.fromhex("c046"), bytes.fromhex("4fea0808"), bytes.fromhex("09e0")
LOAD, STORE, DIVIDE = bytes.fromhex("0868"), bytes.fromhex("0860"), bytes.fromhex("b1fbf2f0")
_PARTS = st.lists(st.sampled_from([NARROW, WIDE, LOAD, STORE, DIVIDE]), min_size=1, max_size=30)


def test_every_parameter_has_one_rule() -> None:
    named = [rule.parameter for rule in RULES]
    assert sorted(named) == sorted(set(Parameter) - {Parameter.NOTHING})


def test_every_class_has_cycles() -> None:
    assert set(CLASS_CYCLES) == set(Class)


def test_bounds_enclose_the_best_value() -> None:
    low, best, high = (parameters(bound) for bound in (Bound.LOW, Bound.BEST, Bound.HIGH))
    assert all(a <= b <= c for a, b, c in zip(low, best, high, strict=True))
    assert low != high


@settings(max_examples=60, deadline=None)
@given(_PARTS, st.sampled_from([0, 2]), st.sampled_from(sorted(VARIANTS)))
def test_instruction_cycles_sum_to_the_run(parts: list[bytes], offset: int, variant: str) -> None:
    cost = TimingModel(variant).cost(b"".join(parts) + BRANCH, 0x1000 + offset)
    assert sum(cost.instruction_cycles) == cost.cycles
    assert len(cost.instruction_cycles) == len(parts) + 1
    assert cost.cycles >= len(parts) + 2
    assert min(cost.instruction_cycles) >= 1


@settings(max_examples=60, deadline=None)
@given(_PARTS, st.sampled_from([0, 2]), st.integers(0, 50))
def test_moving_a_run_by_words_changes_nothing(parts: list[bytes], offset: int, words: int) -> None:
    model, code = TimingModel(), b"".join(parts) + BRANCH
    assert model.cost(code, offset).cycles == model.cost(code, offset + 4 * words).cycles


@settings(max_examples=60, deadline=None)
@given(_PARTS)
def test_low_and_high_bounds_enclose_the_best_cycles(parts: list[bytes]) -> None:
    code = b"".join(parts) + BRANCH
    low, best, high = (TimingModel(bound=b).cost(code, 0x1000).cycles for b in Bound)
    assert low <= best <= high


def test_a_branch_to_the_next_instruction_starts_a_line() -> None:
    code = bytes.fromhex("ffe7") + NARROW + BRANCH  # b to the instruction behind it
    run = decode_run(code, 0x1000)
    assert [len(line) for line in split_lines(run)] == [1, 2]
    parts = [TimingModel().cost(code[:2], 0x1000), TimingModel().cost(code[2:], 0x1002)]
    assert TimingModel().cost(code, 0x1000).cycles == sum(part.cycles for part in parts)


@pytest.mark.parametrize(
    ("code", "branch"),
    [
        ("7047", Branch.RETURN),
        ("1847", Branch.INDIRECT),
        ("9847", Branch.CALL_INDIRECT),
        ("10bd", Branch.RETURN),
        ("f746", Branch.RETURN),
        ("9f46", Branch.INDIRECT),
        ("5df804fb", Branch.RETURN),
        ("dff804f0", Branch.INDIRECT),
        ("dfe801f0", Branch.TABLE),
        ("00f000f8", Branch.CALL),
        ("fee7", Branch.DIRECT),
        ("08b1", Branch.DIRECT),
    ],
)
def test_branch_kinds(code: str, branch: Branch) -> None:
    assert decode_one(bytes.fromhex(code), 0x1000).branch is branch


@pytest.mark.parametrize(
    ("code", "delta"),
    [
        ("30b5", -12),
        ("30bd", 12),
        ("84b0", -16),
        ("04b0", 16),
        ("2de9f04f", -36),
        ("adf5807d", -256),
        ("2ded108b", -64),
        ("4df804cd", -4),
        ("5df804fb", 4),
    ],
)
def test_static_stack_effect(code: str, delta: int) -> None:
    instruction = decode_one(bytes.fromhex(code), 0x1000)
    assert (instruction.sp_delta, instruction.flags & Flag.SP_DYNAMIC) == (delta, 0)


@pytest.mark.parametrize("code", ["bd46", "adeb000d", "80f30988"])
def test_dynamic_stack_effect(code: str) -> None:
    assert decode_one(bytes.fromhex(code), 0x1000).flags & Flag.SP_DYNAMIC


def test_it_covers_its_instructions() -> None:
    run = decode_run(bytes.fromhex("08bf0130013001d0"), 0x1000)  # it eq; adds; adds; beq
    assert [bool(i.flags & Flag.CONDITIONAL) for i in run] == [False, True, False, True]
    assert [bool(i.flags & Flag.SETS_FLAGS) for i in run] == [False, False, True, False]


@pytest.mark.parametrize(
    ("code", "value"), [(0x0AB, 0xAB), (0x1AB, 0x00AB00AB), (0x2AB, 0xAB00AB00), (0x4FF, 0x7F800000)]
)
def test_modified_immediates(code: int, value: int) -> None:
    word = 0xF0000000 | (code & 0x800) << 15 | (code & 0x700) << 4 | code & 0xFF
    assert expand_immediate(word) == value


def test_truncated_code_is_unknown() -> None:
    run = decode_run(WIDE[:2], 0x1000)
    assert [i.kind for i in run] == [Class.UNKNOWN]
