"""Images that read their input from a camera, line by line."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from mcusim import chips, layer_section, network
from mcusim import image as images
from mcusim.cli.application import invoke
from mcusim.compiler.build import BuildResult, build
from mcusim.compiler.schedule import parse_spec
from mcusim.errors import FaultError, InputError, ScheduleError
from mcusim.machine.devices.camera import Camera
from mcusim.network import executor
from mcusim.network.graph import Graph
from mcusim.parallel.inferences import Batch, simulate_batch
from mcusim.search import front
from mcusim.simulate import simulate

CHIP = "stm32f412zg"
NETWORK = "zoo:tiny"


@pytest.fixture(scope="module")
def graph() -> Graph:
    return network.load(NETWORK)


@pytest.fixture(scope="module")
def built(graph: Graph, tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    folder = tmp_path_factory.mktemp("camera")
    schedule = parse_spec("stream", graph, "camera")
    return build(graph, schedule, chips.load(CHIP), out=folder / "firmware.elf")


def pictures(graph: Graph, count: int) -> NDArray[np.int8]:
    shape = (count, *graph.tensors[graph.inputs[0]].shape)
    return np.random.default_rng(5).integers(-128, 128, shape, dtype=np.int8)


def test_lines_make_the_image(graph: Graph, built: BuildResult) -> None:
    """Of every inference its own, and no byte is read before it was delivered."""
    given = pictures(graph, 3)
    result = simulate(built.elf, CHIP, inputs=list(given))
    assert result.error is None
    for picture, outputs in zip(given, result.outputs, strict=True):
        np.testing.assert_array_equal(outputs[0], executor.outputs(graph, [picture])[0])
    memory = result.trace.memory
    assert memory.arena_high_water_bytes == built.plan.arena_bytes
    assert memory.input_bytes == built.plan.input_bytes
    assert not result.trace.warnings


def test_a_camera_without_an_image_is_dark(graph: Graph, built: BuildResult) -> None:
    result = simulate(built.elf, CHIP)
    black = np.zeros(graph.tensors[graph.inputs[0]].shape, np.int8)
    np.testing.assert_array_equal(result.outputs[0][0], executor.outputs(graph, [black])[0])


def test_the_lines_are_live_only_while_they_are_needed(graph: Graph, built: BuildResult) -> None:
    """More than an image in flash takes, less than one in SRAM."""
    given = list(pictures(graph, 1))
    peaks = {}
    for place in ("flash", "sram"):
        schedule = parse_spec("stream", graph, place)
        elf = build(graph, schedule, chips.load(CHIP), out=built.elf.with_name(f"{place}.elf")).elf
        peaks[place] = simulate(elf, CHIP, inputs=given).trace.memory.sram_peak_bytes
    peak = simulate(built.elf, CHIP, inputs=given).trace.memory.sram_peak_bytes
    assert peaks["flash"] < peak < peaks["sram"]
    assert peak - peaks["flash"] <= built.plan.input_bytes + 4


def test_both_cores_count_delivered_lines_alike(tmp_path: Path) -> None:
    graph = network.load(f"{NETWORK}?height=4&width=4")
    schedule = parse_spec("stream", graph, "camera")
    elf = build(graph, schedule, chips.load(CHIP), out=tmp_path / "small.elf").elf
    given = list(pictures(graph, 1))
    native = simulate(elf, CHIP, inputs=given, core="native")
    twin = simulate(elf, CHIP, inputs=given, core="twin")
    assert native.trace.memory == twin.trace.memory
    assert native.trace.totals == twin.trace.totals


def test_a_board_brings_functions_of_its_own(graph: Graph, tmp_path: Path) -> None:
    """As an image that carries its input does: nothing is asked of the simulator's camera."""
    (picture,) = pictures(graph, 1)
    schedule = parse_spec("stream", graph, "camera")
    own = build(graph, schedule, chips.load(CHIP), out=tmp_path / "own.elf", embed_input=[picture])
    result = simulate(own.elf, CHIP)
    np.testing.assert_array_equal(result.outputs[0][0], executor.outputs(graph, [picture])[0])


BOARD = """
#include "mcu_camera.h"
#include "pattern.h"

void mcu_camera_line(int32_t number, int8_t *line) {
    for (int32_t i = 0; i < LINE_BYTES; i++) {
        line[i] = (int8_t)(number * LINE_BYTES + i);
    }
}

void mcu_camera_wait(int32_t number) {
    (void)number;
}
"""


