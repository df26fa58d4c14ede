"""What the image puts into flash: code, constants, weights and first values, by symbol, to the last byte."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mcusim import trace
from mcusim.chips import Chip
from mcusim.image import Image, Section, Segment
from mcusim.layer_section import OPERATOR_CONSTANT

TEXT, CONSTANTS, WEIGHTS, INITIAL = "text", "constants", "weights", "initial"

LONGEST_FILL = 15
"""Gaps of zeros, ones or NOPs up to here are taken for alignment."""

FILLS = (b"\x00", b"\xff", b"\xd4", b"\x00\xbf", b"\xc0\x46")
"""What linkers and assemblers fill gaps with: 0xD4 is lld's, the last two are NOPs (Arm DDI 0403E, A7.7.88,
and MOV R8, R8)."""


@dataclass(frozen=True)
class _Claim:
    """Bytes [start, end), in the addresses that the code expects, that belong to ``name``."""

    start: int
    end: int
    name: str
    is_code: bool


def measure(image: Image, chip: Chip) -> trace.Flash:
    """Every byte of the segments that are loaded to flash, by symbol; the parts add up to their size."""
    claims = _claims(image)
    symbols: list[trace.FlashSymbol] = []
    padding = 0
    for segment in image.flash_segments(chip):
        for piece in _pieces(segment, claims):
            named = _symbol(image, chip, segment, piece)
            if named is None:
                padding += piece.end - piece.start
            else:
                symbols.append(named)
    sums = dict.fromkeys((TEXT, CONSTANTS, WEIGHTS, INITIAL), 0)
    for symbol in symbols:
        sums[symbol.part] += symbol.bytes
    return trace.Flash(
        text_bytes=sums[TEXT],
        constant_bytes=sums[CONSTANTS],
        weight_bytes=sums[WEIGHTS],
        initial_bytes=sums[INITIAL],
        padding_bytes=padding,
        symbols=tuple(sorted(symbols, key=lambda symbol: symbol.address)),
    )


def _claims(image: Image) -> list[_Claim]:
    """Functions and sized objects, sorted; of several names for the same bytes the first is global."""
    claims = [_Claim(f.start, f.end, f.name, True) for f in image.functions]
    objects = [s for s in image.table.symbols if s.size and not s.is_function]
    objects.sort(key=lambda symbol: (symbol.binding == "STB_LOCAL", symbol.name))
    claims += [_Claim(s.address, s.address + s.size, s.name, False) for s in objects]
    return sorted(claims, key=lambda claim: (claim.start, -claim.end))


def _pieces(segment: Segment, claims: list[_Claim]) -> Iterator[_Claim]:
    """The segment cut at its claims, without gap or overlap; pieces that nobody claims have no name."""
    position, end = segment.address, segment.address + len(segment.data)
    for claim in claims:
        start, stop = max(claim.start, position), min(claim.end, end)
        if start >= stop:
            continue
        if start > position:
            yield _Claim(position, start, "", False)
        yield _Claim(start, stop, claim.name, claim.is_code)
        position = stop
    if position < end:
        yield _Claim(position, end, "", False)


def _symbol(image: Image, chip: Chip, segment: Segment, piece: _Claim) -> trace.FlashSymbol | None:
    """The piece as the trace has it, None for padding."""
    offset = piece.start - segment.address
    section = _section(image, piece.start)
    if not piece.name and _is_fill(segment.data[offset : offset + piece.end - piece.start]):
        return None
    return trace.FlashSymbol(
        name=piece.name or f"({section.name if section else 'no section'})",
        part=_part(image, chip, segment, section, piece),
        address=segment.load_address + offset,
        bytes=piece.end - piece.start,
    )


def _part(image: Image, chip: Chip, segment: Segment, section: Section | None, piece: _Claim) -> str:
    region = chip.region_at(segment.address)
    if region is not None and region.kind == "sram":
        return INITIAL
    if piece.is_code:
        return TEXT
    if image.layers is not None and OPERATOR_CONSTANT.match(piece.name):
        return WEIGHTS
    is_unnamed_code = not piece.name and section is not None and section.executable
    return TEXT if is_unnamed_code and image.table.code_map.kind_at(piece.start) != "d" else CONSTANTS


def _section(image: Image, address: int) -> Section | None:
    return next((s for s in image.sections if s.address <= address < s.address + s.size), None)


def _is_fill(content: bytes) -> bool:
    """A short gap of one repeated filler, which may begin or end within a NOP."""
    size = len(content)
    return size <= LONGEST_FILL and any(content in fill * (size // len(fill) + 2) for fill in FILLS)
