"""Building images: what is in them, that they are the same everywhere, and what cannot be built."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
from elftools.elf.elffile import ELFFile
from numpy.typing import NDArray

from mcusim import chips, layer_section, network
from mcusim.compiler import build as building
from mcusim.compiler import firmware, toolchains
from mcusim.compiler.build import BuildResult, build
from mcusim.compiler.schedule import parse_spec
from mcusim.errors import FitError, InputError, ToolchainError, UsageError
from mcusim.network import executor
from mcusim.network.graph import Graph
from mcusim.simulate import simulate

CHIP = "stm32f412zg"
TOOLCHAINS = [
    "zig",
    pytest.param(
        "gcc",
        marks=pytest.mark.skipif(
            shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed"
        ),
    ),
]


@pytest.fixture(scope="module")
def graph() -> Graph:
    return network.load("zoo:tiny")


@pytest.fixture(scope="module")
def picture(graph: Graph) -> NDArray[np.int8]:
    shape = graph.tensors[graph.inputs[0]].shape
    return np.random.default_rng(3).integers(-128, 128, shape, dtype=np.int8)


def image(graph: Graph, spec: str, folder: Path, **options: object) -> BuildResult:
    schedule = parse_spec(spec, graph)
    return build(graph, schedule, chips.load(CHIP), out=folder / "firmware.elf", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spec", "sharing", "input_in"),
    [
        ("layer", "none", "sram"),
        ("layer", "depthwise", "flash"),
        ("layer", "rows", "sram"),
        ("patch:1x1@2", "depthwise", "sram"),
        ("patch:2x2@6", "rows", "flash"),
        ("patch:3x2@7", "depthwise", "sram"),
        ("patch:3x2@7", "rows", "sram"),
        ("patch:1x4@1", "depthwise", "flash"),
    ],
)
def test_every_build_computes_the_same(
    graph: Graph, picture: NDArray[np.int8], tmp_path: Path, spec: str, sharing: str, input_in: str
) -> None:
    """Odd sizes and uneven patches, whatever shares bytes in the arena."""
    built = image(graph, spec, tmp_path, sharing=sharing, input_in=input_in)
    result = simulate(built.elf, CHIP, inputs=[picture])
    assert result.error is None
    np.testing.assert_array_equal(result.outputs[0][0], executor.outputs(graph, [picture])[0])
    assert result.trace.memory.arena_high_water_bytes == built.plan.arena_bytes
    assert result.trace.totals.macs == sum(layer.macs for layer in built.section.layers)


STAGES = [
    [("patch", 0, 2, (3, 2)), ("patch", 3, 7, (2, 2)), ("op", 8, 12, None)],
    [("op", 0, 0, None), ("patch", 1, 6, (4, 3)), ("op", 7, 12, None)],
    [("op", 0, 2, None), ("patch", 3, 6, (3, 3)), ("patch", 7, 9, (1, 1)), ("op", 10, 12, None)],
]


@pytest.mark.parametrize("stages", STAGES)
def test_patch_stages_anywhere(
    graph: Graph, picture: NDArray[np.int8], tmp_path: Path, stages: list[tuple[str, int, int, object]]
) -> None:
    """Several patch stages, and stages that start behind the input, from a schedule file."""
    keys = ("mode", "first", "last", "grid")
    listed = [{k: v for k, v in zip(keys, s, strict=True) if v is not None} for s in stages]
    path = tmp_path / "stages.json"
    path.write_text(json.dumps({"format": "mcusim.schedule", "version": 1, "name": "s", "stages": listed}))
    built = image(graph, str(path), tmp_path)
    result = simulate(built.elf, CHIP, inputs=[picture])
    assert result.error is None
    np.testing.assert_array_equal(result.outputs[0][0], executor.outputs(graph, [picture])[0])
    assert {layer.index: layer.stage for layer in built.section.layers}[3] == (0 if stages[0][2] > 3 else 1)


def test_both_compilers_agree(graph: Graph, picture: NDArray[np.int8], tmp_path: Path) -> None:
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    wanted = executor.outputs(graph, [picture])[0]
    for spec in ("layer", "patch:3x2@6"):
        built = image(graph, spec, tmp_path, toolchain="gcc")
        result = simulate(built.elf, CHIP, inputs=[picture])
        assert result.error is None
        np.testing.assert_array_equal(result.outputs[0][0], wanted)


def test_an_image_is_the_same_whatever_the_folder(
    graph: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fresh object caches, another place for temporary files: bit for bit the same, no host path."""
    contents = []
    compiler_runtime = toolchains.cache_directory() / "zig"
    for name in ("one", "another/deeper"):
        folder = tmp_path / name
        (folder / "cache" / "mcusim").mkdir(parents=True)
        (folder / "cache" / "mcusim" / "zig").symlink_to(compiler_runtime)
        monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        monkeypatch.setattr(building.tempfile, "tempdir", str(folder))
        contents.append(image(graph, "patch:2x2@6", folder).elf.read_bytes())
    assert contents[0] == contents[1]
    for path in (tmp_path, Path(building.__file__).parents[2], Path.home()):
        assert os.fsencode(path) + b"/" not in contents[0]


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
def test_debug_information_names_the_sources_as_they_lie(
    graph: Graph, tmp_path: Path, toolchain: str
) -> None:
    found = simulate(image(graph, "patch:2x2@6", tmp_path, toolchain=toolchain).elf, CHIP).trace
    files = {function.file for function in found.functions if function.file}
    own = {file for file in files if not file.startswith("network/")}
    assert files - own == {"network/main.c", "network/network.c"}
    assert len(own) > 4
    assert not [file for file in own if not (firmware.directory().parent / file).is_file()]


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
@pytest.mark.parametrize("spec", ["layer", "patch:2x2@6"])
def test_every_layer_is_a_function_of_its_own(
    graph: Graph, tmp_path: Path, spec: str, toolchain: str
) -> None:
    built = image(graph, spec, tmp_path, toolchain=toolchain)
    with built.elf.open("rb") as file:
        elf = ELFFile(file)
        symbols = {s.name: s for s in elf.get_section_by_name(".symtab").iter_symbols()}
        section = elf.get_section_by_name(layer_section.SECTION_NAME)
        assert section["sh_flags"] == 0
        assert layer_section.decode(section.data()) == built.section
        functions = [symbols[layer.symbol]["st_value"] for layer in built.section.layers]
    assert len(set(functions)) == len(functions) == len(graph.operators) - 1
    assert built.section.invoke in symbols


