"""ELF -> Image: what the simulator needs to know of a firmware file."""

from mcusim.image.elf import load
from mcusim.image.image import Boot, Image, Section, Segment, Sizes
from mcusim.image.symbols import Function, Symbol

__all__ = ["Boot", "Function", "Image", "Section", "Segment", "Sizes", "Symbol", "load"]
