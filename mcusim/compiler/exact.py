"""Placement that is proved to be the smallest, by the constraint solver of the optional ``ortools``.

Offsets are integers in units of the arena's alignment; two buffers that live together leave each other room
in one of the ways that ``placement`` allows, each a Boolean; the top of the memory is minimised.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcusim.compiler.live_ranges import LiveRanges, Overlap
from mcusim.compiler.placement import arena_bytes, lower_bound, place
from mcusim.compiler.rows import ALIGNMENT, align
from mcusim.errors import UsageError

EFFORT = 20.0
"""The solver's deterministic time, in its own units of about a second: the same result on every machine."""


def place_exactly(ranges: LiveRanges) -> dict[int, int]:
    """Offsets as ``placement.place`` finds them, or better ones: the smallest memory of all, if the solver
    proves one to be that within ``EFFORT``. Never worse than ``placement.place``.

    Raises UsageError if ``ortools`` is not installed.
    """
    offsets = place(ranges)
    problem = _Problem(ranges, offsets)
    solver = problem.cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    solver.parameters.max_deterministic_time = EFFORT
    if solver.solve(problem.model) not in (problem.cp_model.OPTIMAL, problem.cp_model.FEASIBLE):
        return offsets
    found = {tensor: int(solver.value(start)) * ALIGNMENT for tensor, start in problem.starts.items()}
    return min(offsets, found, key=lambda either: arena_bytes(ranges, either))


class _Problem:
    """The model; ``starts``: the variable of every buffer's offset."""

    def __init__(self, ranges: LiveRanges, hint: Mapping[int, int]) -> None:
        try:
            from ortools.sat.python import cp_model
        except ImportError as error:
            raise UsageError("an exact plan needs ortools: pip install 'mcusim[exact]'") from error
        self.cp_model: Any = cp_model
        self.model = cp_model.CpModel()
        self._sizes = {t: align(b.bytes) // ALIGNMENT for t, b in ranges.everything.items()}
        most = -(-arena_bytes(ranges, hint) // ALIGNMENT)
        top = self.model.new_int_var(lower_bound(ranges) // ALIGNMENT, most, "top")
        self.starts = {t: self.model.new_int_var(0, most - s, f"start{t}") for t, s in self._sizes.items()}
        for tensor, start in self.starts.items():
            self.model.add(start + self._sizes[tensor] <= top)
            self.model.add_hint(start, hint[tensor] // ALIGNMENT)
        overlaps = {(o.source, o.target): o for o in ranges.overlaps}
        buffers = list(ranges.everything.items())
        for number, (tensor, buffer) in enumerate(buffers):
            for other, neighbour in buffers[:number]:
                if buffer.meets(neighbour):
                    self._keep_apart(
                        tensor, other, overlaps.get((tensor, other)) or overlaps.get((other, tensor))
                    )
        self.model.minimize(top)

    def _keep_apart(self, first: int, second: int, overlap: Overlap | None) -> None:
        """One of the ways to lie that a pair of buffers has: below, above, or as the overlap allows."""
        ways = [self._is_below(first, second, self._sizes[first])]
        ways.append(self._is_below(second, first, self._sizes[second]))
        if overlap is not None and overlap.distance is None:
            exactly = self.model.new_bool_var("")
            behind = self.starts[overlap.source] + overlap.shift // ALIGNMENT
            self.model.add(self.starts[overlap.target] == behind).only_enforce_if(exactly)
            ways.append(exactly)
        elif overlap is not None:
            ahead = overlap.distance or 0
            ways.append(self._is_below(overlap.target, overlap.source, ahead // ALIGNMENT))
        self.model.add_bool_or(ways)

    def _is_below(self, lower: int, upper: int, distance: int) -> Any:
        """A Boolean that, if true, makes ``lower`` start at least ``distance`` before ``upper``."""
        below = self.model.new_bool_var("")
        self.model.add(self.starts[lower] + distance <= self.starts[upper]).only_enforce_if(below)
        return below