def test_the_stack_lies_at_the_bottom_of_sram(graph: Graph, tmp_path: Path) -> None:
    built = image(graph, "layer", tmp_path, stack_bytes=1024)
    with built.elf.open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        values = {s.name: s["st_value"] for s in table.iter_symbols()}
    start = chips.load(CHIP).sram.start
    assert (values["__stack_limit"], values["__stack_top"]) == (start, start + 1024)
    assert values[built.section.arena.symbol] >= values["__stack_top"]


def test_a_network_too_large_says_by_how_much_and_what_would_fit(tmp_path: Path) -> None:
    graph = network.load("zoo:mobilenet_v2?width=0.35&resolution=144&classes=10")
    small = chips.load("stm32f407")
    with pytest.raises(
        FitError, match=r"1[12]\d\.\d KiB more SRAM than stm32f407 has; schedule patch:\dx\d@\d+"
    ):
        build(graph, parse_spec("layer", graph), small, out=tmp_path / "x.elf")
    large = network.load("zoo:mobilenet_v2?width=1.0&resolution=32")
    with pytest.raises(FitError, match="KiB more flash than nrf52840 has"):
        build(large, parse_spec("layer", large), chips.load("nrf52840"), out=tmp_path / "x.elf")
    assert not (tmp_path / "x.elf").exists()


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
def test_the_linker_has_the_last_word_on_flash(graph: Graph, tmp_path: Path, toolchain: str) -> None:
    """The size of the code is known only when the image is linked."""
    chip = chips.load(CHIP)
    regions = [
        msgspec.structs.replace(region, size=6 * 1024) if region.kind == "flash" else region
        for region in chip.regions
    ]
    small = msgspec.structs.replace(chip, regions=tuple(regions))
    with pytest.raises(FitError, match=r"needs \d+\.\d KiB more flash than stm32f412zg has") as caught:
        build(graph, parse_spec("layer", graph), small, out=tmp_path / "x.elf", toolchain=toolchain)
    assert "\n" not in str(caught.value)


def test_inputs_to_embed_must_fit_the_network(graph: Graph, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must be int8 arrays of shapes"):
        image(graph, "layer", tmp_path, embed_input=[np.zeros((1, 2, 2, 3), np.int8)])


def test_missing_compilers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolchainError, match="arm-none-eabi-gcc is not on the path"):
        toolchains.find("gcc")
    with pytest.raises(UsageError, match="neither zig nor gcc"):
        toolchains.find("armcc")


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
@pytest.mark.parametrize("folder", ["boot", "runtime", "runtime/kernels"])
def test_the_runtime_compiles_without_warnings(folder: str, toolchain: str) -> None:
    compiler = toolchains.find(toolchain)
    strict = ("-Wall", "-Wextra", "-Werror")
    sources = [
        dataclasses.replace(source, flags=(*source.flags, *strict))
        for source in firmware.sources(compiler)
        if source.path.parent == firmware.directory() / folder
    ]
    assert len(toolchains.compile_all(compiler, sources)) == len(sources) > 0


def test_the_compiler_is_quoted_in_one_line(tmp_path: Path) -> None:
    source = tmp_path / "wrong.c"
    source.write_text("int f(void) { return missing; }\n")
    compiler = toolchains.find("zig")
    with pytest.raises(ToolchainError, match=r"zig, compiling wrong\.c: .*missing") as caught:
        toolchains.compile_all(compiler, [toolchains.Source(source, tmp_path, "shown", ())])
    assert "\n" not in str(caught.value)
