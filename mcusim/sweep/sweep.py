"""A sweep: what is kept is not measured again, what is measured is kept at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from mcusim.sweep import cluster
from mcusim.sweep.document import Failure, Result
from mcusim.sweep.points import Point, fingerprint
from mcusim.sweep.store import Store


@dataclass(frozen=True)
class Outcome:
    """``results`` in the order of the points, without those that failed; ``measured``: how many of them
    were not kept from before."""

    results: tuple[Result, ...]
    failures: tuple[Failure, ...]
    measured: int


def run(
    points: Sequence[Point],
    folder: Path,
    *,
    scheduler: str | None = None,
    keep_traces: bool = False,
    watch: Callable[[int], None] = lambda _: None,
    workers: int | None = None,
) -> Outcome:
    """The results of ``points``, those that ``folder`` does not have yet measured on the cluster of
    ``scheduler`` (see ``cluster.measure_all``). ``watch`` is told how many points are done.

    Raises UsageError if the folder cannot be written or there is no such cluster, WorkerError if it has
    no workers.
    """
    store = Store(folder)
    store.open()
    keyed = {point.key(fingerprint()): point for point in points}
    results = {
        key: found
        for key, point in keyed.items()
        if (found := _kept(store, key, point, keep_traces)) is not None
    }
    failures: dict[str, str] = {}
    missing = {key: point for key, point in keyed.items() if key not in results}

    def on_result(key: str, result: Result, trace: bytes) -> None:
        if keep_traces and trace:
            store.keep_trace(key, trace)
        store.keep(key, result)
        results[key] = result
        watch(len(results) + len(failures))

    def on_failure(key: str, reason: str) -> None:
        failures[key] = reason
        watch(len(results) + len(failures))

    if missing:
        cluster.measure_all(missing, scheduler, on_result, on_failure, workers)
    return Outcome(
        results=tuple(results[key] for key in keyed if key in results),
        failures=tuple(_failure(keyed[key], failures[key]) for key in keyed if key in failures),
        measured=sum(key in results for key in missing),
    )


def _kept(store: Store, key: str, point: Point, with_trace: bool) -> Result | None:
    """The kept result, under the names that are asked for now."""
    found = store.find(key)
    if found is None or (with_trace and found.figures and not store.trace_path(key).is_file()):
        return None
    return msgspec.structs.replace(found, network=point.network.name, schedule=point.schedule.name)


def _failure(point: Point, reason: str) -> Failure:
    return Failure(
        network=point.network.name,
        chip=point.chip.name,
        clock=point.clock.text,
        schedule=point.schedule.name,
        reason=reason,
    )
