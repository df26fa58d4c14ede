"""Points measured on a Dask cluster: one on this machine, or one that is there already."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mcusim.errors import McusimError, UsageError, WorkerError
from mcusim.parallel import cores
from mcusim.sweep.document import Result
from mcusim.sweep.measure import measure
from mcusim.sweep.points import Point, fingerprint

if TYPE_CHECKING:
    from distributed import Client

RETRIES = 2
"""How often a point is tried again that failed for a reason which is not its own."""
CONNECT_SECONDS = 10

OnResult = Callable[[str, Result, bytes], None]
OnFailure = Callable[[str, str], None]


def measure_all(
    points: Mapping[str, Point],
    scheduler: str | None,
    on_result: OnResult,
    on_failure: OnFailure,
    workers: int | None = None,
) -> None:
    """Measure ``points``, by key, telling of each as soon as it is done: its key, result and trace, or its
    key and why it failed although it was tried again.

    ``scheduler`` is the address of an existing cluster; None starts one here, of ``workers`` processes, by
    default one per core. Raises UsageError if Dask is not installed or nothing answers at the address.
    """
    with _client(scheduler, min(len(points), workers or cores())) as client:
        _watch(client, points, on_result, on_failure)


def _watch(client: Client, points: Mapping[str, Point], on_result: OnResult, on_failure: OnFailure) -> None:
    from distributed import as_completed

    futures = [
        client.submit(measure, point, key=f"mcusim-{key}", retries=RETRIES, pure=False)
        for key, point in points.items()
    ]
    for future in as_completed(futures):
        key = future.key.removeprefix("mcusim-")
        try:
            result, trace = future.result()
        except Exception as error:
            on_failure(key, _reason(error))
        else:
            if result.code == fingerprint():
                on_result(key, result, trace)
            else:
                on_failure(key, "the worker has another version of mcusim")
        future.release()


def _reason(error: Exception) -> str:
    from distributed import KilledWorker

    if isinstance(error, KilledWorker):
        return "the processes that worked on it were killed, perhaps for want of memory"
    text = str(error) if isinstance(error, McusimError) else f"{type(error).__name__}: {error}"
    return " ".join(text.split())


@contextmanager
def _client(scheduler: str | None, workers: int) -> Iterator[Client]:
    try:
        import dask
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise UsageError(f"sweeps run on Dask: pip install 'mcusim[sweep]' ({error})") from error

    # What is worth saying about a worker's end is said by whoever asked for the result.
    quiet = {"distributed.logging": {"distributed": "critical"}, "distributed.admin.tick.limit": "1h"}
    with dask.config.set(quiet):
        if scheduler is not None:
            with _connected(scheduler) as client:
                yield client
            return
        cluster = LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            silence_logs=logging.CRITICAL,
        )
        with cluster, Client(cluster) as client:
            yield client


@contextmanager
def _connected(scheduler: str) -> Iterator[Client]:
    from distributed import Client

    try:
        client = Client(scheduler, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        raise UsageError(f"no Dask scheduler answers at {scheduler}") from error
    with client:
        if not client.scheduler_info()["workers"]:
            raise WorkerError(f"the Dask scheduler at {scheduler} has no workers")
        yield client
