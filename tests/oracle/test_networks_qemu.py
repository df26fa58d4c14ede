"""Network images under QEMU: an independent emulator must find the same outputs.

The images test themselves: they carry their input and print the CRC-32 of every output. netduinoplus2
has its flash at 0x08000000 like the STM32F4, mps2-an386 its memory at 0.
"""

from __future__ import annotations

import shutil
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest

from mcusim import chips, network
from mcusim.compiler.build import build
from mcusim.compiler.schedule import parse_spec
from mcusim.network import executor
from mcusim.simulate import simulate

QEMU = shutil.which("qemu-system-arm")
MACHINES = {"stm32f412zg": "netduinoplus2", "mps2-an386": "mps2-an386"}

pytestmark = pytest.mark.skipif(QEMU is None, reason="qemu-system-arm is not installed")


def qemu_console(image: Path, chip: str) -> str:
    """What the image wrote; the image must end with exit code 0."""
    command = [str(QEMU), "-M", MACHINES[chip], "-semihosting", "-display", "none", "-monitor", "none"]
    command += ["-serial", "null", "-kernel", str(image)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return result.stdout + result.stderr


@pytest.mark.parametrize("chip", MACHINES)
@pytest.mark.parametrize("toolchain", ["zig", "gcc"])
@pytest.mark.parametrize(
    ("name", "spec", "input_in"),
    [
        ("vww_96_int8", "layer", "sram"),
        ("vww_96_int8", "patch:3x3@7", "flash"),
        ("pretrainedResnet_quant", "patch:3x2@7", "sram"),
        ("kws_ref_model", "patch:4x2@4", "sram"),
        ("ad01_int8", "layer", "flash"),
    ],
)
def test_golden_output_under_qemu(
    models: Path, tmp_path: Path, name: str, spec: str, input_in: str, toolchain: str, chip: str
) -> None:
    if toolchain == "gcc" and shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    graph = network.load(models / f"{name}.tflite")
    schedule = parse_spec(spec, graph, "flash" if input_in == "flash" else "sram")
    given, wanted = (np.load(models / f"{name}.rand.{end}.npy") for end in ("in", "out"))
    out = tmp_path / "firmware.elf"
    build(
        graph,
        schedule,
        chips.load(chip),
        out=out,
        toolchain=toolchain,
        embed_input=[given],
        print_crc=True,
    )
    assert qemu_console(out, chip) == f"crc output0 {zlib.crc32(wanted.tobytes()):08x}\n"


def test_the_simulator_and_qemu_print_the_same(tmp_path: Path) -> None:
    graph = network.load("zoo:tiny")
    shape = graph.tensors[graph.inputs[0]].shape
    picture = np.random.default_rng(5).integers(-128, 128, shape, dtype=np.int8)
    out = tmp_path / "firmware.elf"
    for spec in ("layer", "patch:3x2@7"):
        chip = chips.load("stm32f412zg")
        build(graph, parse_spec(spec, graph), chip, out=out, embed_input=[picture], print_crc=True)
        console: list[str] = []
        assert simulate(out, chip, console=console.append).error is None
        crc = zlib.crc32(executor.outputs(graph, [picture])[0].tobytes())
        assert "".join(console) == qemu_console(out, chip.name) == f"crc output0 {crc:08x}\n"
