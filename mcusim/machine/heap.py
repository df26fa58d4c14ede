"""The heap of a running image: a part of SRAM that the image names, or what an allocator asks for."""

from __future__ import annotations

from collections.abc import Callable

from mcusim.core.interface import Core
from mcusim.image import Function, Image

ALLOCATORS = {"_sbrk": 0, "sbrk": 0, "_sbrk_r": 1}
"""Functions that move the break, with the number of the argument that says by how much (newlib's manual,
System Calls); they give the break as it was."""

FAILED = 0xFFFF_FFFF


class Heap:
    """Follows calls of the image's ``_sbrk``; tells the core where the heap is."""

    def __init__(
        self, image: Image, core: Core, argument: Callable[[int], int], grown: Callable[[int, int], None]
    ) -> None:
        """``argument`` reads R0 to R3. ``grown`` hears where the heap starts and ends when it has grown."""
        self._core = core
        self._argument = argument
        self._grown = grown
        self._region = image.heap
        function = allocator(image)
        self.function = function.start if function else None
        self._number = ALLOCATORS[function.name] if function else 0
        self._more = 0
        self.range: tuple[int, int] | None = None
        """From the first break to the highest one."""

    @property
    def bytes(self) -> int | None:
        """From the first break to the highest one, None if no break was moved."""
        return self.range[1] - self.range[0] if self.range else None

    @property
    def end(self) -> int:
        """The highest break so far, 0 before the first."""
        return self.range[1] if self.range else 0

    def begin(self) -> None:
        """The core has begun to count."""
        if self._region is not None:
            self._core.set_heap(*self._region)

    def entered(self) -> None:
        """The break is about to be moved."""
        more = self._argument(self._number)
        self._more = more - (1 << 32) if more >> 31 else more

    def returned(self) -> None:
        """The allocator comes back with the break as it was."""
        before = self._argument(0)
        if before == FAILED:
            return
        start, end = self.range or (before, before)
        self.range = min(start, before), max(end, before + self._more)
        if self.range[1] > end:
            self._core.set_heap(*self.range)
            self._grown(*self.range)


def allocator(image: Image) -> Function | None:
    """The function that moves the break."""
    found = (image.function_named(name) for name in ALLOCATORS)
    return next((function for function in found if function), None)
