"""A camera that brings an image line by line, as a DMA controller would: mcusim's own device, no chip's.

It lies where the architecture has vendors put what is theirs (Arm DDI 0403, B3.1: Vendor_SYS, from
0xF000_0000). Lines come in order, each once; line 0 begins the image again.
"""

from __future__ import annotations

from collections.abc import Callable

from mcusim.machine.devices.bus import Platform

LINE, ADDRESS, READY = 0x0, 0x4, 0x8


class Camera:
    """LINE: writing a number brings that line to the address in ADDRESS, at once and without a cycle of the
    core. READY: how many lines of the image are there. Without an image every byte is 0.

    ``deliver`` puts bytes at an address of the chip's memory; False if they do not fit there.
    """

    base = 0xF000_0000
    size = 0x1000

    def __init__(
        self, platform: Platform, deliver: Callable[[int, bytes], bool], lines: int, line_bytes: int
    ) -> None:
        self._platform = platform
        self._deliver = deliver
        self._lines = lines
        self._line_bytes = line_bytes
        self._image = bytes(lines * line_bytes)
        self._address = 0
        self._ready = 0

    def show(self, image: bytes) -> None:
        """From now on this is what it sees; ``image`` has as many bytes as all lines."""
        self._image = image
        self._ready = 0

    def read(self, offset: int) -> int | None:
        return {LINE: max(0, self._ready - 1), ADDRESS: self._address, READY: self._ready}.get(offset)

    def write(self, offset: int, value: int) -> bool:
        if offset == ADDRESS:
            self._address = value
        elif offset == LINE:
            self._bring(value)
        return offset in (LINE, ADDRESS, READY)

    def _bring(self, number: int) -> None:
        if number not in (0, self._ready) or number >= self._lines:
            what = f"line {number} of the camera's {self._lines}"
            self._platform.fault(f"the firmware asked for {what} when {self._ready} had come")
            return
        first = number * self._line_bytes
        if not self._deliver(self._address, self._image[first : first + self._line_bytes]):
            self._platform.fault(f"no memory at 0x{self._address:08x} holds a line of the camera")
            return
        self._ready = number + 1
