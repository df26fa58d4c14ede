"""Assembly text to code, with the cross assembler of the ziglang wheel."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from elftools.elf.elffile import ELFFile

ORIGIN = 0x1000
_HEAD = ".syntax unified\n.thumb\n.cpu cortex-m4\n.fpu fpv4-sp-d16\n"
_TARGET = ("-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m4+vfp4d16sp")


def assemble(text: str, folder: Path) -> tuple[bytes, Mapping[str, int]]:
    """Code, to be placed at ORIGIN, and the addresses of its (local) symbols."""
    source, built = folder / "code.s", folder / "code.o"
    source.write_text(_HEAD + text)
    command = [sys.executable, "-m", "ziglang", "cc", *_TARGET, "-c", str(source), "-o", str(built)]
    subprocess.run(command, check=True, capture_output=True)
    with built.open("rb") as file:
        elf = ELFFile(file)
        code = elf.get_section_by_name(".text").data()
        symbols = {
            symbol.name: ORIGIN + (symbol["st_value"] & ~1)
            for symbol in elf.get_section_by_name(".symtab").iter_symbols()
        }
    return code, symbols
