"""Where the C sources of runtime and boot code are, and how they are compiled."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import mcusim
from mcusim.compiler.toolchains import Source, Toolchain
from mcusim.errors import ToolchainError

BOOT_SOURCES = ("memory.c", "semihosting.c", "startup.c")
DRIVER_SOURCES = ("mcu_patch.c", "mcu_run.c")
LINKER_TEMPLATE = "link.ld.in"
SHOWN_ROOT = "firmware"


def directory() -> Path:
    """The folder of C sources: inside the installed package, or beside it in a source tree.

    Raises ToolchainError if it is in neither place.
    """
    package = Path(mcusim.__file__).resolve().parent
    for candidate in (package / "firmware", package.parent / "firmware"):
        if (candidate / "boot" / LINKER_TEMPLATE).is_file():
            return candidate
    raise ToolchainError("the C sources of the runtime are not installed beside mcusim")


def include_directories() -> tuple[Path, ...]:
    """Header folders for generated code and for the runtime itself."""
    root = directory()
    return (root / "runtime" / "include", root / "runtime" / "kernels", root / "boot")


def sources(toolchain: Toolchain, kernels: Iterable[str]) -> list[Source]:
    """Boot code, the driver and the kernel files named, ready to compile."""
    root = directory()
    paths = [root / "boot" / name for name in BOOT_SOURCES]
    paths += [root / "runtime" / name for name in DRIVER_SOURCES]
    paths += [root / "runtime" / "kernels" / name for name in sorted(set(kernels))]
    return [
        Source(path, root, SHOWN_ROOT, include_directories(), flags=(toolchain.kernel_level,))
        for path in paths
    ]