def test_functions_of_a_board_take_the_place_of_the_simulators(graph: Graph, tmp_path: Path) -> None:
    (tmp_path / "board.c").write_text(BOARD)
    shape = graph.tensors[graph.inputs[0]].shape
    (tmp_path / "pattern.h").write_text(f"#define LINE_BYTES {shape[2] * shape[3]}\n")
    picture = np.arange(np.prod(shape)).astype(np.uint8).view(np.int8).reshape(shape)
    elf, asked = tmp_path / "own.elf", ["--input-in", "camera", "--camera", str(tmp_path / "board.c")]
    assert invoke(["build", NETWORK, "-s", "stream", *asked, "-o", str(elf)]) == 0
    outputs = simulate(elf, CHIP).outputs[0]
    np.testing.assert_array_equal(outputs[0], executor.outputs(graph, [picture])[0])
    assert bytes(tmp_path) not in elf.read_bytes()


def test_a_camera_that_is_of_no_use_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["build", NETWORK, "-s", "stream", "-o", str(tmp_path / "own.elf"), "--camera"]
    missing = str(tmp_path / "missing.c")
    assert invoke([*asked, missing]) == 2
    assert "only to a network that takes its input from one" in capsys.readouterr().err
    assert invoke([*asked, missing, "--input-in", "camera"]) == InputError.exit_code
    assert f"{missing}: No such file" in capsys.readouterr().err


def test_lines_go_nowhere_but_into_memory(
    graph: Graph, built: BuildResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Camera, "__init__", _nowhere(Camera.__init__))
    result = simulate(built.elf, CHIP, inputs=list(pictures(graph, 1)))
    assert isinstance(result.error, FaultError)
    assert "holds a line of the camera" in str(result.error)
    assert "mcu_camera_line" in str(result.error)


def _nowhere(original: object) -> object:
    def construct(self: Camera, platform: object, _deliver: object, lines: int, line_bytes: int) -> None:
        original(self, platform, lambda *_: False, lines, line_bytes)  # type: ignore[operator]

    return construct


def test_a_damaged_section_is_refused(built: BuildResult) -> None:
    image = images.load(built.elf)
    assert image.layers is not None
    port = msgspec.structs.replace(image.layers.inputs[0], shape=(960,))
    raw = built.elf.read_bytes()
    section = layer_section.encode(image.layers)
    damaged = layer_section.encode(msgspec.structs.replace(image.layers, inputs=(port,)))
    assert raw.count(section) == 1
    with pytest.raises(InputError, match="cannot deliver input 'input' of shape 960 in lines"):
        simulate(raw.replace(section, damaged.ljust(len(section))), CHIP)


def test_many_inputs_on_all_cores_are_those_of_one(graph: Graph, built: BuildResult) -> None:
    given = list(pictures(graph, 9))
    batch = simulate_batch(Batch(built.elf, chips.load(CHIP)), given, console=lambda _: None)
    alone = simulate(built.elf, CHIP, inputs=given)
    for found, wanted in zip(batch.outputs, alone.outputs, strict=True):
        np.testing.assert_array_equal(found[0], wanted[0])
    assert batch.inference_cycles == alone.inference_cycles


def test_the_front_of_streams_with_a_camera_is_as_planned(graph: Graph) -> None:
    chip = chips.load(CHIP)
    for point in front.verify(graph, chip, front.plan_front(graph, chip, "camera")):
        assert point.arena_as_planned
        assert point.measured_cycles is not None
        assert point.cycles == pytest.approx(point.measured_cycles, rel=0.05)


def test_commands_take_a_camera(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    elf = str(tmp_path / "firmware.elf")
    asked = ["--input-in", "camera"]
    assert invoke(["build", NETWORK, "-s", "auto", *asked, "-o", elf]) == 0
    assert "(camera lines 192 B)" in capsys.readouterr().out
    assert invoke(["run", elf]) == 0
    assert "camera lines 192 B" in capsys.readouterr().out
    assert invoke(["plan", NETWORK, *asked]) == 0
    shown = capsys.readouterr().out
    assert "stream" in shown
    assert "patch:2x2" not in shown
    assert invoke(["plan", f"{NETWORK}@stream", *asked]) == 0
    shown = capsys.readouterr().out
    assert "the image from a camera" in shown
    assert "ring of 4 of 20 rows" in shown
    assert invoke(["compare", f"{NETWORK}@stream", f"{NETWORK}@auto", *asked]) == 0
    assert invoke(["build", NETWORK, "-s", "layer", *asked, "-o", elf, "--force"]) == ScheduleError.exit_code
    assert "a camera delivers every line once" in capsys.readouterr().err
