"""The pipeline and fetch machine: one small cycle-by-cycle timeline per straight line of code.

Time 0 is the execute cycle of the taken branch that leads to the line; the address of its target word
went out one cycle before. A word is decodable two cycles after its address went out. Instructions are
decoded one a cycle, in order, each when all its words are there and the one before has left decode; an
instruction executes in the cycle behind its decode, or when the pipeline is free. The fetch unit holds
three words; a word is freed when the instruction that holds its last halfword leaves decode.

Code at SYSTEM_START or above is fetched by the system bus, which data accesses use as well (rule 22).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mcusim.timing.hazards import Step
from mcusim.timing.rules import Parameter

_FIRST_ISSUE = -1
_FETCH_LATENCY = 2

SYSTEM_START = 0x2000_0000
"""Lowest address that the system bus serves (Arm DDI 0403, B3.1; TRM, bus interfaces)."""


@dataclass(frozen=True, slots=True)
class FetchVariant:
    """When the fetch unit sends the next word's address.

    ``words`` is what it holds; ``free_delay`` the cycles until a freed word is seen to be free;
    ``sticky`` lets it, once a word was freed in the very cycle of an issue, go on with frees of the
    same cycle; ``blocked`` stops it in the last cycles of an instruction of several cycles.
    """

    name: str
    words: int
    free_delay: int
    sticky: bool
    blocked: bool


VARIANTS: Mapping[str, FetchVariant] = {
    variant.name: variant
    for variant in (
        FetchVariant("m1", 3, 1, sticky=False, blocked=False),
        FetchVariant("m2", 3, 2, sticky=False, blocked=False),
        FetchVariant("m5", 3, 1, sticky=True, blocked=True),
        FetchVariant("m6", 3, 1, sticky=True, blocked=False),
    )
}
DEFAULT_VARIANT = "m6"


@dataclass(frozen=True, slots=True)
class Slot:
    """When a step is decoded and first executes; ``words`` have their address out at its decode and are
    not freed yet, its own among them."""

    decode: int
    execute: int
    words: int


@dataclass(frozen=True, slots=True)
class Bus:
    """How fetches reach memory: cycles until a word can be decoded, cycles from a fetch to the next, and
    cycles for which a word of data keeps fetches away."""

    latency: int = _FETCH_LATENCY
    interval: int = 1
    data: int = 0


def bus_of(start: int, parameters: Sequence[int]) -> Bus:
    """The bus by which code at ``start`` is fetched."""
    if start < SYSTEM_START:
        return Bus()
    latency = _FETCH_LATENCY + parameters[Parameter.SYSTEM_LATENCY]
    return Bus(latency, parameters[Parameter.SYSTEM_INTERVAL], parameters[Parameter.SYSTEM_DATA])


@dataclass(slots=True)
class _Fetch:
    """State of the fetch unit over one timeline."""

    variant: FetchVariant
    bus: Bus
    issued_at: list[int] = field(default_factory=lambda: [_FIRST_ISSUE])
    freed_at: list[int] = field(default_factory=list)
    blocked_at: set[int] = field(default_factory=set)
    data_at: set[int] = field(default_factory=set)
    sticky: bool = False

    def decodable(self, last_word: int, now: int) -> bool:
        """Whether words up to ``last_word`` (0 is the first of the line) can be decoded."""
        return last_word < len(self.issued_at) and self.issued_at[last_word] + self.bus.latency <= now

    def held(self, now: int) -> int:
        """Words in the unit or on their way to it in cycle ``now``."""
        return len(self.issued_at) - bisect_right(self.freed_at, now - 1)

    def cycle(self, now: int, slot_taken: bool) -> None:
        """Send an address in cycle ``now`` if there is room and nobody else needs the cycle."""
        if slot_taken or now in self.data_at or now < self.issued_at[-1] + self.bus.interval:
            return
        if self.variant.blocked and now in self.blocked_at:
            self.sticky = False
            return
        latest = now - self.variant.free_delay
        occupied = len(self.issued_at) - bisect_right(self.freed_at, latest)
        freed_now = now in self.freed_at
        occupied_now = len(self.issued_at) - bisect_right(self.freed_at, now)
        room = occupied < self.variant.words
        if room or (self.variant.sticky and self.sticky and occupied_now < self.variant.words):
            self.issued_at.append(now)
            if freed_now:
                self.sticky = True


def run_timeline(
    start: int, steps: Sequence[Step], variant: FetchVariant, parameters: Sequence[int]
) -> list[Slot]:
    """The slot of each step of a line that starts at ``start`` (an address)."""
    fetch = _Fetch(variant, bus_of(start, parameters))
    slots: list[Slot] = []
    previous_execute, free_at, fpu_free_at = 0, 0, 0
    now = 0
    while len(slots) < len(steps):
        step = steps[len(slots)]
        last_word = (step.end - 1) // 4 - start // 4
        slot_taken = False
        if now >= max(1, previous_execute) and fetch.decodable(last_word, now):
            execute = max(now + 1, free_at + step.stall)
            if step.uses_fpu:
                execute = max(execute, fpu_free_at + step.fp_stall)
                fpu_free_at = execute + step.fp_latency
            slots.append(Slot(now, execute, fetch.held(now)))
            if step.frees_word:
                fetch.freed_at.append(execute - 1)
            if step.blocks_fetch:
                fetch.blocked_at |= {execute + step.cost - 1, execute + step.cost}
            fetch.data_at.update(range(execute, execute + step.data_words * fetch.bus.data))
            slot_taken = step.falls_through
            previous_execute, free_at = execute, execute + step.cost
        fetch.cycle(now, slot_taken)
        now += 1
    return slots
