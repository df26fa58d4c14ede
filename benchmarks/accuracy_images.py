"""Images of published programs: their assembly from a checkout, under a harness of this project."""

from __future__ import annotations

import tempfile
from pathlib import Path

from mcusim import chips
from mcusim.compiler import firmware, toolchains
from mcusim.compiler.image_text import linker_script
from mcusim.compiler.toolchains import Source, Toolchain

HARNESS = Path(__file__).resolve().parent / "accuracy" / "harness"
STACK_BYTES = 4096


def build(
    toolchain: Toolchain,
    chip_name: str,
    checkout: Path,
    files: tuple[str, ...],
    harness: str | None,
    defines: dict[str, str],
    out: Path,
) -> None:
    """Link ``files`` (below ``checkout``), a harness and the boot code into ``out``.

    ``harness`` is a file of accuracy/harness that defines main, None if one of ``files`` does. ``defines``
    are the preprocessor's for it. Raises ToolchainError.
    """
    chip = chips.load(chip_name)
    boot = firmware.directory() / "boot"
    includes = (boot, HARNESS, *sorted({(checkout / file).parent for file in files}))
    flags = ("-O2", *(f"-D{name}={value}" for name, value in defines.items()))
    sources = [Source(checkout / file, checkout, "program", includes) for file in files]
    if harness is not None:
        sources.append(Source(HARNESS / harness, HARNESS, "harness", includes, flags))
    sources += firmware.boot_sources()
    with tempfile.TemporaryDirectory(prefix="mcusim-") as folder:
        script = Path(folder) / "link.ld"
        template = boot / firmware.LINKER_TEMPLATE
        script.write_text(linker_script(template, chip, STACK_BYTES), encoding="utf-8")
        toolchains.link(toolchain, toolchains.compile_all(toolchain, sources), script, out)
