"""Flash by symbol: whatever the symbols claim, every byte is counted once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mcusim import chips
from mcusim.image import Image, Section, Segment
from mcusim.image.lines import LineTable
from mcusim.image.symbols import Symbol, SymbolTable, build_code_map, build_functions
from mcusim.layer_section import ArenaEntry, LayerSection
from mcusim.profile import flash

CHIP = chips.load("stm32f412zg")
START, RAM = CHIP.flash.start, 0x2000_0000
NETWORK = LayerSection(
    network="n",
    invoke="run",
    inputs=(),
    outputs=(),
    arena=ArenaEntry(symbol="arena", bytes=0, input_bytes=0, scratch_symbol="", scratch_bytes=0),
    layers=(),
    schedule={},
    build={},
)


def _image(text: bytes, symbols: list[Symbol], layers: LayerSection | None = None) -> Image:
    """``text`` at the start of flash, of which the upper half is code, and four first values behind it."""
    half = START + len(text) // 2
    segments = (
        Segment(START, START, text, len(text), True),
        Segment(START + len(text), RAM, b"\1\2\3\4", 8, False),
    )
    sections = (
        Section(".rodata", START, half - START, False, True),
        Section(".text", half, len(text) - (half - START), True, True),
        Section(".data", RAM, 4, False, True),
    )
    code = [(s.address, s.address + s.size) for s in sections if s.executable]
    table = SymbolTable({s.name: s for s in symbols}, tuple(symbols), build_code_map([(half, "t")]))
    functions = build_functions(symbols, code)
    return Image("x.elf", "", START, segments, sections, functions, table, layers, LineTable(b""))


def test_parts_of_a_small_image() -> None:
    symbols = [
        Symbol("table", START, 6),
        Symbol("same_table", START, 6, binding="STB_LOCAL"),
        Symbol("mcu_007_weights", START + 8, 7),
        Symbol("work", START + 16, 10, is_function=True),
        Symbol("value", RAM, 4),
    ]
    text = b"tables\0\0weights\0codecodeco\x00\xbftail"
    found = flash.measure(_image(text, symbols, NETWORK), CHIP)
    assert [(s.name, s.part, s.address - START, s.bytes) for s in found.symbols] == [
        ("table", "constants", 0, 6),
        ("mcu_007_weights", "weights", 8, 7),
        ("work", "text", 16, 10),
        ("(.text)", "text", 26, 6),
        ("value", "initial", 32, 4),
    ]
    assert found.padding_bytes == 3
    plain = flash.measure(_image(text, symbols), CHIP)
    assert (plain.weight_bytes, plain.constant_bytes) == (0, found.constant_bytes + found.weight_bytes)


symbols = st.builds(
    Symbol,
    name=st.sampled_from(["a", "b", "mcu_000_bias", "mcu_001_weights"]),
    address=st.integers(START - 8, START + 80),
    size=st.integers(0, 40),
    is_function=st.booleans(),
    binding=st.sampled_from(["STB_GLOBAL", "STB_WEAK", "STB_LOCAL"]),
)


@given(st.binary(min_size=2, max_size=64), st.lists(symbols, max_size=8))
def test_parts_add_up_to_what_is_loaded(text: bytes, found: list[Symbol]) -> None:
    image = _image(text, found, NETWORK)
    parts = flash.measure(image, CHIP)
    of_symbols = parts.text_bytes + parts.constant_bytes + parts.weight_bytes + parts.initial_bytes
    assert of_symbols == sum(symbol.bytes for symbol in parts.symbols)
    assert of_symbols + parts.padding_bytes == image.sizes(CHIP).flash == len(text) + 4
    assert all(
        before.address + before.bytes <= after.address
        for before, after in zip(parts.symbols, parts.symbols[1:], strict=False)
    )
