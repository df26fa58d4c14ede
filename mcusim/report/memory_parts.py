"""What the SRAM peak and the flash image are made of, named and ordered as all reports show them."""

from __future__ import annotations

from mcusim.report import figures
from mcusim.trace import Firmware, Memory, Stack


def sram_parts(memory: Memory) -> list[tuple[str, int]]:
    """Names and bytes of the parts of the SRAM peak; they sum to it."""
    return [
        ("arena", memory.arena_bytes),
        ("scratch", memory.scratch_bytes),
        ("stack", memory.stack_bytes),
        ("static", memory.static_bytes),
        ("heap", memory.heap_bytes),
    ]


def flash_parts(firmware: Firmware) -> list[tuple[str, int]]:
    """Names and bytes of what lies in flash; they sum to the size of the image."""
    flash = firmware.flash
    if flash is None:
        code = firmware.text_bytes
        return [("code", code), ("data", firmware.flash_bytes - code)]
    return [
        ("code", flash.text_bytes),
        ("weights", flash.weight_bytes),
        ("constants", flash.constant_bytes),
        ("first values", flash.initial_bytes),
        ("padding", flash.padding_bytes),
    ]


def stack_sentence(stack: Stack) -> str:
    """One of several stacks: its pointer, how deep it was, of what, and where."""
    reserved = f" of {figures.kib(stack.reserved_bytes)}" if stack.reserved_bytes else ""
    path = f", deepest in {' > '.join(stack.chain)}" if stack.chain else ""
    return f"stack {stack.name} ({stack.pointer.upper()}): {figures.kib(stack.bytes)}{reserved}{path}"


def stack_path(memory: Memory) -> str:
    """The calls at the deepest point of the stack, outermost first."""
    return " > ".join(memory.stack_chain)
