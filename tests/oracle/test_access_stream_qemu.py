"""The order in which firmware reads and writes SRAM, against QEMU: the same hash over every access.

QEMU tells a small plugin of every access; the simulator derives them block by block, without being told.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from demo_firmware import LINK, TARGET

from mcusim import chips, image, network
from mcusim.compiler.build import build
from mcusim.compiler.schedule import parse_spec
from mcusim.machine import EventKind, Machine, Setup
from mcusim.timing.addressing import ACCESSES16, ACCESSES32
from mcusim.timing.decode import decode_run

QEMU, GCC = shutil.which("qemu-system-arm"), shutil.which("gcc")
CHIP = chips.load("stm32f412zg")
HERE = Path(__file__).parent
SRAM_BYTES = 0x30000
"""QEMU's netduinoplus2 has less SRAM than the chip; nothing below uses more."""

LINKER_SCRIPT = """
SECTIONS {
  .text 0x08000000 : { KEEP(*(.vectors)) *(.text*) }
  .bss 0x20000000 (NOLOAD) : { *(.bss*) }
}
"""

pytestmark = pytest.mark.skipif(QEMU is None or GCC is None, reason="qemu-system-arm or gcc is not installed")


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compiled; QEMU must be one that loads plugins."""
    out = tmp_path_factory.mktemp("plugin") / "stream.so"
    options = ["-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-fvisibility=hidden"]
    subprocess.run([str(GCC), *options, str(HERE / "stream_plugin.c"), "-o", str(out)], check=True)
    usage = subprocess.run([str(QEMU), "-help"], capture_output=True, text=True, check=True).stdout
    if "-plugin " not in usage:
        pytest.skip("this QEMU loads no plugins")
    return out


@pytest.fixture(scope="module")
def every_mode(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """addressing_modes.s, linked."""
    folder = tmp_path_factory.mktemp("modes")
    (folder / "link.ld").write_text(LINKER_SCRIPT)
    command = [sys.executable, "-m", "ziglang", "cc", *TARGET, "-nostdlib", *LINK]
    source = str(HERE / "addressing_modes.s")
    subprocess.run([*command, source, "-o", "modes.elf"], cwd=folder, check=True)
    return folder / "modes.elf"


def _in_qemu(elf: Path, plugin: Path) -> tuple[int, int]:
    """Number and hash of the accesses to SRAM."""
    command = [str(QEMU), "-M", "netduinoplus2", "-semihosting", "-display", "none", "-monitor", "none"]
    options = f"{plugin},start={CHIP.sram.start:#x},size={SRAM_BYTES:#x}"
    command += ["-serial", "null", "-kernel", str(elf), "-plugin", options]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    count, value = ended.stderr.splitlines()[-1].split()
    return int(count), int(value, 16)


def _simulated(elf: Path, core: Literal["native", "twin"] = "native") -> int:
    machine = Machine(image.load(elf), CHIP, Setup(hash_accesses=True, core=core))
    try:
        while machine.run().kind is not EventKind.EXITED:
            pass
        memory = machine.core.counts().memory
    finally:
        machine.close()
    assert memory.lost_accesses == 0
    return memory.stream_hash


def test_the_program_has_every_addressing_mode(every_mode: Path) -> None:
    loaded = image.load(every_mode)
    text = loaded.segments[0]
    words: dict[int, list[int]] = {2: [], 4: []}
    for function in loaded.functions:
        code = text.data[function.start - text.address : function.end - text.address]
        for instruction in decode_run(code, function.start):
            offset = instruction.address - text.address
            halves = [int.from_bytes(text.data[at : at + 2], "little") for at in (offset, offset + 2)]
            words[instruction.size].append(
                halves[0] << 16 | halves[1] if instruction.size == 4 else halves[0]
            )
    for size, table in ((2, ACCESSES16), (4, ACCESSES32)):
        missing = [row for row in table if not any(word & row.mask == row.value for word in words[size])]
        assert missing == []


def test_every_addressing_mode(every_mode: Path, plugin: Path) -> None:
    count, value = _in_qemu(every_mode, plugin)
    assert count > 1000
    assert _simulated(every_mode) == _simulated(every_mode, "twin") == value


@pytest.mark.parametrize(
    ("name", "spec", "toolchain"),
    [
        ("zoo:ds_cnn", "layer", "zig"),
        ("zoo:resnet8", "patch:2x2@3", "gcc"),
        ("zoo:mobilenet_v1?width=0.25&resolution=96", "stream", "zig"),
    ],
)
def test_inference_firmware(name: str, spec: str, toolchain: str, plugin: Path, tmp_path: Path) -> None:
    if toolchain == "gcc" and shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    graph = network.load(name)
    shape = graph.tensors[graph.inputs[0]].shape
    given = np.random.default_rng(5).integers(-128, 128, shape, dtype=np.int8)
    out = tmp_path / "firmware.elf"
    build(graph, parse_spec(spec, graph), CHIP, out=out, toolchain=toolchain, embed_input=[given])
    count, value = _in_qemu(out, plugin)
    assert count > 500_000
    assert _simulated(out) == value
