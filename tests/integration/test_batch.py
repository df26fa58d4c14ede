"""Many inputs on several cores give what they give one after the other."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from mcusim import chips, image, parallel
from mcusim.machine.ports import Array
from mcusim.parallel import inferences
from mcusim.parallel.inferences import Batch, simulate_batch
from mcusim.simulate import SimulationResult

Demo = Callable[[str], bytes]


def _inputs(elf: bytes, count: int) -> list[Array]:
    layers = image.load(elf).layers
    assert layers is not None
    generator = np.random.default_rng(3)
    return [
        generator.integers(-128, 128, port.shape).astype(port.dtype)
        for _ in range(count)
        for port in layers.inputs
    ]


def _figures(result: SimulationResult) -> dict[str, object]:
    trace = msgspec.structs.asdict(result.trace)
    return {name: value for name, value in trace.items() if name != "host"} | {"error": str(result.error)}


@pytest.mark.parametrize("cores", [1, 2])
@pytest.mark.parametrize("max_cycles", [None, 300])
def test_shares_are_joined_to_what_one_process_finds(
    demo_elf: Demo, monkeypatch: pytest.MonkeyPatch, cores: int, max_cycles: int | None
) -> None:
    """Also where an inference ends the run."""
    monkeypatch.setattr(inferences, "SHORT_SECONDS", 0.0)
    monkeypatch.setattr(inferences, "cores", lambda: cores)
    monkeypatch.setattr(parallel.pool, "cores", lambda: cores)
    elf = demo_elf("network")
    chip = chips.adjusted(chips.load("stm32f412zg"), wait_states=3)
    batch = Batch(elf, chip, max_cycles=max_cycles)
    said: dict[str, list[str]] = {"shares": [], "serial": []}
    arrays = _inputs(elf, 18)
    joined = simulate_batch(batch, arrays, console=said["shares"].append)
    serial = batch.run(arrays, said["serial"].append)
    assert _figures(joined) == _figures(serial)
    assert joined.inference_cycles == serial.inference_cycles
    assert "".join(said["shares"]) == "".join(said["serial"])
    assert len(joined.outputs) == len(serial.outputs)
    for a, b in zip(joined.outputs, serial.outputs, strict=True):
        np.testing.assert_array_equal(a, b)
