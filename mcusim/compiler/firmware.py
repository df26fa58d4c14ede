"""Where the C sources of runtime and boot code are, and how they are compiled."""

from __future__ import annotations

from pathlib import Path

import mcusim
from mcusim.compiler.toolchains import Source, Toolchain
from mcusim.errors import ToolchainError

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


def sources(toolchain: Toolchain) -> list[Source]:
    """Boot code, the driver and all kernels, ready to compile; the linker drops what is not used."""
    root = directory()
    paths = [
        path
        for folder in ("boot", "runtime", "runtime/kernels")
        for path in sorted((root / folder).glob("*.c"))
    ]
    return [
        Source(path, root, SHOWN_ROOT, include_directories(), flags=(toolchain.kernel_level,))
        for path in paths
    ]


def boot_sources() -> list[Source]:
    """Boot code alone, for programs that are no networks."""
    boot = directory() / "boot"
    return [
        Source(path, boot, "boot", include_directories(), flags=("-Os",)) for path in sorted(boot.glob("*.c"))
    ]
