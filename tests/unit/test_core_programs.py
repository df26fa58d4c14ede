"""The native core and its Python twin agree on every count of random programs, and counts add up."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from core_bench import ORIGIN, Bench, Prefer, Program, build
from hypothesis import given, settings
from random_programs import programs

from mcusim.core.interface import Stop, Watch
from mcusim.timing.decode import decode_run
from mcusim.timing.flash import CacheShape, FlashTiming
from mcusim.timing.model import TimingModel

EXAMPLES = int(os.environ.get("MCUSIM_EXAMPLES", "12"))
FLASHES = [
    FlashTiming((ORIGIN,), 0x8000, 0, CacheShape(4, 4, 16), CacheShape(2, 1, 4), prefetch=True),
    FlashTiming((ORIGIN,), 0x8000, 0, CacheShape(4, 2, 8), CacheShape(0, 1, 8), prefetch=False),
    FlashTiming((ORIGIN,), 0x8000, 0, CacheShape(4, 4, 16), CacheShape(2, 1, 4), prefetch=False),
]
"""So small that lines are replaced all the time; the data that count are literals and tables. The first and
the last have the same caches."""


def _run(
    program: Program, core: Prefer, surveyed: Sequence[FlashTiming] = FLASHES, hashed: bool = True
) -> Bench:
    """To the return of f0, or to the cycle limit where calls in nested loops take longer."""
    watches = {"f1": Watch.LAYER, "f2": Watch.LAYER | Watch.STOP}
    bench = Bench(program, core, watches, cycle_limit=10**6, surveyed=surveyed, hash_accesses=hashed)
    bench.call("f0")
    while bench.core.stop_state().stop is not Stop.CYCLES and bench.core.stop_state().address != bench.at(
        "f0"
    ):
        assert bench.core.stop_state().stop in (Stop.ENTERED, Stop.RETURNED)
        bench.proceed()
    return bench


def _node_totals(bench: Bench) -> tuple[int, int]:
    nodes = bench.core.counts().nodes
    return sum(n.cycles_self for n in nodes), sum(n.instructions_self for n in nodes)


def _recosted(bench: Bench) -> list[int]:
    """Cycles per node of the call tree, from the run counts alone."""
    counts, code, model = bench.core.counts(), bench.program.code, TimingModel()
    totals = [0] * len(counts.nodes)
    for run in counts.runs:
        body = code[run.start - ORIGIN : run.end - ORIGIN]
        totals[run.node] += (
            run.count * model.cost(body, run.start, taken=run.next != 0, outcome=run.outcome).cycles
        )
    return totals


@settings(max_examples=EXAMPLES, deadline=None)
@given(programs())
def test_native_equals_twin(text: str) -> None:
    with TemporaryDirectory() as folder:
        program = build(text, Path(folder))
    native, twin = _run(program, "native"), _run(program, "twin")
    assert native.core.counts() == twin.core.counts()
    assert native.core.cycles == twin.core.cycles
    counts = native.core.counts()
    assert _node_totals(native) == (counts.cycles, counts.instructions)
    recosted = _recosted(native)
    assert sum(recosted) + sum(counts.waits.values()) == counts.cycles
    assert all(own <= node.cycles_self for own, node in zip(recosted, counts.nodes, strict=True))
    executed = sum(
        run.count * len(decode_run(program.code[run.start - ORIGIN : run.end - ORIGIN], run.start))
        for run in counts.runs
    )
    assert executed == counts.instructions


@settings(max_examples=EXAMPLES, deadline=None)
@given(programs())
def test_reads_in_ranges_equal_reads_one_by_one(text: str) -> None:
    """The native core follows reads of a block together unless their order is hashed."""
    with TemporaryDirectory() as folder:
        program = build(text, Path(folder))
    one_by_one = _run(program, "native").core.counts()
    assert one_by_one.memory.stream_hash
    expected = replace(one_by_one, memory=replace(one_by_one.memory, stream_hash=0))
    assert _run(program, "native", hashed=False).core.counts() == expected
    plain = _run(program, "native", surveyed=(), hashed=False).core.counts()
    assert plain == replace(expected, flash_reads=[])


def test_thousands_of_distinct_runs_are_counted_exactly() -> None:
    """More runs than the native core's first table holds; many share a slot of its direct-mapped cache."""
    runs = 4000
    chain = "\n".join(f"b.n _r{i}\nnop\n_r{i}:" for i in range(runs))
    with TemporaryDirectory() as folder:
        program = build(
            f"f0: push {{r4,lr}}\nbl chain\nbl chain\npop {{r4,pc}}\nchain: {chain} bx lr\n", Path(folder)
        )
    bench = Bench(program, "native")
    bench.call("f0")
    start = bench.at("chain")
    inside = [run for run in bench.core.counts().runs if start <= run.start < start + 4 * runs]
    assert [run.start for run in inside] == [start + 4 * i for i in range(runs)]
    assert {run.count for run in inside} == {2}
    assert sum(_recosted(bench)) == bench.core.counts().cycles
