"""Addresses to source lines, read from DWARF when first asked for."""

from __future__ import annotations

import bisect
import io
import posixpath
from functools import cached_property
from typing import Any


class LineTable:
    """Line lookup over an ELF file's .debug_line; empty if there is none or it cannot be read."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def at(self, address: int) -> tuple[str, int]:
        """(file, line) of the instruction at ``address``; ("", 0) if unknown."""
        addresses, places = self._rows
        index = bisect.bisect_right(addresses, address) - 1
        return places[index] if index >= 0 else ("", 0)

    @cached_property
    def _rows(self) -> tuple[list[int], list[tuple[str, int]]]:
        from elftools.elf.elffile import ELFFile

        rows: dict[int, tuple[str, int]] = {}
        ends: set[int] = set()
        try:
            dwarf = ELFFile(io.BytesIO(self._raw)).get_dwarf_info(relocate_dwarf_sections=False)
            for unit in dwarf.iter_CUs():
                program = dwarf.line_program_for_CU(unit)
                if program is not None:
                    _read_program(program, _unit_folder(unit), rows, ends)
        except Exception:
            # Debug information is a convenience; the parser raises whatever corrupt bytes lead it to.
            return [], []
        for end in ends - rows.keys():
            rows[end] = ("", 0)
        ordered = sorted(rows)
        return ordered, [rows[address] for address in ordered]


def _unit_folder(unit: Any) -> str:
    attribute = unit.get_top_DIE().attributes.get("DW_AT_comp_dir")
    return attribute.value.decode("utf-8", "replace") if attribute else ""


def _read_program(program: Any, folder: str, rows: dict[int, tuple[str, int]], ends: set[int]) -> None:
    files = _file_names(program, folder)
    base = 0 if program["version"] >= 5 else 1
    for entry in program.get_entries():
        state = entry.state
        if state is None:
            continue
        if state.end_sequence:
            ends.add(state.address)
        else:
            index = state.file - base
            name = files[index] if 0 <= index < len(files) else ""
            rows[state.address] = (name, max(state.line, 0))


def _file_names(program: Any, folder: str) -> list[str]:
    """Paths of the program's files; DWARF 5 counts folders from the unit's own, older ones from 1."""
    header = program.header
    folders = [_text(name) for name in header["include_directory"]]
    if program["version"] < 5:
        folders.insert(0, folder)
    names = []
    for entry in header["file_entry"]:
        index = entry.dir_index
        parent = folders[index] if index < len(folders) else ""
        names.append(posixpath.normpath(posixpath.join(folder, parent, _text(entry.name))))
    return names


def _text(raw: Any) -> str:
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
