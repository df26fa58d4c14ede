"""Sweeps: what is kept, what is measured again, and what happens when workers or the sweep itself die."""

from __future__ import annotations

import csv
import io
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cloudpickle
import dask
import pytest
import tflite
from distributed import LocalCluster
from tflite_writer import StoredOperator, StoredTensor, model

from mcusim import chips, image
from mcusim.cli.application import invoke
from mcusim.errors import UsageError
from mcusim.machine.ports import pseudo_random_inputs
from mcusim.simulate import simulate
from mcusim.sweep import cluster, document, sweep
from mcusim.sweep.document import Result
from mcusim.sweep.measure import measure
from mcusim.sweep.points import Clock, Point, Source, fingerprint, grid

CLOCKS = [f"{number}MHz" for number in range(10, 60)]
CHIPS = ("stm32f412zg", "stm32l4r5")
SCHEDULES = ("layer", "stream")
WHOLE = len(CLOCKS) * len(CHIPS) * len(SCHEDULES)
PATIENCE_SECONDS = 240


def pools() -> bytes:
    """A network that is quick to build and to run: two pools, one behind the other."""
    options = ("Pool2DOptions", {"StrideH": 2, "StrideW": 2, "FilterHeight": 2, "FilterWidth": 2})
    shapes = ((1, 8, 8, 4), (1, 4, 4, 4), (1, 2, 2, 4))
    code = tflite.BuiltinOperator.AVERAGE_POOL_2D
    operators = [StoredOperator(code, (i,), (i + 1,), options) for i in range(2)]
    return model([StoredTensor(shape) for shape in shapes], operators, [0], [2])


@pytest.fixture
def network(tmp_path: Path) -> Path:
    path = tmp_path / "pools.tflite"
    path.write_bytes(pools())
    return path


@pytest.fixture(scope="module")
def here() -> Iterator[str]:
    """The address of a cluster whose worker is a thread of this process."""
    with (
        dask.config.set({"distributed.logging": {"distributed": "critical"}}),
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0") as local,
    ):
        yield local.scheduler_address


def points(*hertz: int) -> list[Point]:
    clocks = [Clock(f"{hz}Hz", hz) for hz in hertz]
    return grid([Source("pools.tflite", pools())], [chips.load(CHIPS[0])], clocks, [Source("layer")], "sram")


def results_in(folder: Path) -> dict[str, int]:
    """Names of the results to the time when each was written, ns."""
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.json")}


def sweep_command(network: Path, folder: Path) -> list[str]:
    asked = [sys.executable, "-m", "mcusim", "sweep", str(network), "-o", str(folder)]
    for option, values in (("--chip", CHIPS), ("--clock", CLOCKS), ("--schedule", SCHEDULES)):
        asked += [word for value in values for word in (option, value)]
    return asked


def kill_half_way(command: list[str], folder: Path) -> None:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(results_in(folder)) < WHOLE // 3:
        assert process.poll() is None, "it ended before it was killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_a_sweep_that_was_killed_goes_on_where_it_was(network: Path, tmp_path: Path) -> None:
    folder = tmp_path / "results"
    command = sweep_command(network, folder)
    kill_half_way(command, folder)
    kept = results_in(folder)
    assert WHOLE // 3 <= len(kept) < WHOLE
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS)
    assert done.returncode == 0, done.stderr
    after = results_in(folder)
    assert len(after) == WHOLE
    assert {name: after[name] for name in kept} == kept
    said = f"{WHOLE} points: {WHOLE - len(kept)} measured now, {len(kept)} kept from before"
    assert said in done.stdout
    assert re.search(r"pools\.tflite +stream +stm32l4r5 +59 +2 ", done.stdout)
    assert "measured now" not in done.stderr


def test_a_result_is_that_of_a_run(network: Path, tmp_path: Path, here: str) -> None:
    folder = tmp_path / "results"
    elf = tmp_path / "pools.elf"
    assert invoke(["build", str(network), "--chip", CHIPS[1], "-o", str(elf)]) == 0
    arguments = ["sweep", str(network), "--chip", CHIPS[1], "--clock", "80MHz", "-o", str(folder)]
    assert invoke([*arguments, "--scheduler", here, "--keep-traces"]) == 0
    found = [document.load(path.read_bytes()) for path in folder.glob("*[0-9a-f].json")]
    (result,) = [one for one in found if one is not None]
    section = image.load(elf).layers
    assert section is not None
    inputs = pseudo_random_inputs(section.inputs)
    expected = simulate(elf, chips.adjusted(chips.load(CHIPS[1]), 80_000_000), inputs=inputs).trace
    assert result.figures is not None
    assert result.figures.cycles == expected.totals.cycles
    assert result.figures.sram_peak_bytes == expected.memory.sram_peak_bytes
    assert result.figures.wait_states == expected.chip.wait_states > 0
    (trace,) = folder.glob("*.trace.json")
    assert invoke(["report", str(trace)]) == 0


