"""Cross compilers for Cortex-M4: the pinned one of the ``ziglang`` wheel, and arm-none-eabi-gcc.

Objects of the runtime are cached by the hash of everything they depend on. No path of the host enters
an image, so the same sources give the same bytes in every folder.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from mcusim.errors import ToolchainError, UsageError

LANGUAGE = ("-std=c11", "-ffreestanding", "-g", "-fno-common")
LINK = ("-Wl,--gc-sections", "-Wl,--build-id=none", "-Wl,-z,max-page-size=1024")
SECTIONS = ("-ffunction-sections", "-fdata-sections")
COMPILED_IN = "."
"""The folder that compilers ran in, as debug information has it."""


@dataclass(frozen=True)
class Toolchain:
    """How to compile and link with one compiler driver.

    ``kernel_level`` optimises the runtime, ``glue_level`` the generated code, whose functions must stay
    apart (``apart``: no sibling calls, no merging of equal functions). ``system`` is where its headers
    are, which debug information must not name. ``scratch_variables`` name environment variables that get
    a fresh folder for every call: the compiler's own cache does not see the files that assembly includes.
    """

    name: str
    command: tuple[str, ...]
    version: str
    target: tuple[str, ...]
    system: Path
    link: tuple[str, ...]
    kernel_level: str = "-Os"
    glue_level: str = "-O2"
    extra: tuple[str, ...] = ()
    apart: tuple[str, ...] = ("-fno-optimize-sibling-calls",)
    assembly: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    scratch_variables: tuple[str, ...] = ()

    def describe(self) -> dict[str, str]:
        """What a build records of its compiler."""
        return {
            "toolchain": self.name,
            "version": self.version,
            "target": " ".join(self.target),
            "kernels": self.kernel_level,
            "generated": self.glue_level,
        }


@dataclass(frozen=True)
class Source:
    """A C or assembly file; ``root`` is cut off its path in debug information and replaced by
    ``shown_root``, likewise ``other_roots`` (folder, shown as). Objects of ``generated`` files stay beside
    them, all others are cached."""

    path: Path
    root: Path
    shown_root: str
    includes: tuple[Path, ...]
    flags: tuple[str, ...] = ()
    other_roots: tuple[tuple[Path, str], ...] = ()
    generated: bool = False


def find(name: str) -> Toolchain:
    """The toolchain "zig" or "gcc". Raises UsageError for another name, ToolchainError if missing."""
    if name == "zig":
        return _zig()
    if name == "gcc":
        return _gcc()
    raise UsageError(f"toolchain {name!r} is neither zig nor gcc")


def cache_directory() -> Path:
    """Where compiled objects are kept between builds: below XDG_CACHE_HOME, else ~/.cache, else, if
    there is no home to write to, the directory for temporary files."""
    base = os.environ.get("XDG_CACHE_HOME")
    directory = (Path(base) if base else Path("~/.cache").expanduser()) / "mcusim"
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError:
        directory = Path(tempfile.gettempdir()) / f"mcusim-{os.getuid()}"
        directory.mkdir(exist_ok=True)
    return directory


def compile_all(toolchain: Toolchain, sources: Sequence[Source]) -> list[Path]:
    """Objects of ``sources``, in order, from the cache where they are there. Raises ToolchainError."""
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        return list(pool.map(lambda source: _compile(toolchain, source), sources))


def link(toolchain: Toolchain, objects: Sequence[Path], script: Path, out: Path) -> None:
    """Link ``objects`` by the linker script ``script``. Raises ToolchainError."""
    out.parent.mkdir(parents=True, exist_ok=True)
    arguments = [*toolchain.target, *toolchain.link, "-T", str(script), *map(str, objects), "-o", str(out)]
    _run(toolchain, arguments, f"linking {out.name}")


def _compile(toolchain: Toolchain, source: Source) -> Path:
    maps = ((source.root, source.shown_root), *source.other_roots, (toolchain.system, "toolchain"))
    flags = [
        *toolchain.target,
        *LANGUAGE,
        *SECTIONS,
        *toolchain.extra,
        *source.flags,
        *(f"-ffile-prefix-map={folder}={shown}" for folder, shown in maps),
    ]
    includes = [f"-I{path}" for path in source.includes]
    if source.path.suffix == ".S":
        includes.append(f"-Wa,-I{source.path.parent}")
    arguments = [*flags, *includes, "-c", str(source.path), "-o"]
    if source.generated:
        beside = source.path.with_suffix(".o")
        _run(toolchain, [*arguments, str(beside)], f"compiling {source.path.name}", map_folder=True)
        return beside
    return _cached(toolchain, source, arguments)


def _cached(toolchain: Toolchain, source: Source, arguments: Sequence[str]) -> Path:
    key = _key(toolchain, source)
    cached = cache_directory() / "objects" / key[:2] / f"{key}.o"
    if cached.exists():
        return cached
    cached.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cached.parent) as scratch:
        fresh = Path(scratch) / cached.name
        _run(toolchain, [*arguments, str(fresh)], f"compiling {source.path.name}", map_folder=True)
        fresh.replace(cached)
    return cached


def _key(toolchain: Toolchain, source: Source) -> str:
    """Hash of compiler, flags and every byte that the object is made of; no path of the host."""
    settings = (
        toolchain.version,
        toolchain.target,
        LANGUAGE,
        SECTIONS,
        toolchain.extra,
        source.flags,
        source.shown_root,
        COMPILED_IN,
        source.path.relative_to(source.root).as_posix(),
    )
    digest = hashlib.sha256(repr(settings).encode())
    headers = sorted(header for directory in source.includes for header in directory.glob("*.h"))
    for path in (source.path, *headers):
        content = path.read_bytes()
        digest.update(f"{path.name}:{len(content)}:".encode())
        digest.update(content)
    return digest.hexdigest()


def _run(toolchain: Toolchain, arguments: Sequence[str], action: str, *, map_folder: bool = False) -> None:
    """With ``map_folder`` in an empty folder that debug information calls ``.``: no reader joins the folders
    that it names to another one."""
    with tempfile.TemporaryDirectory(prefix="mcusim-") as scratch:
        folder = Path(scratch).resolve()
        mapped = [f"-ffile-prefix-map={folder}={COMPILED_IN}"] if map_folder else []
        environment = {**os.environ, **toolchain.environment, "SOURCE_DATE_EPOCH": "0"}
        environment |= dict.fromkeys(toolchain.scratch_variables, scratch)
        result = subprocess.run(
            [*toolchain.command, *mapped, *arguments],
            cwd=folder if map_folder else None,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    if result.returncode != 0:
        raise ToolchainError(f"{toolchain.name}, {action}: {_first_error(result.stderr)}")


def _first_error(output: str) -> str:
    """The line that says what is wrong: the last that counts bytes which do not fit (linkers sum them
    up), else the first error; GNU ld does not call it one, and its driver adds another."""
    lines = [line.strip() for line in output.splitlines() if line.strip() and "collect2" not in line]
    overflows = [line for line in lines if "overflowed by" in line]
    errors = [line for line in lines if "error:" in line or "undefined reference" in line]
    return next(iter(overflows[::-1] + errors + lines), "failed without a word")


def _zig() -> Toolchain:
    spec = importlib.util.find_spec("ziglang")
    if spec is None or not spec.submodule_search_locations:
        raise ToolchainError("the ziglang package, which brings the cross compiler, is not installed")
    executable = Path(next(iter(spec.submodule_search_locations))) / "zig"
    version = importlib.metadata.version("ziglang")
    cache = cache_directory() / "zig"
    return Toolchain(
        name="zig",
        command=(str(executable), "cc"),
        version=f"zig {version}",
        target=("-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m4+vfp4d16sp"),
        system=executable.parent,
        link=("-nostartfiles", *LINK, "-Wl,--entry=Reset_Handler"),
        extra=("-fno-sanitize=undefined", "-fno-stack-protector"),
        environment={"ZIG_GLOBAL_CACHE_DIR": str(cache)},
        scratch_variables=("ZIG_LOCAL_CACHE_DIR",),
    )


def _gcc() -> Toolchain:
    executable = shutil.which("arm-none-eabi-gcc")
    if executable is None:
        raise ToolchainError("arm-none-eabi-gcc is not on the path; leave out --toolchain to use zig")
    answer = subprocess.run([executable, "-dumpfullversion"], capture_output=True, text=True, check=False)
    include = subprocess.run(
        [executable, "-print-file-name=include"], capture_output=True, text=True, check=False
    )
    return Toolchain(
        name="gcc",
        command=(executable,),
        version=f"arm-none-eabi-gcc {answer.stdout.strip()}",
        target=("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"),
        system=Path(include.stdout.strip()).parent,
        link=("-nostdlib", *LINK, "-lgcc"),
        extra=("-fno-tree-loop-distribute-patterns",),
        apart=("-fno-optimize-sibling-calls", "-fno-ipa-icf", "-fno-ipa-cp"),
    )
