"""The chip document and how it is found, read and checked."""

from __future__ import annotations

import difflib
import itertools
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from mcusim.errors import InputError, UsageError

PAGE = 1024
"""Granularity of the emulator's memory map in bytes; regions start and end on it."""

Address = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF_FFFF)]
Positive = Annotated[int, msgspec.Meta(gt=0)]


class Region(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Memory [start, start + size), in bytes.

    ``kind``: "flash" holds the image and cannot be written by the core unless ``access`` has a "w";
    "sram" is read and written; "peripheral" holds registers that are not modelled. ``aliases`` are other
    addresses at which the same bytes appear. ``source`` names the document the numbers are from.
    """

    name: str
    kind: Literal["flash", "sram", "peripheral"]
    start: Address
    size: Positive
    access: Literal["r", "rx", "rw", "rwx"]
    source: str
    aliases: tuple[Address, ...] = ()

    @property
    def end(self) -> int:
        """The address behind the last byte."""
        return self.start + self.size

    def holds(self, address: int, size: int = 1) -> bool:
        """Whether [address, address + size) lies inside; aliases do not count."""
        return self.start <= address and address + size <= self.end


class Clock(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The core clock by which cycles become seconds."""

    hz: Positive
    source: str


class Cache(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``lines`` of ``line_bytes`` in sets of ``ways``; without lines only the last line read is at hand."""

    lines: Annotated[int, msgspec.Meta(ge=0)]
    ways: Positive
    line_bytes: Positive


class Caches(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Caches of code and of constants."""

    code: Cache
    data: Cache


class Accelerator(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What lies between flash and core: caches whose lines are what one read of the flash gives, and whether
    the line of code behind the present one is prefetched. ``low`` and ``high`` are the caches where another
    reading of the manual makes them fastest and slowest."""

    code: Cache
    data: Cache
    prefetch: bool
    source: str
    low: Caches | None = None
    high: Caches | None = None


class Supply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At a supply of ``volts`` (from, to): ``fastest`` as in ``Flash``, and whether prefetch may be on."""

    volts: tuple[float, float]
    fastest: tuple[Annotated[int, msgspec.Meta(ge=0)], ...]
    source: str
    prefetch: bool = True


class Flash(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Wait states of the flash as the cycle model charges them by default. ``fastest``: the highest clock in
    Hz at 0, 1, ... wait states, by which those of another clock are chosen; empty where none are needed. At
    other voltages of the supply than the usual one ``supplies`` tells."""

    wait_states: Annotated[int, msgspec.Meta(ge=0)]
    source: str
    fastest: tuple[Annotated[int, msgspec.Meta(ge=0)], ...] = ()
    fastest_source: str = ""
    supplies: tuple[Supply, ...] = ()
    accelerator: Accelerator | None = None


class Chip(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A microcontroller as the simulator needs it. Regions do not overlap, aliases included."""

    format: Literal["mcusim.chip"]
    version: Literal[1]
    name: str
    title: str
    core: Literal["cortex-m4", "cortex-m4f"]
    clock: Clock
    flash_timing: Flash
    regions: tuple[Region, ...]

    @property
    def clock_hz(self) -> int:
        return self.clock.hz

    @property
    def wait_states(self) -> int:
        return self.flash_timing.wait_states

    @property
    def flash(self) -> Region:
        """The first region of kind "flash": where the vector table and the image lie."""
        return next(region for region in self.regions if region.kind == "flash")

    @property
    def sram(self) -> Region:
        """The first region of kind "sram": where data and the stack lie by default."""
        return next(region for region in self.regions if region.kind == "sram")

    def region_at(self, address: int, size: int = 1) -> Region | None:
        """The region that holds [address, address + size) at its own address, not at an alias."""
        return next((region for region in self.regions if region.holds(address, size)), None)


def adjusted(
    chip: Chip, clock_hz: int | None = None, wait_states: int | None = None, volts: float | None = None
) -> Chip:
    """The chip at another clock, with the wait states that its manual asks for at that and at a supply of
    ``volts`` (None: the usual one), or with those given.

    Raises UsageError for a clock above the chip's highest one, and for a supply that is not described.
    """
    if volts is not None:
        chip = _supplied(chip, volts)
    if clock_hz is not None:
        flash = chip.flash_timing
        enough = [states for states, hz in enumerate(flash.fastest) if clock_hz <= hz]
        if clock_hz > chip.clock.hz or (flash.fastest and not enough):
            most = min(chip.clock.hz, max(flash.fastest, default=chip.clock.hz))
            supply = "" if volts is None else f" with a supply of {volts:g} V"
            raise UsageError(f"{chip.name} runs at {most / 1e6:g} MHz at most{supply}")
        chip = msgspec.structs.replace(chip, clock=Clock(hz=clock_hz, source="chosen"))
        if wait_states is None:
            wait_states = enough[0] if enough else 0
    if wait_states is not None:
        flash = msgspec.structs.replace(chip.flash_timing, wait_states=wait_states)
        chip = msgspec.structs.replace(chip, flash_timing=flash)
    return chip


def _supplied(chip: Chip, volts: float) -> Chip:
    flash = chip.flash_timing
    found = [supply for supply in flash.supplies if supply.volts[0] <= volts < supply.volts[1]]
    if not found:
        usual = max((supply.volts[1] for supply in flash.supplies), default=None)
        if usual is not None and usual <= volts:
            return chip
        raise UsageError(f"{chip.name}: it is not known how many wait states a supply of {volts:g} V needs")
    accelerator = flash.accelerator
    if accelerator and not found[0].prefetch:
        accelerator = msgspec.structs.replace(accelerator, prefetch=False)
    flash = msgspec.structs.replace(flash, fastest=found[0].fastest, accelerator=accelerator)
    return msgspec.structs.replace(chip, flash_timing=flash)


def names() -> tuple[str, ...]:
    """Names of the chips that come with mcusim, sorted."""
    return tuple(sorted(_packaged()))


def load(name_or_path: str | Path) -> Chip:
    """A chip by its name, or from the TOML file of a user.

    Raises UsageError for an unknown name (the nearest known ones are named) and InputError for a file
    that cannot be read or is not a valid chip.
    """
    text = str(name_or_path)
    if text.endswith(".toml"):
        path = Path(text)
        try:
            return parse(path.read_bytes(), text)
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}") from error
    packaged = _packaged()
    key = text.lower()
    if key not in packaged:
        raise UsageError(_unknown(text))
    return parse(packaged[key].read_bytes(), text)


def parse(raw: bytes, origin: str) -> Chip:
    """The chip in the TOML document ``raw``; ``origin`` opens the message of an InputError."""
    try:
        chip = msgspec.toml.decode(raw, type=Chip)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{origin}: not a chip description ({error})") from error
    problem = _problem(chip)
    if problem:
        raise InputError(f"{origin}: {problem}")
    return chip


def _packaged() -> dict[str, Path]:
    folder = Path(str(resources.files(__package__)))
    return {path.stem: path for path in folder.glob("*.toml")}


def _unknown(name: str) -> str:
    known = names()
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.4)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"unknown chip {name!r} (known: {', '.join(known)}, or the path of a .toml file){hint}"


def _problem(chip: Chip) -> str | None:
    """What is wrong with a chip whose fields have the right types, or None."""
    accelerator = chip.flash_timing.accelerator
    sets = (accelerator, accelerator.low, accelerator.high) if accelerator else ()
    caches = [cache for both in sets if both for cache in (both.code, both.data)]
    if any(cache.lines % cache.ways for cache in caches):
        return "a cache's lines are not a multiple of its ways"
    return _region_problem(chip)


def _region_problem(chip: Chip) -> str | None:
    kinds = {region.kind for region in chip.regions}
    for kind in ("flash", "sram"):
        if kind not in kinds:
            return f"the chip has no region of kind {kind!r}"
    spans: list[tuple[int, int, str]] = []
    for region in chip.regions:
        if region.size % PAGE:
            return f"region {region.name!r}: the size is not a multiple of {PAGE} bytes"
        for start in (region.start, *region.aliases):
            if start % PAGE:
                return f"region {region.name!r}: 0x{start:08x} is not a multiple of {PAGE} bytes"
            if start + region.size > 1 << 32:
                return f"region {region.name!r} reaches beyond the 4 GiB of the address space"
            spans.append((start, start + region.size, region.name))
    spans.sort()
    for (_, end, first), (start, _, second) in itertools.pairwise(spans):
        if start < end:
            return f"regions {first!r} and {second!r} overlap at 0x{start:08x}"
    return None
