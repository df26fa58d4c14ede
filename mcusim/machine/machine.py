"""The machine: one chip running one image, driven event by event."""

from __future__ import annotations

import enum
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast

from unicorn import arm_const
from unicorn import unicorn_const as unicorn

from mcusim import core
from mcusim.chips import Chip
from mcusim.core.interface import (
    CodeRegion,
    Core,
    CoreSpec,
    FunctionRange,
    SramRegion,
    Stop,
    StopState,
    TrackedBank,
    Watch,
)
from mcusim.errors import FaultError, McusimError
from mcusim.image import Image
from mcusim.machine import engine, semihosting
from mcusim.machine.access_clock import AccessClock
from mcusim.machine.devices import Bus, Device, Platform
from mcusim.machine.devices.camera import Camera
from mcusim.machine.devices.debug import CoreDebug
from mcusim.machine.devices.dwt import CycleCounterUnit
from mcusim.machine.devices.nvic import InterruptController
from mcusim.machine.devices.scb import SystemControlBlock
from mcusim.machine.devices.systick import SysTick
from mcusim.machine.exceptions import SVCALL, Exceptions
from mcusim.machine.faults import NULL_BYTES, Access, Blame
from mcusim.machine.heap import Heap, allocator
from mcusim.machine.memory import DebugPort, Memory
from mcusim.machine.ports import camera_port, lines_of
from mcusim.machine.stacks import stack_areas, stack_floor
from mcusim.timing.chip_flash import flash_range, flash_timing, flashes_beside
from mcusim.timing.flash import FlashTiming
from mcusim.timing.pipeline import DEFAULT_VARIANT

if TYPE_CHECKING:
    from unicorn.unicorn_py3.unicorn import Uc

PPB_START, PPB_SIZE = 0xE000_0000, 0x0010_0000
"""Private peripheral bus: Arm DDI 0403 (ARMv7-M ARM), B3.1."""

NOWHERE = 0xFFFF_FFFE
"""An address that no firmware executes; emulation "until" it never ends by itself."""

INTERRUPT_SVC, INTERRUPT_PREFETCH_ABORT, INTERRUPT_BKPT, INTERRUPT_EXCEPTION_RETURN = 2, 3, 7, 8
"""Unicorn's numbers in its interrupt hook for M-profile cores (EXCP_* of its target/arm/cpu.h)."""

WFE, WFI = 0xBF20, 0xBF30
EPSR_T = 1 << 24


class EventKind(enum.Enum):
    EXITED = "exited"
    ENTERED = "entered"
    RETURNED = "returned"


@dataclass(frozen=True)
class Event:
    """Why ``Machine.run`` came back. ``value``: exit code, or the address of the function."""

    kind: EventKind
    value: int


@dataclass(frozen=True)
class Setup:
    """What a run is asked to do beside executing.

    ``watches``: function starts to what the core does there. ``layer_names``: function starts to the words
    that name a layer in messages. ``sram_cuts``: addresses at which changes in SRAM are told apart;
    ``measure_sram``: whether they are looked for at all. ``survey_flashes``: count reads of flash for every
    chip that is known, see ``CoreSpec``. ``cycle_limit``: 0 for none. ``console`` gets the firmware's output
    as it comes. ``hash_accesses``: see ``MemoryCount.stream_hash``. ``allow_null``: go on behind accesses
    through null pointers.
    """

    watches: Mapping[int, Watch] = field(default_factory=dict)
    layer_names: Mapping[int, str] = field(default_factory=dict)
    sram_cuts: tuple[int, ...] = ()
    cycle_limit: int = 0
    console: Callable[[str], None] = field(default=lambda _: None)
    core: Literal["native", "twin"] = "native"
    model: str = DEFAULT_VARIANT
    measure_sram: bool = True
    survey_flashes: bool = False
    hash_accesses: bool = False
    allow_null: bool = False


@dataclass(frozen=True)
class Snapshot:
    """Registers and SRAM at one moment."""

    registers: Any
    sram: tuple[bytes, ...]


