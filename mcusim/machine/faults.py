"""From what stopped the emulator to one sentence for the user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from unicorn import unicorn_const as unicorn

from mcusim.chips import Chip
from mcusim.errors import CycleLimitError, FaultError, McusimError, MemoryLimitError
from mcusim.image import Image
from mcusim.machine.memory import Memory

FETCHES = (unicorn.UC_MEM_FETCH_UNMAPPED, unicorn.UC_MEM_FETCH_PROT, unicorn.UC_MEM_FETCH)
WRITES = (unicorn.UC_MEM_WRITE_UNMAPPED, unicorn.UC_MEM_WRITE_PROT, unicorn.UC_MEM_WRITE)

NULL_BYTES = 256
"""Addresses below are those of null pointers and of members of what they should point to."""

WIDE = 0xE800
"""First halfwords from here on open a 32-bit instruction: Arm DDI 0403 (ARMv7-M ARM), A5.1."""


@dataclass(frozen=True)
class Access:
    """An access that the memory map refused; ``kind`` is one of Unicorn's UC_MEM_* numbers."""

    kind: int
    address: int
    size: int


@dataclass(frozen=True)
class Blame:
    """Puts places into words: instruction, function, layer.

    ``layers`` maps the start of a layer's function to the words that name it.
    """

    image: Image
    chip: Chip
    memory: Memory
    layers: Mapping[int, str]

    def refused_access(
        self, access: Access, pc: int, chain: Sequence[int], stack_pointer: int
    ) -> McusimError:
        """A read, write or fetch where the chip has no such memory."""
        if access.kind in FETCHES:
            return self.refused_fetch(access.address, chain)
        target = f"0x{access.address:08x}" + (" (a null pointer)" if access.address < NULL_BYTES else "")
        by = f"by {self.instruction(pc)} {self.place(pc, chain)}"
        if access.kind not in WRITES:
            return FaultError(
                f"read of {access.size} bytes at {target}, {self._nothing_there(access.address)}, {by}"
            )
        limit = self.image.stack_limit
        if limit is not None and access.address < limit and stack_pointer <= limit:
            return MemoryLimitError(
                f"stack overflow, write to {target} below the stack's limit 0x{limit:08x} {by}"
            )
        return MemoryLimitError(
            f"write of {access.size} bytes to {target}, {self._nothing_there(access.address)}, {by}"
        )

    def refused_fetch(self, address: int, chain: Sequence[int]) -> McusimError:
        """A jump to where no code can be."""
        what = self._nothing_there(address)
        return FaultError(f"jump to 0x{address:08x}, {what}, from {self._function(chain)}")

    def stack_limit(
        self, stack_pointer: int, limit: int, pc: int, chain: Sequence[int], *, heap_end: int
    ) -> McusimError:
        """The stack pointer fell below ``limit``: the image's, or the end of what lies below the stack."""
        below = f"{limit - stack_pointer} bytes"
        if limit == self.image.stack_limit:
            where = f"{below} below the stack's limit 0x{limit:08x}"
        elif limit == heap_end:
            where = f"{below} into the heap, which reaches up to 0x{limit:08x}"
        else:
            found = self.image.object_at(stack_pointer)
            name = f" ({found.name})" if found else ""
            where = f"{below} into the static data{name} up to 0x{limit:08x}"
        return MemoryLimitError(
            f"stack overflow, the stack pointer fell to 0x{stack_pointer:08x}, {where}, "
            f"by {self.instruction(pc)} {self.place(pc, chain)}"
        )

    def thread_stack(self, stack_pointer: int, start: int, pc: int, chain: Sequence[int]) -> McusimError:
        """A stack ran over the start of the object that it lies in."""
        found = self.image.object_at(start)
        name = found.name if found else "its room"
        return MemoryLimitError(
            f"stack overflow, the stack pointer fell to 0x{stack_pointer:08x}, {start - stack_pointer} bytes "
            f"below {name}, by {self.instruction(pc)} {self.place(pc, chain)}"
        )

    def heap_limit(self, heap_end: int, stack_pointer: int, chain: Sequence[int]) -> McusimError:
        """An allocator gave memory that the stack uses."""
        return MemoryLimitError(
            f"heap overflow, the heap grows up to 0x{heap_end:08x}, {heap_end - stack_pointer} bytes above "
            f"the stack pointer 0x{stack_pointer:08x}, on behalf of {self._function(chain)}"
        )

    def null_pointer(self, address: int, pc: int, chain: Sequence[int]) -> McusimError:
        """Data were accessed in the first bytes of the address space."""
        return self.said(f"access through a null pointer, to 0x{address:08x}", pc, chain)

    def unaligned(self, address: int, pc: int, chain: Sequence[int]) -> McusimError:
        """The core takes a UsageFault for an address that is not aligned."""
        return self.said(f"access to 0x{address:08x}, which is not aligned and faults", pc, chain)

    def cycle_limit(self, limit: int, pc: int, chain: Sequence[int]) -> McusimError:
        """The firmware runs on and on."""
        return CycleLimitError(
            f"the firmware did not end within {limit} cycles; it was {self.place(pc, chain)}"
        )

    def undefined(self, pc: int, chain: Sequence[int], thumb: bool) -> McusimError:
        """An instruction that the core does not have, or a jump that left the Thumb state."""
        if not thumb:
            return FaultError(
                f"jump to 0x{pc:08x} in ARM state (bit 0 of the address clear), from {self._function(chain)}"
            )
        return FaultError(f"undefined instruction {self.instruction(pc)} {self.place(pc, chain)}")

    def uncosted(self, pc: int, chain: Sequence[int]) -> McusimError:
        """The emulator runs it, the cycle model does not know it."""
        return FaultError(
            f"the cycle model does not know the instruction {self.instruction(pc)} {self.place(pc, chain)}"
        )

    def said(self, what: str, pc: int, chain: Sequence[int]) -> McusimError:
        """``what`` the instruction at ``pc`` did, as a fault."""
        return FaultError(f"{what}, by {self.instruction(pc)} {self.place(pc, chain)}")

    def instruction(self, pc: int) -> str:
        """The instruction at ``pc`` as assembly, in quotes; its halfwords if it cannot be disassembled."""
        import capstone

        raw = self.memory.read(pc, 4) or self.memory.read(pc, 2) or b""
        engine = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
        for _, _, mnemonic, operands in engine.disasm_lite(raw, pc, 1):
            return f"'{mnemonic} {operands}'" if operands else f"'{mnemonic}'"
        first, second = int.from_bytes(raw[:2], "little"), int.from_bytes(raw[2:4], "little")
        return f"0x{first:04x}" if first < WIDE else f"0x{first:04x} 0x{second:04x}"

    def place(self, pc: int, chain: Sequence[int]) -> str:
        """Where ``pc`` is: address, function, source line, and the layer that the call chain is in."""
        function = self.image.function_at(pc)
        text = f"at 0x{pc:08x}"
        if function is not None:
            file, line = self.image.lines.at(pc)
            source = f" ({file.rpartition('/')[2]}:{line})" if line else ""
            text += f" in {function.name}{source}"
        return text + self._layer(chain if function is None else (*chain, function.start))

    def _layer(self, chain: Sequence[int]) -> str:
        names = [self.layers[start] for start in chain if start in self.layers]
        return f", {names[-1]}" if names else ""

    def _function(self, chain: Sequence[int]) -> str:
        function = self.image.function_at(chain[-1]) if chain else None
        name = function.name if function else "code outside every known function"
        return name + self._layer(chain)

    def _nothing_there(self, address: int) -> str:
        for region in self.chip.regions:
            for start in (region.start, *region.aliases):
                if start <= address < start + region.size:
                    return f"which is in {region.name} ({region.access})"
        return f"where {self.chip.name} has no memory"