def test_what_cannot_be_is_a_result_with_its_reason(
    network: Path, tmp_path: Path, here: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["sweep", str(network), "-o", str(tmp_path / "results"), "--scheduler", here]
    asked = [*arguments, "--clock", "100MHz", "--clock", "168MHz", "--format", "csv"]
    for _ in range(2):
        assert invoke(asked) == 0
        rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
        assert [row["clock"] for row in rows] == ["100MHz", "168MHz"]
        assert int(rows[0]["cycles"]) > 0
        assert rows[0]["refusal"] == rows[1]["cycles"] == ""
        assert rows[1]["refusal"] == "stm32f412zg runs at 100 MHz at most"


def fails_twice(folder: Path) -> None:
    attempts = len(list(folder.iterdir()))
    (folder / str(attempts)).touch()
    if attempts < cluster.RETRIES:
        raise OSError("no space left on device")


def test_a_task_that_failed_is_tried_again(
    tmp_path: Path, here: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = tmp_path / "attempts"
    attempts.mkdir()
    measure = cluster.measure

    def flaky(point: Point) -> tuple[Result, bytes]:
        fails_twice(attempts)
        return measure(point)

    monkeypatch.setattr(cluster, "measure", flaky)
    outcome = sweep.run(points(20_000_000), tmp_path / "results", scheduler=here)
    assert not outcome.failures
    assert outcome.measured == len(outcome.results) == 1
    assert len(list(attempts.iterdir())) == cluster.RETRIES + 1


def test_a_task_that_fails_always_is_reported_and_the_others_are_kept(
    network: Path,
    tmp_path: Path,
    here: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    measure = cluster.measure

    def broken(point: Point) -> tuple[Result, bytes]:
        if point.clock.hz == 30_000_000:
            raise OSError("no space left on device")
        return measure(point)

    clocks = ["--clock", "20MHz", "--clock", "30MHz", "--clock", "40MHz"]
    asked = ["sweep", str(network), *clocks, "-o", str(tmp_path / "results"), "--scheduler", here]
    with monkeypatch.context() as patch:
        patch.setattr(cluster, "measure", broken)
        assert invoke(asked) == 72
    said = capsys.readouterr().err
    assert "1 of 3 points failed" in said
    assert "30MHz: OSError: no space left on device" in said
    assert invoke(asked) == 0
    assert "3 points: 1 measured now, 2 kept from before" in capsys.readouterr().out


def dies(_: Point) -> tuple[Result, bytes]:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def test_a_worker_that_is_killed_is_no_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    monkeypatch.setattr(cluster, "measure", dies)
    with dask.config.set({"distributed.scheduler.allowed-failures": 0}):
        outcome = sweep.run(points(20_000_000), tmp_path / "results", workers=1)
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    assert [failure.reason for failure in outcome.failures] == [
        "the processes that worked on it were killed, perhaps for want of memory"
    ]


def test_a_worker_with_other_code_is_not_believed(
    tmp_path: Path, here: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "fingerprint", lambda: "another")
    outcome = sweep.run(points(20_000_000), tmp_path / "results", scheduler=here)
    assert [failure.reason for failure in outcome.failures] == ["the worker has another version of mcusim"]


def test_no_scheduler_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1)
    with pytest.raises(UsageError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1"):
        sweep.run(points(20_000_000), tmp_path / "results", scheduler="tcp://127.0.0.1:1")


def test_a_schedule_within_a_time_is_that_of_the_clock() -> None:
    slow, fast = (replace(one, schedule=Source("auto:ms=0.05")) for one in points(1_000_000, 100_000_000))
    refused, _ = measure(slow)
    assert refused.figures is None
    assert "no schedule of pools" in refused.refusal
    timely, _ = measure(fast)
    assert timely.figures is not None
    named, _ = measure(replace(slow, schedule=Source("auto:ms=0.05@100MHz")))
    assert named.figures is not None
    assert named.figures.sram_peak_bytes == timely.figures.sram_peak_bytes


def test_a_damaged_result_is_measured_again(tmp_path: Path, here: str) -> None:
    folder = tmp_path / "results"
    asked = points(20_000_000, 30_000_000)
    first = sweep.run(asked, folder, scheduler=here)
    (folder / f"{asked[0].key(fingerprint())}.json").write_text("{")
    second = sweep.run(asked, folder, scheduler=here)
    assert (first.measured, second.measured) == (2, 1)
    assert first.results == second.results


def test_the_key_is_of_content_not_of_names() -> None:
    (point,) = points(20_000_000)
    same = Point(Source("other.tflite", pools()), point.chip, point.clock, point.schedule, point.input_in)
    assert same.key("x") == point.key("x")
    others = [
        Point(Source("zoo:tiny"), point.chip, point.clock, point.schedule, point.input_in),
        Point(point.network, chips.load(CHIPS[1]), point.clock, point.schedule, point.input_in),
        Point(point.network, point.chip, Clock("20000000Hz", 20_000_000, 2.4), point.schedule, "sram"),
        Point(point.network, point.chip, point.clock, Source("stream"), point.input_in),
        Point(point.network, point.chip, point.clock, point.schedule, "flash"),
    ]
    keys = {point.key("x"), point.key("y"), *(other.key("x") for other in others)}
    assert len(keys) == len(others) + 2
