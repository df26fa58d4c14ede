"""The page and the picture: complete, self-contained, and safe against names."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import example_trace
import msgspec
import pytest

from mcusim import trace
from mcusim.cli.application import invoke
from mcusim.cli.sources import SourceFinder
from mcusim.packing import compressed
from mcusim.report import html, panels, skyline
from mcusim.report.drawing import Rectangle, Text
from mcusim.report.html.flame import blocks
from mcusim.report.html.listing import listings


def node(function: int, parent: int, cycles: int) -> trace.CallTreeNode:
    return trace.CallTreeNode(function=function, parent=parent, calls=1, cycles=cycles, instructions=1)


def hot(function: int, address: int, line: int, cycles: int) -> trace.HotInstruction:
    return trace.HotInstruction(
        function=function,
        address=address,
        text="smlad r0, r1, r2, r0",
        file="kernels/conv.c",
        line=line,
        executions=10,
        cycles=cycles,
    )


def full() -> trace.Trace:
    """The example with a call tree and hot instructions in its first function."""
    return example_trace.changed(
        call_tree=(node(0, -1, 100_000), node(1, 0, 600_000), node(1, -1, 300_000), node(0, 2, 10)),
        hot_instructions=(
            hot(0, 0x100, 2, 500),
            hot(0, 0x104, 2, 1000),
            hot(0, 0x108, 3, 0),
            hot(1, 0x200, 9, 7),
        ),
        warnings=("flash waits <are> not modelled",),
    )


def lines_of(name: str) -> list[str] | None:
    return ["int a;", "sum += a[i] & b[i];  ", "}"] if name == "kernels/conv.c" else None


class Collector(HTMLParser):
    """Tags that are open, and everything that a page would fetch."""

    void = frozenset({"meta", "br", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.fetched += [value or "" for name, value in attrs if name in {"src", "href", "action"}]
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in {"style", "script"}:
            self.text.append(data)


def parsed(page: str) -> Collector:
    collector = Collector()
    collector.feed(page)
    assert not collector.open
    return collector


def test_the_page_is_whole_and_fetches_nothing() -> None:
    page = html.render(full(), lines_of)
    collector = parsed(page)
    assert collector.fetched == []
    assert "@import" not in page
    assert "url(" not in page
    text = " ".join(" ".join(collector.text).split())
    for expected in ("1,000,000", "10.00 ms", "25.7 KiB", "CONV_2D", "DENSE", "sum += a[i] & b[i];"):
        assert expected in text
    assert "10,000 cycles (1.0 %) lie outside all layers" in text


def test_the_map_comes_in_two_colours_and_flash_by_symbol() -> None:
    cells = compressed(b"\0\0" * 4)
    sram_map = trace.SramMap(
        column_cycles=250_000,
        columns=4,
        row_bytes=64,
        spans=((0x2000_0000, 1),),
        writers=cells,
        live=compressed(b"\0" * 4),
    )
    symbols = (trace.FlashSymbol(name="conv<1>", part="text", address=0x0800_0000, bytes=4096),)
    flash = trace.Flash(
        text_bytes=4096,
        constant_bytes=0,
        weight_bytes=0,
        initial_bytes=0,
        padding_bytes=61_440,
        symbols=symbols,
    )
    firmware = msgspec.structs.replace(full().firmware, flash=flash)
    page = html.render(msgspec.structs.replace(full(), firmware=firmware, sram_map=sram_map))
    collector = parsed(page)
    assert all(fetched.startswith("data:image/png;base64,") for fetched in collector.fetched)
    assert len(collector.fetched) == 2
    assert re.findall(r'<image class="([\w-]+)"', page) == ["by-layer", "by-live"]
    assert re.search(r"conv&lt;1&gt;</td>\s*<td class=\"left\">code</td>", page)
    assert "padding 60.0 KiB" in page


def test_names_are_escaped() -> None:
    firmware = msgspec.structs.replace(full().firmware, path="out/<script>alert(1)</script>.elf")
    page = html.render(msgspec.structs.replace(full(), firmware=firmware))
    assert "<script>alert" not in page
    assert "flash waits &lt;are&gt; not modelled" in page


def test_a_bare_trace_makes_a_page_too() -> None:
    bare = example_trace.changed(layers=(), functions=())
    assert parsed(html.render(bare)).fetched == []


def test_flame_blocks_lie_inside_their_callers() -> None:
    found = blocks(full())
    assert [(block.depth, block.cycles) for block in found] == [(0, 700_000), (1, 600_000), (0, 300_010)]
    root, child, other = found
    assert root.left == child.left == 0
    assert child.width < root.width == pytest.approx(other.left)
    assert root.width + other.width == pytest.approx(100)


def test_listings_say_a_source_line_once() -> None:
    first, second = listings(full(), lines_of)
    assert [row.source for row in first.rows] == ["sum += a[i] & b[i];", "", "}"]
    assert [row.line for row in first.rows] == [2, None, 3]
    assert first.rows[1].heat > first.rows[0].heat > first.rows[2].heat == 0
    assert second.rows[0].source == ""


def test_sources_are_found_by_the_end_of_their_path(tmp_path: Path) -> None:
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels" / "conv.c").write_text("one\ntwo\n")
    (tmp_path / "kernels" / "table.bin").write_bytes(b"\xff\xfe")
    finder = SourceFinder((tmp_path / "elsewhere", tmp_path))
    assert finder("/build/firmware/kernels/conv.c") == ("one", "two")
    assert finder("kernels/none.c") is None
    assert finder("kernels/table.bin") is None


def test_the_picture_has_a_block_a_layer_on_one_scale() -> None:
    first = example_trace.trace()
    layers = tuple(
        msgspec.structs.replace(layer, live_peak_bytes=size)
        for layer, size in zip(first.layers, (24_000, 6_000), strict=True)
    )
    totals = msgspec.structs.replace(first.totals, cycles=2_000_000, seconds=0.02)
    second = example_trace.changed(layers=layers, totals=totals)
    drawing = skyline.picture([first, second])
    assert drawing is not None
    rectangles = [shape for shape in drawing.shapes if isinstance(shape, Rectangle) and shape.is_edged]
    heights = [shape.height for shape in rectangles]
    assert heights[2] == pytest.approx(4 * heights[3], rel=0.01)
    assert heights[0] == pytest.approx(heights[2] / 8, rel=0.01)
    widths = [shape.width for shape in rectangles]
    assert widths[0] == pytest.approx(10 * widths[1], rel=0.01)
    assert widths[0] == pytest.approx(widths[2], rel=0.01)
    titles = [shape.title for shape in rectangles]
    assert titles[0] == "#0 CONV_2D 8x8x16: 2.9 KiB touched, 900,000 cycles"
    assert titles[2] == "#0 CONV_2D 8x8x16: 23.4 KiB live, 900,000 cycles"


def test_long_titles_keep_their_schedule() -> None:
    firmware = msgspec.structs.replace(example_trace.trace().firmware, network="n" * 80)
    long = example_trace.changed(firmware=firmware)
    cut, whole = (
        panels.heading(panels.Panel(long, 0, width), "", "faint")[0] for width in (20 * panels.LETTER, 1e6)
    )
    assert isinstance(cut, Text)
    assert isinstance(whole, Text)
    assert whole.text.startswith("nnn")
    assert cut.text == "~" + "n" * 11 + " @ layer"


def test_no_layers_no_picture() -> None:
    assert skyline.picture([example_trace.changed(layers=())]) is None


def test_report_writes_page_and_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = tmp_path / "run.json"
    kept.write_bytes(trace.dump(full()))
    page, picture = tmp_path / "run.html", tmp_path / "memory.svg"
    assert invoke(["report", str(kept), "--format", "html", "-o", str(page)]) == 0
    assert page.read_text().startswith("<!doctype html>")
    assert invoke(["report", str(kept), str(kept), "--format", "memory", "-o", str(picture)]) == 0
    ElementTree.fromstring(picture.read_text())
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run.json", "run.json"], "one trace makes a report"),
        (["run.json", "--format", "html"], "which -o names"),
        (["run.json", "-o", "x.txt"], "which -o names"),
    ],
)
def test_wrong_uses_of_report_are_one_sentence(
    arguments: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("run.json").write_bytes(trace.dump(full()))
    assert invoke(["report", *arguments]) == 2
    assert re.search(rf"^mcusim: .*{sentence}.*\n$", capsys.readouterr().err)
