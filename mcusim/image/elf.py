"""Reading a 32-bit little-endian Arm ELF executable.

Layouts: "Tool Interface Standard: Executable and Linking Format 1.2"; values for Arm: AAELF32.
"""

from __future__ import annotations

import hashlib
import io
import struct
from pathlib import Path
from typing import Any

import msgspec

from mcusim import layer_section
from mcusim.errors import InputError
from mcusim.image.image import Image, Section, Segment
from mcusim.image.lines import LineTable
from mcusim.image.symbols import Symbol, SymbolTable, build_code_map, build_functions

ET_EXEC = 2
EM_ARM = 40
EM_AARCH64 = 183
PT_LOAD = 1
PF_X = 1
SHF_ALLOC = 2
SHF_EXECINSTR = 4
HEADER = struct.Struct("<HHIIIIIHHHHHH")
PROGRAM_HEADER = struct.Struct("<IIIIIIII")


def load(source: Path | bytes) -> Image:
    """Read an executable from a file, or from bytes.

    Raises InputError, one sentence, if it is not a complete Thumb executable for a 32-bit little-endian Arm.
    """
    path = "<bytes>" if isinstance(source, bytes) else str(source)
    raw = source if isinstance(source, bytes) else _read(source)
    entry, segments = _read_headers(raw, path)
    try:
        sections, table, layer_bytes = _read_sections(raw)
    except Exception as error:
        # Corrupt section headers lead the parser to raise nearly anything.
        raise InputError(f"{path}: damaged ELF file, its sections cannot be read ({error})") from error
    if table.code_map.kind_at(entry & ~1) == "a" or (not entry & 1 and "a" in table.code_map.kinds):
        raise InputError(f"{path}: holds ARM-mode code, and a Cortex-M runs Thumb only")
    code = [(part.address, part.address + part.size) for part in sections if part.executable]
    return Image(
        path=path,
        sha256=hashlib.sha256(raw).hexdigest(),
        entry=entry,
        segments=segments,
        sections=sections,
        functions=build_functions(table.symbols, code),
        table=table,
        layers=_decode_layers(layer_bytes, path),
        lines=LineTable(raw),
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}{_advice(path)}") from error


def _advice(path: Path | str) -> str:
    """What to do first with a network, which is no firmware yet; nothing of other files."""
    name = str(path)
    is_network = name.startswith("zoo:") or name.endswith(".tflite")
    return f"; a network is built first: mcusim build '{name}' -o fw.elf" if is_network else ""


def _check_identity(raw: bytes, path: str) -> None:
    """Raise InputError unless ``raw`` opens like a complete 32-bit little-endian Arm executable."""
    if raw[:4] != b"\x7fELF":
        raise InputError(f"{path}: not an ELF file{_advice(path)}")
    if len(raw) < 20:
        raise InputError(f"{path}: truncated ELF file, it ends inside its header")
    if struct.unpack_from("<H", raw, 18)[0] == EM_AARCH64:
        raise InputError(f"{path}: an AArch64 executable, and a Cortex-M needs a 32-bit Arm one")
    if raw[4] != 1:
        raise InputError(f"{path}: a 64-bit ELF file, and a Cortex-M needs a 32-bit one")
    if raw[5] != 1:
        raise InputError(f"{path}: a big-endian ELF file, and mcusim simulates little-endian chips")
    if len(raw) < 16 + HEADER.size:
        raise InputError(f"{path}: truncated ELF file, it ends inside its header")
    kind, machine = struct.unpack_from("<HH", raw, 16)
    if machine != EM_ARM:
        raise InputError(f"{path}: an ELF file for another machine (number {machine}), not for Arm")
    if kind != ET_EXEC:
        raise InputError(f"{path}: not an executable (ELF type {kind}); link it first")


