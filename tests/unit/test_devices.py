"""Devices against their manuals, without a machine around them."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from mcusim.machine.devices.bus import Bus, Platform
from mcusim.machine.devices.camera import ADDRESS, LINE, READY, Camera
from mcusim.machine.devices.debug import CoreDebug
from mcusim.machine.devices.dwt import CycleCounterUnit
from mcusim.machine.devices.nvic import InterruptController
from mcusim.machine.devices.scb import SystemControlBlock
from mcusim.machine.devices.systick import FAR_OFF, RVR, SysTick


@dataclass
class Clock:
    now: int = 0
    sentences: list[str] = field(default_factory=list)
    resets: int = 0
    faults: list[str] = field(default_factory=list)

    def platform(self) -> Platform:
        return Platform(lambda: self.now, self.sentences.append, self._reset, fault=self.faults.append)

    def _reset(self) -> None:
        self.resets += 1


def test_cycle_counter_counts_only_while_enabled() -> None:
    clock = Clock()
    unit = CycleCounterUnit(clock.platform())
    clock.now = 50
    assert unit.read(4) == 0
    unit.write(0, 1)
    clock.now = 80
    assert unit.read(4) == 30
    unit.write(4, 0xFFFF_FFF0)
    clock.now = 100
    assert unit.read(4) == 4
    unit.write(0, 0)
    clock.now = 500
    assert unit.read(4) == 4


@given(
    reload=st.integers(1, 40),
    steps=st.lists(st.integers(0, 100), max_size=20),
)
def test_systick_equals_a_counter_stepped_by_hand(reload: int, steps: list[int]) -> None:
    clock = Clock()
    timer = SysTick(clock.platform())
    timer.write(0x4, reload)
    timer.write(0x8, 123)
    timer.write(0x0, 1)
    value, flag = 0, False
    for step in steps:
        clock.now += step
        for _ in range(step):
            flag = flag or value == 1
            value = reload if value == 0 else value - 1
        assert timer.read(0x8) == value
        control = timer.read(0x0)
        assert control is not None
        assert bool(control >> 16 & 1) == flag
        flag = False


def test_systick_tells_when_it_ends() -> None:
    clock = Clock()
    timer = SysTick(clock.platform())
    timer.write(RVR, 99)
    timer.write(0, 1)
    assert timer.next_end() == FAR_OFF
    timer.write(0, 3)
    assert timer.next_end() == clock.now + 100
    clock.now += 40
    assert timer.next_end() == clock.now + 60
    clock.now += 60
    assert timer.next_end() == clock.now + 100


def test_the_interrupt_controller_keeps_what_is_enabled_pending_and_urgent() -> None:
    clock = Clock()
    controller = InterruptController(clock.platform())
    controller.write(0x004, 1 << 3)
    controller.write(0x104, 1 << 3 | 1 << 4)
    controller.write(0x184, 1 << 4)
    controller.write(0x320, 0xFF << 24)
    assert (controller.read(0x004), controller.read(0x084), controller.read(0x104)) == (8, 8, 8)
    assert (controller.enabled, controller.pending) == ({16 + 35}, {16 + 35})
    assert controller.priority(16 + 35) == 0xF0
    assert (controller.read(0x000), controller.read(0x3E8)) == (0, 0)


def test_control_block_masks_and_reset_request() -> None:
    clock = Clock()
    block = SystemControlBlock(clock.platform(), 0x0800_0000)
    assert block.read(0x08) == 0x0800_0000
    assert block.read(0x00) == 0x410F_C241
    block.write(0x00, 0)
    assert block.read(0x00) == 0x410F_C241
    block.write(0x88, 0xFFFF_FFFF)
    assert block.read(0x88) == 0x00F0_0000
    block.write(0x0C, 0x1234_0004)
    assert clock.resets == 0
    block.write(0x0C, 0x05FA_0004)
    assert clock.resets == 1
    assert block.read(0x0C) == 0xFA05_0000
    assert not block.write(0x100, 1)


def test_bus_serves_bytes_and_warns_once_per_register() -> None:
    clock = Clock()
    bus = Bus(0xE000_0000, [CoreDebug()], clock.platform())
    bus.write(0xEDFC, 4, 0x0100_0000)
    assert bus.read(0xEDFF, 1) == 1
    bus.write(0xEDFC, 1, 0x01)
    assert bus.read(0xEDFC, 4) == 0x0100_0001
    assert clock.sentences == []
    assert bus.read(0x5000, 4) == 0
    bus.write(0x5002, 2, 0xABCD)
    assert bus.read(0x5000, 4) == 0xABCD_0000
    assert bus.read(0x5004, 4) == 0
    assert [sentence[:19] for sentence in clock.sentences] == ["register 0xe0005000", "register 0xe0005004"]


class Scene:
    """A camera of 3 lines of 4 bytes before memory at 0x100 to 0x110."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.memory = bytearray(0x10)
        self.camera = Camera(self.clock.platform(), self._deliver, 3, 4)

    def take(self, number: int, address: int) -> None:
        self.camera.write(ADDRESS, address)
        self.camera.write(LINE, number)

    def _deliver(self, address: int, line: bytes) -> bool:
        fits = 0x100 <= address <= 0x110 - len(line)
        if fits:
            self.memory[address - 0x100 : address - 0x100 + len(line)] = line
        return fits


def test_a_camera_brings_lines_in_order_to_where_they_are_wanted() -> None:
    scene = Scene()
    scene.camera.show(b"linetwo!last")
    assert scene.camera.read(READY) == 0
    scene.take(0, 0x104)
    scene.take(1, 0x108)
    assert (scene.camera.read(LINE), scene.camera.read(READY)) == (1, 2)
    scene.take(2, 0x104)
    assert scene.memory == bytes(4) + b"lasttwo!" + bytes(4)
    scene.take(0, 0x100)
    assert scene.memory[:4] == b"line"
    assert scene.camera.read(READY) == 1
    assert not scene.clock.faults


def test_a_camera_without_an_image_sees_black() -> None:
    scene = Scene()
    scene.memory[:] = b"x" * 16
    scene.take(0, 0x100)
    assert scene.memory == bytes(4) + b"x" * 12


def test_a_camera_brings_no_line_twice_none_too_early_and_none_to_nowhere() -> None:
    scene = Scene()
    scene.take(1, 0x100)
    scene.take(0, 0x100)
    scene.take(1, 0x10D)
    scene.take(1, 0x100)
    scene.take(1, 0x100)
    scene.take(2, 0x100)
    scene.take(3, 0x100)
    assert scene.clock.faults == [
        "the firmware asked for line 1 of the camera's 3 when 0 had come",
        "no memory at 0x0000010d holds a line of the camera",
        "the firmware asked for line 1 of the camera's 3 when 2 had come",
        "the firmware asked for line 3 of the camera's 3 when 3 had come",
    ]
