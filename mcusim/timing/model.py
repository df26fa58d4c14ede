"""Cycles of linear runs: the readable model, twin of the native one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mcusim.errors import UsageError
from mcusim.timing.decode import Instruction, decode_run
from mcusim.timing.hazards import Step, line_steps
from mcusim.timing.isa import Branch, Class, Flag
from mcusim.timing.outcomes import with_outcomes
from mcusim.timing.pipeline import DEFAULT_VARIANT, VARIANTS, Slot, run_timeline
from mcusim.timing.rules import Bound, Parameter, parameters

MODEL_VERSION = 4
"""Raised whenever a change of rules or fetch machine can change a cycle count."""

FIT_RMS = {"m1": (1.7, 3.1), "m2": (1.4, 3.0), "m5": (0.9, 2.1)}
"""Per cent on hand-written assembly and on all programs of the study behind the rules, see docs/timing.md."""

MEASURED_RMS = {"m1": 3.0, "m2": 24.4, "m5": 3.1, "m6": 0.5}
"""Per cent on published programs that had no part in that fit, run with this code, see docs/accuracy.md."""

WAITING_RMS = 0.5
"""Per cent, of the default, on published programs at 5 wait states, see docs/accuracy.md."""


def known_error(variant: str, *, wait_states: int, addresses: bool) -> str:
    """What is known of the error of a run's cycles, in words; ``addresses``: accesses were followed."""
    measured = MEASURED_RMS[variant]
    if variant in FIT_RMS:
        assembly, everything = FIT_RMS[variant]
        parts = [
            f"fitted to 106 published counts at zero wait states within {assembly} % rms on hand-written "
            f"assembly, {everything} % on all",
            f"{measured} % rms on published programs outside the fit",
        ]
    else:
        parts = [
            f"within {measured} % rms of the published counts of hand-written assembly at zero wait states "
            "that it was chosen by"
        ]
    if wait_states:
        parts.append(
            f"waiting for flash follows the manuals, with it {WAITING_RMS} % rms of published counts on an "
            "STM32F407 at 168 MHz"
        )
    if not addresses:
        uncharged = "data that are not aligned" + (" and constants in flash" if wait_states else "")
        parts.append(
            f"without the memory measurement {uncharged} are not charged, nothing counts as skipped, and "
            "divisions take a constant"
        )
    return "; ".join(parts)


@dataclass(frozen=True, slots=True)
class RunCost:
    """``cycles`` of a whole run and, per instruction, the cycles that it adds: they sum to the whole."""

    cycles: int
    instructions: Sequence[Instruction]
    instruction_cycles: Sequence[int]


@dataclass(frozen=True, slots=True)
class TimedStep:
    """A step with its place in time; cycles are counted from the branch before the line."""

    step: Step
    slot: Slot

    @property
    def end(self) -> int:
        """The last cycle in which the step occupies the pipeline."""
        return self.slot.execute + self.step.cost - 1


def ends_line(instruction: Instruction) -> bool:
    """Whether control never goes on behind ``instruction``."""
    return instruction.branch is not Branch.NONE and not instruction.flags & Flag.CONDITIONAL


def split_lines(run: Sequence[Instruction]) -> list[Sequence[Instruction]]:
    """Cut a run behind branches that are always taken: their target happens to be the next address."""
    lines, first = [], 0
    for index, instruction in enumerate(run):
        if ends_line(instruction) or index == len(run) - 1:
            lines.append(run[first : index + 1])
            first = index + 1
    return lines


class TimingModel:
    """A fetch variant ("m1", "m2", "m5", "m6") with the rules at one bound.

    Raises UsageError for an unknown variant.
    """

    def __init__(self, variant: str = DEFAULT_VARIANT, bound: Bound = Bound.BEST) -> None:
        if variant not in VARIANTS:
            known = ", ".join(sorted(VARIANTS))
            raise UsageError(f"there is no timing model named {variant!r}; known are {known}")
        self.variant = VARIANTS[variant]
        self.bound = bound
        self.parameters = parameters(bound)

    def cost(self, code: bytes | memoryview, start: int, taken: bool = True, outcome: int = 0) -> RunCost:
        """Cost of the run whose bytes are ``code``, in passes of one outcome (see
        ``mcusim.timing.outcomes``); ``taken`` unless it ended without a branch."""
        run = decode_run(code, start)
        cycles: list[int] = []
        lines = split_lines(with_outcomes(run, outcome, taken=taken))
        for number, line in enumerate(lines):
            cycles += self._line_cycles(line, taken or number < len(lines) - 1)
        return RunCost(sum(cycles), run, cycles)

    def cycles_at(self, code: bytes | memoryview, start: int, address: int, outcome: int = 0) -> int:
        """Cycles from the start of a run to the first execute cycle of its instruction at ``address``."""
        cycles = 0
        for line in split_lines(with_outcomes(decode_run(code, start), outcome, taken=False)):
            if address < line[-1].end:
                steps = self.timeline(line, taken=False)
                return cycles + next(s.slot.execute for s in steps if address < s.step.end)
            cycles += sum(self._line_cycles(line, taken=True))
        return cycles

    def timeline(self, line: Sequence[Instruction], taken: bool = True) -> list[TimedStep]:
        """Each step of one straight line with its place in time."""
        steps = line_steps(line, taken, self.parameters)
        slots = run_timeline(line[0].address, steps, self.variant, self.parameters)
        return [TimedStep(step, slot) for step, slot in zip(steps, slots, strict=True)]

    def _line_cycles(self, line: Sequence[Instruction], taken: bool) -> list[int]:
        """Waiting before an instruction and its own cycles are its; a folded IT has none."""
        cycles: list[int] = []
        ended = 0
        for timed in self.timeline(line, taken):
            cycles += [timed.end - ended] + [0] * (timed.step.instructions - 1)
            ended = timed.end
        if taken:
            cycles[-1] += self.refill(line[-1])
        return cycles

    def refill(self, branch: Instruction) -> int:
        """Extra cycles until the target of an indirect branch is fetched."""
        if branch.kind is Class.LOAD:
            return self.parameters[Parameter.REFILL_LOAD]
        if branch.kind is Class.LOAD_MANY:
            return self.parameters[Parameter.REFILL_POP]
        if branch.branch in (Branch.NONE, Branch.DIRECT, Branch.CALL):
            return 0
        return self.parameters[Parameter.REFILL_REGISTER]