class Machine:
    """Boots on construction: memories loaded, registers as after reset. ``warnings`` grows as it runs;
    ``host_seconds`` is the time spent in emulation alone. What goes through ``port`` counts as the
    firmware's own reading and writing. ``camera``: where the image's input comes from, if it is that."""

    def __init__(self, image: Image, chip: Chip, setup: Setup) -> None:
        """Raises InputError if the image cannot start on this chip."""
        self._boot = image.boot(chip)
        self._setup = setup
        self._engine = engine.create()
        self.memory = Memory(self._engine, chip)
        self.memory.load(image)
        self.warnings: list[str] = []
        self.host_seconds = 0.0
        self._blame = Blame(image, chip, self.memory, setup.layer_names)
        self._stack_limit = image.stack_limit or stack_floor(image, chip, self._boot.stack_pointer)
        self.spec = self._core_spec(image, chip)
        self.core: Core = core.create(cast("Uc", self._engine), self.spec, prefer=setup.core)
        self.port = DebugPort(self.memory, self._note)
        self._semihosting = semihosting.Semihosting(
            self.port, self._cycles, chip.clock_hz, setup.console, self._warn
        )
        self._clock = AccessClock(self.core, self._engine.reg_read, self.memory.read)
        self.camera = self._map_devices(chip, image)
        self._refused: Access | None = None
        self._interrupt: int | None = None
        self._device_fault: str | None = None
        self._engine.hook_add(unicorn.UC_HOOK_MEM_INVALID, self._on_refused_access)
        self._engine.hook_add(unicorn.UC_HOOK_INTR, self._on_interrupt)
        self._engine.reg_write(arm_const.UC_ARM_REG_SP, self._boot.stack_pointer)
        self._engine.reg_write(arm_const.UC_ARM_REG_LR, 0xFFFF_FFFF)
        self.heap = Heap(image, self.core, self._argument, self._raise_stack_limit)
        self._pc = self._boot.reset & ~1
        self.core.begin(self._pc, self._boot.stack_pointer)
        self.heap.begin()
        for segment in image.segments:
            if segment.data:
                self._note(segment.load_address, len(segment.data), True)

    @property
    def stack_top(self) -> int:
        """The stack pointer at reset."""
        return self._boot.stack_pointer

    def run(self) -> Event:
        """Execute up to the next event.

        Raises FaultError, MemoryLimitError or CycleLimitError, after which the counts are complete up to
        the instruction to blame.
        """
        while True:
            self._refused = self._interrupt = None
            failed = self._emulate()
            self._pc = self._engine.reg_read(arm_const.UC_ARM_REG_PC) & ~1
            self.core.pause(self._pc)
            event = self._after(failed) if self.core.stop_state().stop is not Stop.AGAIN else None
            if event is not None and not self._is_allocator(event):
                return event

    def close(self) -> None:
        """Let go of the core; the memories stay readable, nothing runs any more."""
        self.core.close()

    def snapshot(self) -> Snapshot:
        return Snapshot(self._engine.context_save(), self.memory.save_sram())

    def restart(self, snapshot: Snapshot) -> None:
        """Back to a snapshot taken at a function's entry; counts begin anew, and the function's return
        will be an event."""
        self._engine.context_restore(snapshot.registers)
        self.memory.restore_sram(snapshot.sram)
        self._pc = self._engine.reg_read(arm_const.UC_ARM_REG_PC) & ~1

    def begin_call(self) -> None:
        """Count from here, the entry of a function, to its return; memory is not measured again."""
        stack_pointer = self._engine.reg_read(arm_const.UC_ARM_REG_SP)
        back = self._engine.reg_read(arm_const.UC_ARM_REG_LR) & ~1
        self.core.begin(self._pc, stack_pointer, back, measure=False)
        if stack_pointer >= self._stack_limit:
            self.core.set_stack_limit(self._stack_limit)

    def _is_allocator(self, event: Event) -> bool:
        """Whether the event is the allocator's alone, which is followed then."""
        if event.kind is EventKind.EXITED or event.value != self.heap.function:
            return False
        if event.kind is EventKind.ENTERED:
            self.heap.entered()
        else:
            self.heap.returned()
        return not self._setup.watches.get(event.value, Watch.NOTHING) & Watch.STOP

    def _argument(self, number: int) -> int:
        """R0 to R3: an argument at a function's entry, its result (0) at its return."""
        return self._engine.reg_read(arm_const.UC_ARM_REG_R0 + number)

    def _raise_stack_limit(self, heap_start: int, heap_end: int) -> None:
        """The heap has grown; raises MemoryLimitError if a stack above reaches down to it."""
        stack_pointer = self._engine.reg_read(arm_const.UC_ARM_REG_SP)
        if not self.spec.stack_limit <= heap_start < self.stack_top:
            return
        if heap_end > stack_pointer:
            raise self._blame.heap_limit(heap_end, stack_pointer, self.core.call_chain)
        self._stack_limit = max(self._stack_limit, heap_end)
        self.core.set_stack_limit(self._stack_limit)

    def _emulate(self) -> int | None:
        """The emulator's error number, None if it was stopped without one."""
        self.core.resume()
        started = time.perf_counter()
        try:
            return engine.emulate(self._engine, self._pc | 1, NOWHERE)
        finally:
            self.host_seconds += time.perf_counter() - started

    def _after(self, failed: int | None) -> Event | None:
        """The event that ended emulation, or None to go on at ``self._pc``."""
        state = self.core.stop_state()
        if state.stop is Stop.ENTERED:
            return Event(EventKind.ENTERED, state.address)
        if state.stop is Stop.RETURNED:
            return Event(EventKind.RETURNED, state.address)
        if state.stop is Stop.DEADLINE:
            self._pc = self._exceptions.take_due(self._pc)
            return None
        chain = self.core.call_chain
        if state.stop is not Stop.NONE:
            was_made = state.stop not in (Stop.NULL, Stop.UNALIGNED)
            self.core.finish(self._pc if was_made else state.instruction)
            raise self._verdict(state, chain)
        if self._device_fault is not None:
            self.core.finish(self._pc)
            raise FaultError(f"{self._device_fault} {self._blame.place(self._pc, chain)}")
        if self._interrupt is not None:
            return self._after_interrupt(self._interrupt)
        if failed is not None:
            self._after_failure(failed)
        else:
            self._after_silence()
        return None

    def _verdict(self, state: StopState, chain: Sequence[int]) -> McusimError:
        """Why the core does not go on."""
        match state.stop:
            case Stop.STACK:
                return self._stack_verdict(state, chain)
            case Stop.NULL:
                return self._blame.null_pointer(state.address, state.instruction, chain)
            case Stop.UNALIGNED:
                return self._blame.unaligned(state.address, state.instruction, chain)
            case Stop.UNDECODED:
                return self._blame.uncosted(state.instruction or state.address, chain)
            case _:
                return self._blame.cycle_limit(self._setup.cycle_limit, self._pc, chain)

    def _stack_verdict(self, state: StopState, chain: Sequence[int]) -> McusimError:
        stack = next((s for s in self.core.counts().stacks if s.lowest == state.address), None)
        if stack is not None and stack.area is not None and stack.area[0] > state.address:
            return self._blame.thread_stack(state.address, stack.area[0], state.instruction, chain)
        return self._blame.stack_limit(
            state.address, self._stack_limit, state.instruction, chain, heap_end=self.heap.end
        )

    def _after_interrupt(self, number: int) -> Event | None:
        if number == INTERRUPT_BKPT and self._halfword(self._pc) == semihosting.BREAKPOINT:
            return self._serve_semihosting()
        if number == INTERRUPT_SVC and self._exceptions.may_take(SVCALL):
            self._pc = self._exceptions.enter(SVCALL, self._pc)
            return None
        if number == INTERRUPT_EXCEPTION_RETURN and self._exceptions.active:
            self._pc = self._exceptions.leave(self._pc)
            return None
        chain = self.core.call_chain
        self.core.finish(self._pc)
        if number == INTERRUPT_BKPT:
            raise self._blame.said("breakpoint without a debugger", self._pc, chain)
        if number == INTERRUPT_SVC:
            raise self._blame.said("supervisor call without a handler", self._pc - 2, chain)
        if number == INTERRUPT_EXCEPTION_RETURN:
            place = self._blame.place(chain[-1] if chain else self._pc, chain)
            raise FaultError(f"exception return outside an exception, after code {place}")
        if number == INTERRUPT_PREFETCH_ABORT:
            raise self._blame.refused_fetch(self._pc, chain)
        raise self._blame.undefined(self._pc, chain, thumb=True)

    def _serve_semihosting(self) -> Event | None:
        operation = self._engine.reg_read(arm_const.UC_ARM_REG_R0)
        parameter = self._engine.reg_read(arm_const.UC_ARM_REG_R1)
        self._pc += 2
        try:
            result = self._semihosting.call(operation, parameter)
        except semihosting.FirmwareExit as ending:
            self.core.finish(self._pc)
            return Event(EventKind.EXITED, ending.code)
        self._engine.reg_write(arm_const.UC_ARM_REG_R0, result)
        return None

    def _after_failure(self, failed: int) -> None:
        """Unicorn refused to go on; only WFE, which it does not know, is forgiven."""
        chain = self.core.call_chain
        if failed == unicorn.UC_ERR_INSN_INVALID and self._halfword(self._pc - 2) == WFE:
            # WFE may end at any time for reasons of its own (ARMv7-M ARM, B1.5.18): it does so at once.
            return
        self.core.finish(self._pc)
        if self._refused is not None:
            stack_pointer = self._engine.reg_read(arm_const.UC_ARM_REG_SP)
            raise self._blame.refused_access(self._refused, self._pc, chain, stack_pointer)
        if failed == unicorn.UC_ERR_INSN_INVALID:
            thumb = bool(self._engine.reg_read(arm_const.UC_ARM_REG_XPSR) & EPSR_T)
            raise self._blame.undefined(self._pc, chain, thumb)
        raise self._blame.said(f"the emulator stopped with its error {failed}", self._pc, chain)

    def _after_silence(self) -> None:
        chain = self.core.call_chain
        self.core.finish(self._pc)
        if self._halfword(self._pc - 2) == WFI:
            awake = self._exceptions.sleep(self._pc)
            if awake is not None:
                self._pc = awake
                return
            raise self._blame.said("the core sleeps and nothing can wake it", self._pc - 2, chain)
        raise FaultError(f"emulation stopped without a reason {self._blame.place(self._pc, chain)}")

    def _handler(self, number: int) -> int | None:
        """Where the vector table has an exception's handler, None if there is no function."""
        vector = self.memory.read(self._exceptions.control.vector_table + 4 * number, 4) or bytes(4)
        address = int.from_bytes(vector, "little")
        start = address & ~1
        is_code = any(f.start <= start < f.end for f in self.spec.functions) or not self.spec.functions
        return start if address & 1 and is_code else None

    def _halfword(self, address: int) -> int:
        return int.from_bytes(self.memory.read(address, 2) or b"\0\0", "little")

    def _cycles(self) -> int:
        return self.core.cycles

    def _note(self, address: int, size: int, store: bool) -> None:
        self.core.note(0, address, size, store)

    def _warn(self, sentence: str) -> None:
        if sentence not in self.warnings:
            self.warnings.append(sentence)

    def _request_reset(self) -> None:
        self._fail("the firmware asked for a system reset")

    def _fail(self, sentence: str) -> None:
        """A device was asked for what ends the run."""
        self._device_fault = sentence
        self._engine.emu_stop()

    def _core_spec(self, image: Image, chip: Chip) -> CoreSpec:
        watches = dict(self._setup.watches)
        moves_break = allocator(image)
        if moves_break:
            watches[moves_break.start] = watches.get(moves_break.start, Watch.NOTHING) | Watch.STOP
        functions = tuple(
            FunctionRange(function.start, function.end, watches.get(function.start, Watch.NOTHING))
            for function in image.functions
        )
        code = tuple(
            CodeRegion(start, bank.view)
            for bank in self.memory.banks
            if "x" in bank.region.access
            for start in (bank.region.start, *bank.region.aliases)
        )
        return CoreSpec(
            model=self._setup.model,
            code=code,
            sram=tuple(self._sram_parts()) if self._setup.measure_sram else (),
            functions=functions,
            tracked=self._tracked_banks(),
            stack_limit=self._stack_limit,
            areas=stack_areas(image, chip),
            cycle_limit=self._setup.cycle_limit,
            flash=flash_timing(chip),
            surveyed=self._surveyed(chip),
            hash_accesses=self._setup.hash_accesses,
            null_end=NULL_BYTES,
            null_stops=not self._setup.allow_null and not image.occupies(0, NULL_BYTES),
        )

    def _surveyed(self, chip: Chip) -> tuple[FlashTiming, ...]:
        """The chip's own flash tells how far its waiting may be off."""
        if self._setup.survey_flashes:
            return flashes_beside(chip)
        return tuple(flash_range(chip)) if chip.wait_states else ()

    def _tracked_banks(self) -> tuple[TrackedBank, ...]:
        if not self._setup.measure_sram:
            return ()
        return tuple(
            TrackedBank((bank.region.start, *bank.region.aliases), bank.view) for bank in self.memory.sram
        )

    def _sram_parts(self) -> list[SramRegion]:
        """Every bank of SRAM, cut where the caller wants changes told apart."""
        parts = []
        for bank in self.memory.sram:
            start, end = bank.region.start, bank.region.end
            inside = {cut for cut in self._setup.sram_cuts if start < cut < end}
            edges = sorted({start, end} | inside)
            for low, high in itertools.pairwise(edges):
                parts.append(SramRegion(low, bank.view[low - start : high - start]))
        return parts

    def _map_devices(self, chip: Chip, image: Image) -> Camera | None:
        """The camera, if the image reads its input from one."""
        platform = Platform(self._clock.cycles, self._warn, self._request_reset, self.core.trap_unaligned)
        platform.fault = self._fail
        control = SystemControlBlock(platform, self._reset_vtor(chip))
        interrupts, timer = InterruptController(platform), SysTick(platform)
        devices: list[Device] = [CoreDebug(), control, CycleCounterUnit(platform), timer, interrupts]
        self._exceptions = Exceptions(
            self._engine, self.port, self.core, self._handler, control, interrupts, timer
        )
        platform.exceptions_changed = self._exceptions.changed
        self._map_bus(PPB_START, PPB_SIZE, Bus(PPB_START, devices, platform))
        for region in chip.regions:
            if region.kind == "peripheral":
                self._map_bus(region.start, region.size, Bus(region.start, (), platform))
        port = camera_port(image)
        if port is None:
            return None
        camera = Camera(platform, self.port.write, *lines_of(port))
        self._map_bus(camera.base, camera.size, Bus(camera.base, [camera], platform))
        return camera

    def _reset_vtor(self, chip: Chip) -> int:
        """0 after reset (ARMv7-M ARM, B3.2.5), where flash appears; else as a boot loader leaves it."""
        table = self._boot.vector_table
        return 0 if table == chip.flash.start and 0 in chip.flash.aliases else table

    def _map_bus(self, start: int, size: int, bus: Bus) -> None:
        def read(_uc: Any, offset: int, width: int, _data: Any) -> int:
            self._clock.open(start + offset, store=False)
            value = bus.read(offset, width)
            self._clock.close()
            return value

        def write(_uc: Any, offset: int, width: int, value: int, _data: Any) -> None:
            self._clock.open(start + offset, store=True)
            bus.write(offset, width, value)
            self._clock.close()

        self._engine.mmio_map(start, size, read, None, write, None)

    def _on_refused_access(
        self, _uc: Any, kind: int, address: int, size: int, _value: int, _data: Any
    ) -> bool:
        self._refused = Access(kind, address, size)
        return False

    def _on_interrupt(self, _uc: Any, number: int, _data: Any) -> None:
        self._interrupt = number
        self._engine.emu_stop()
