"""The same images under QEMU: console and exit code are the simulator's."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import demo_firmware
import pytest

from mcusim.simulate import simulate

QEMU = shutil.which("qemu-system-arm")
BOARDS = {"netduinoplus2": (0x0800_0000, "stm32f407"), "mps2-an386": (0, "mps2-an386")}
"""QEMU's machines: where their flash starts, and the chip to compare with."""

pytestmark = pytest.mark.skipif(QEMU is None, reason="qemu-system-arm is not installed")


@pytest.fixture(scope="module", params=BOARDS)
def board(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def elf(board: str, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return demo_firmware.build(tmp_path_factory.mktemp("demo"), BOARDS[board][0])


@pytest.mark.parametrize("demo", ["hello", "exit_200", "network", "console_handle", "heap"])
def test_console_and_exit_code(board: str, elf: bytes, demo: str, tmp_path: Path) -> None:
    selected = demo_firmware.select(elf, demo)
    path = tmp_path / f"{demo}.elf"
    path.write_bytes(selected)
    options = ["-display", "none", "-serial", "null", "-monitor", "none"]
    semihosting = ["-semihosting-config", "enable=on,target=native,chardev=console"]
    console = ["-chardev", f"file,id=console,path={tmp_path / 'console.txt'}"]
    command = [str(QEMU), "-M", board, *options, *console, *semihosting, "-kernel", str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    texts: list[str] = []
    result = simulate(selected, BOARDS[board][1], console=texts.append)
    assert ended.stderr == ""
    # QEMU sends SYS_WRITE0 and SYS_WRITEC to the console device, handles to its own standard output.
    assert (tmp_path / "console.txt").read_text() + ended.stdout == "".join(texts)
    assert ended.returncode == result.trace.exit.code