def _read_headers(raw: bytes, path: str) -> tuple[int, tuple[Segment, ...]]:
    """Entry address and loadable segments."""
    _check_identity(raw, path)
    _, _, _, entry, offset, _, _, _, entry_size, count, *_ = HEADER.unpack_from(raw, 16)
    if entry_size != PROGRAM_HEADER.size and count:
        raise InputError(f"{path}: damaged ELF file, a program header of {entry_size} bytes")
    if offset + count * PROGRAM_HEADER.size > len(raw):
        raise InputError(f"{path}: truncated ELF file, its program headers lie beyond its end")
    segments = _read_segments(raw, path, offset, count)
    if not any(segment.data for segment in segments):
        raise InputError(f"{path}: no segment of this ELF file holds anything to load")
    return entry, segments


def _read_segments(raw: bytes, path: str, offset: int, count: int) -> tuple[Segment, ...]:
    segments = []
    for number in range(count):
        kind, start, address, load_address, size, memory_size, flags, _ = PROGRAM_HEADER.unpack_from(
            raw, offset + number * PROGRAM_HEADER.size
        )
        if kind != PT_LOAD or not memory_size:
            continue
        if start + size > len(raw):
            raise InputError(f"{path}: truncated ELF file, segment {number} lies beyond its end")
        if size > memory_size:
            raise InputError(f"{path}: damaged ELF file, segment {number} is larger than its memory")
        data = raw[start : start + size]
        segments.append(Segment(load_address, address, data, memory_size, bool(flags & PF_X)))
    return tuple(segments)


def _read_sections(raw: bytes) -> tuple[tuple[Section, ...], SymbolTable, bytes | None]:
    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import SymbolTableSection

    elf = ELFFile(io.BytesIO(raw))
    sections: list[Section] = []
    table = SymbolTable()
    layers: bytes | None = None
    for section in elf.iter_sections():
        if section["sh_flags"] & SHF_ALLOC and section["sh_size"]:
            executable = bool(section["sh_flags"] & SHF_EXECINSTR)
            in_file = section["sh_type"] != "SHT_NOBITS"
            sections.append(
                Section(section.name, section["sh_addr"], section["sh_size"], executable, in_file)
            )
        elif section.name == layer_section.SECTION_NAME:
            layers = section.data()
        if isinstance(section, SymbolTableSection) and section.name == ".symtab":
            table = _read_symbols(section, elf)
    return tuple(sections), table, layers


def _read_symbols(section: Any, elf: Any) -> SymbolTable:
    executable = {
        number
        for number, part in enumerate(elf.iter_sections())
        if part["sh_flags"] & SHF_ALLOC and part["sh_flags"] & SHF_EXECINSTR
    }
    symbols: list[Symbol] = []
    marks: list[tuple[int, str]] = []
    for entry in section.iter_symbols():
        name, index = entry.name, entry["st_shndx"]
        if not name or index == "SHN_UNDEF":
            continue
        kind, binding = entry["st_info"]["type"], entry["st_info"]["bind"]
        if name.startswith("$"):
            if kind == "STT_NOTYPE" and name[1:2] in ("t", "d", "a"):
                marks.append((entry["st_value"], name[1]))
            continue
        # A global label in code without a type is an assembler's function.
        is_function = kind == "STT_FUNC" or (
            kind == "STT_NOTYPE" and binding != "STB_LOCAL" and index in executable and entry["st_value"] & 1
        )
        address = entry["st_value"] & ~1 if is_function else entry["st_value"]
        symbols.append(Symbol(name, address, entry["st_size"], bool(is_function), binding))
    ordered = sorted(symbols, key=lambda symbol: symbol.binding == "STB_LOCAL", reverse=True)
    by_name = {symbol.name: symbol for symbol in ordered}
    return SymbolTable(by_name, tuple(symbols), build_code_map(marks))


def _decode_layers(raw: bytes | None, path: str) -> layer_section.LayerSection | None:
    if raw is None:
        return None
    try:
        return layer_section.decode(raw.rstrip(b"\0"))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: the section {layer_section.SECTION_NAME} is damaged ({error})") from error
