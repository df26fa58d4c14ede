"""SRAM over time in the trace: what the core saw becomes a grid, and the grid a picture."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from xml.etree import ElementTree

import example_trace
import msgspec
import numpy as np
import pytest
from PIL import Image as PillowImage
from rich.console import Console

from mcusim import trace
from mcusim.cli.application import invoke
from mcusim.core.interface import MemoryMap, TrackedBank
from mcusim.errors import InputError
from mcusim.image import Image
from mcusim.image.lines import LineTable
from mcusim.image.symbols import SymbolTable
from mcusim.packing import compressed
from mcusim.profile import LayerMark
from mcusim.profile import sram_map as measured
from mcusim.report import sram_map, terminal, waste
from mcusim.report.drawing import Drawing, Raster, Rectangle, Text, palette, png, svg
from mcusim.report.sram_grid import grid

A, B = 0x0800_0100, 0x0800_0200
MARKS = (
    LayerMark(index=0, name="a", op="CONV_2D", symbol="a", start=A),
    LayerMark(index=3, name="b", op="ADD", symbol="b", start=B),
)
FIRST, SECOND = 0x2000_0000, 0x1000_0000
BANKS = (
    TrackedBank((FIRST, 0x2200_0000), memoryview(bytearray(128))),
    TrackedBank((SECOND,), memoryview(bytearray(256))),
)
SVG = "{http://www.w3.org/2000/svg}"
ROW = 64
FULL = (1 << 64) - 1


def image() -> Image:
    """One without symbols."""
    return Image("x.elf", "", 0, (), (), (), SymbolTable(), None, LineTable(b""))


def core_map(rows: tuple[int, ...], owners: list[list[int]], alive: list[list[int]]) -> MemoryMap:
    return MemoryMap(
        width=128,
        columns=len(owners[0]),
        row_bytes=ROW,
        rows=rows,
        layers=(B, A),
        owners=np.array(owners, np.int16).tobytes(),
        alive=np.array(alive, np.uint64).tobytes(),
    )


def example() -> trace.Trace:
    """Four columns of 250,000 cycles; the arena is rows 1 and 2, row 0 static. Row 1 is layer 0's from the
    second column on and half alive in it, row 2 is never written."""
    writers = np.array([[-1, -1, -1, -1], [-2, 0, 0, 1]], "<i2")
    live = np.array([[64, 64, 64, 64], [0, 32, 0, 64]], np.uint8)
    return example_trace.changed(
        sram_map=trace.SramMap(
            column_cycles=250_000,
            columns=4,
            row_bytes=ROW,
            spans=((FIRST, 2),),
            writers=compressed(writers.tobytes()),
            live=compressed(live.tobytes()),
            parts=(trace.SramPart(name="arena", address=FIRST + ROW, bytes=2 * ROW),),
        )
    )


def drawn(colour: sram_map.Colour = "layer", *traces: trace.Trace) -> Drawing:
    drawing = sram_map.picture(traces or [example()], (colour,))
    assert drawing is not None
    return drawing


def test_a_cell_keeps_its_writer_until_the_next_one() -> None:
    found = core_map((0, 1), [[1, 0, 3, 0], [0, 2, 0, 0]], [[1, 3, 0, FULL], [0, FULL >> 1, 0, 0]])
    kept = measured.measure(found, BANKS, MARKS, image(), example_trace.trace().memory)
    unpacked = grid(example_trace.changed(sram_map=kept))
    assert unpacked.writers.tolist() == [[-1, -1, 0, 0], [-2, 1, 1, 1]]
    assert unpacked.live.tolist() == [[1, 2, 0, 64], [0, 63, 0, 0]]
    assert unpacked.columns == 4


def test_rows_get_the_addresses_of_their_banks() -> None:
    cells = [[1]] * 4
    found = core_map((0, 1, 2, 5), cells, cells)
    kept = measured.measure(found, BANKS, MARKS, image(), example_trace.trace().memory)
    assert kept is not None
    assert kept.spans == ((FIRST, 2), (SECOND, 1), (SECOND + 3 * ROW, 1))


def test_nothing_measured_no_map() -> None:
    memory = example_trace.trace().memory
    assert measured.measure(None, BANKS, MARKS, image(), memory) is None
    assert measured.measure(core_map((), [[]], [[]]), BANKS, MARKS, image(), memory) is None


def test_a_damaged_map_is_one_sentence() -> None:
    kept = example().sram_map
    assert kept is not None
    broken = msgspec.structs.replace(kept, live=compressed(b"123"))
    with pytest.raises(InputError, match=r"the map of SRAM in the trace cannot be read"):
        grid(example_trace.changed(sram_map=broken))
    with pytest.raises(InputError, match=r"has no map of SRAM"):
        grid(example_trace.trace())


def test_the_lowest_address_lies_at_the_foot_and_time_runs_to_the_right() -> None:
    (raster,) = (shape for shape in drawn().shapes if isinstance(shape, Raster))
    assert raster.pixels.shape == (2, 4, 4)
    upper, lower = raster.pixels
    assert lower[0].tolist() == [*palette.OUTSIDE, 255]
    assert upper[:, 3].tolist()[0] == 0
    assert upper[1, :3].tolist() == list(palette.layer(0))
    assert upper[3].tolist() == [*palette.layer(1), 255]
    assert 0 < upper[2, 3] < upper[1, 3] < 255  # dead is paler than half alive
    assert raster.y + raster.height == pytest.approx(sram_map.HEIGHT - sram_map.BOTTOM)


def test_live_and_dead_have_a_colour_each() -> None:
    (raster,) = (shape for shape in drawn("live").shapes if isinstance(shape, Raster))
    live, dead = (palette.rgb(palette.INKS[name].light) for name in ("live", "dead"))
    assert raster.pixels[0, 3].tolist() == [*live, 255]
    assert raster.pixels[0, 2].tolist() == [*dead, 255]
    assert raster.pixels[0, 0, 3] == 0
    words = [shape.text for shape in drawn("live").shapes if isinstance(shape, Text)]
    assert {"live", "dead", "allocated, not yet written"} <= set(words)


def test_what_is_allocated_is_drawn_to_scale_even_where_nobody_wrote() -> None:
    shapes = drawn().shapes
    (raster,) = (shape for shape in shapes if isinstance(shape, Raster))
    grounds = [shape for shape in shapes if isinstance(shape, Rectangle) and shape.ink == "wasted"]
    static, arena = sorted(grounds, key=lambda shape: -shape.y)
    assert arena.height == pytest.approx(2 * static.height)
    assert raster.height == pytest.approx(2 * static.height)
    assert arena.y == pytest.approx(sram_map.TOP)
    assert {"static", "arena"} <= {shape.text for shape in shapes if isinstance(shape, Text)}


def test_addresses_far_apart_are_cut_and_panels_share_the_scale() -> None:
    first = example()
    assert first.sram_map is not None
    far = msgspec.structs.replace(first.sram_map, spans=((FIRST, 1), (FIRST + 0x10000, 1)), parts=())
    one, two = (
        [shape for shape in drawn("layer", first, other).shapes if isinstance(shape, Raster)]
        for other in (first, msgspec.structs.replace(first, sram_map=far))
    )
    assert len(one) == 2
    assert len(two) == 3
    assert two[1].y - (two[2].y + two[2].height) == pytest.approx(sram_map.CUT)
    assert two[1].height == pytest.approx(two[0].height / 2)


def test_the_same_drawing_as_svg_and_as_png() -> None:
    drawing = drawn()
    root = ElementTree.fromstring(svg.render(drawing))
    (embedded,) = root.iter(f"{SVG}image")
    cells = PillowImage.open(io.BytesIO(base64.b64decode(embedded.get("href", "").partition(",")[2])))
    assert cells.size == (4, 2)
    picture = PillowImage.open(io.BytesIO(png.render(drawing)))
    assert picture.size == (png.SCALE * drawing.width, png.SCALE * drawing.height)
    (raster,) = (shape for shape in drawing.shapes if isinstance(shape, Raster))
    x, y = raster.x + 0.9 * raster.width, raster.y + 0.25 * raster.height
    assert picture.getpixel((round(png.SCALE * x), round(png.SCALE * y))) == palette.layer(1)


def test_what_is_dead_when_most_is_alive_is_told_by_part() -> None:
    """In the last column all of row 0 (static) and of row 1 (half of the arena) is alive."""
    memory = msgspec.structs.replace(
        example_trace.trace().memory,
        sram_peak_bytes=10 * ROW,
        arena_bytes=2 * ROW,
        scratch_bytes=0,
        static_bytes=3 * ROW,
        stack_bytes=5 * ROW,
        live_peak_bytes=2 * ROW,
    )
    full = msgspec.structs.replace(example(), memory=memory)
    uses = {use.name: (use.bytes, use.live_bytes, use.dead_bytes) for use in waste.at_the_fullest(full)}
    assert uses == {
        "arena": (2 * ROW, ROW, ROW),
        "stack": (5 * ROW, 0, 5 * ROW),
        "static": (3 * ROW, ROW, 2 * ROW),
    }
    assert waste.at_the_fullest(example_trace.trace()) == []
    console = Console(file=io.StringIO(), width=120, no_color=True)
    terminal.render(full, console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "live at once: at most 128 B; dead then: arena 64 B, stack 320 B, static 128 B" in text


def test_report_draws_what_its_file_is_called(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept, bare = tmp_path / "run.json", tmp_path / "bare.json"
    kept.write_bytes(trace.dump(example()))
    bare.write_bytes(trace.dump(example_trace.trace()))
    for name, start in (("map.png", b"\x89PNG"), ("map.svg", b"<svg"), ("MAP.PNG", b"\x89PNG")):
        out = tmp_path / name
        assert invoke(["report", str(kept), "--format", "map", "--colour", "live", "-o", str(out)]) == 0
        assert out.read_bytes().startswith(start)
    assert invoke(["report", str(bare), "--format", "map", "-o", str(tmp_path / "none.png")]) == 2
    assert re.fullmatch(r"mcusim: there is nothing to draw: .*\n", capsys.readouterr().err)
