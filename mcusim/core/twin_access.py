"""Accesses to SRAM for the Python core: an instruction callback that reads the registers each time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from unicorn import UC_HOOK_CODE, arm_const
from unicorn.unicorn_py3.unicorn import Uc

from mcusim.core.interface import (
    CodeRegion,
    CoreSpec,
    MemoryCount,
    SramRegion,
    Stop,
    StopState,
    StrayRead,
    Watch,
)
from mcusim.core.stream import mix
from mcusim.core.twin_liveness import LiveFigures, Liveness
from mcusim.timing.addressing import Access, decode_access
from mcusim.timing.decode import Instruction, decode_one
from mcusim.timing.isa import PC, Class
from mcusim.timing.outcomes import (
    ALL_BITS,
    DIVISION_BITS,
    DIVISION_SKIPPED,
    EXECUTED,
    SKIPPED,
    condition_holds,
    division_outcome,
    outcome_bits,
)

_REGISTERS = (
    *range(arm_const.UC_ARM_REG_R0, arm_const.UC_ARM_REG_R0 + 13),
    arm_const.UC_ARM_REG_SP,
    arm_const.UC_ARM_REG_LR,
)
MAXIMUM_STRAYS = 64
"""Instructions that are told apart when they read what they should not."""


@dataclass(frozen=True, slots=True)
class _Pending:
    """An access whose instruction has begun."""

    pc: int
    address: int
    access: Access


def advance_it(state: int) -> int:
    """ITSTATE behind an instruction (Arm DDI 0403E, A7.3.2)."""
    return state & 0xE0 | state << 1 & 0x1F if state & 7 else 0


class AccessTracker:
    """Follows the accesses of one engine and what lives in its SRAM."""

    def __init__(
        self,
        uc: Uc,
        spec: CoreSpec,
        waits_for: Callable[[int, int, int, bool], None],
        refuse: Callable[[StopState], None],
        clock: Callable[[], int],
    ) -> None:
        """``waits_for`` hears of every access: its instruction, address, bytes, whether it is a store;
        ``refuse`` of one that faults, behind which nothing is followed. ``clock`` gives the cycles up to the
        pending run."""
        self._uc = uc
        self._waits_for = waits_for
        self._refuse = refuse
        self._null_end, self._null_stops = spec.null_end, spec.null_stops
        self.traps_unaligned = False
        self._code = spec.code
        self._hashes = spec.hash_accesses
        self._banks: list[tuple[int, int, int]] = []
        size = 0
        for bank in spec.tracked:
            self._banks += [(start, bank.data.nbytes, size) for start in bank.starts]
            size += bank.data.nbytes
        layers = [function.start for function in spec.functions if function.watch & Watch.LAYER]
        regions = [(self._place(part.start), part.data.nbytes) for part in spec.sram]
        self.liveness = Liveness(size, regions, layers, clock)
        self._hook = uc.hook_add(UC_HOOK_CODE, self._on_instruction) if self._banks else None
        self.begin(measure=False)

    def begin(self, measure: bool) -> None:
        """Nothing was ever written."""
        self.is_active: bool = bool(self._banks)
        self._is_measured: bool = self.is_active and measure
        self.is_over: bool = False
        self._outcomes: dict[int, int] = {}
        self._pending: _Pending | None = None
        self._it: int = 0
        self._it_address: int = 0
        self._unwritten: dict[int, StrayRead] = {}
        self._null_reads: dict[int, StrayRead] = {}
        self._hash: int = 0
        self.liveness.begin()

    def settle(self) -> None:
        """The instruction that has begun is over."""
        pending, self._pending = self._pending, None
        if pending is None:
            return
        status = pending.access.status
        if status < 0 or self._uc.reg_read(_REGISTERS[status]) == 0:
            if self._is_refused(pending):
                return
            self.note(pending.pc, pending.address, pending.access.bytes, pending.access.store)
            if self._hashes and self._is_measured and self._is_tracked(pending.address):
                access = pending.access
                self._hash = mix(self._hash, pending.address, access.bytes, access.store)
            self._waits_for(pending.pc, pending.address, pending.access.bytes, pending.access.store)

    def pause(self, pc: int) -> None:
        """The engine rests at ``pc``; an access of the instruction there was refused."""
        if self._pending is not None and self._pending.pc == pc:
            self._pending = None
        self.settle()

    def note(self, pc: int, address: int, size: int, store: bool) -> None:
        """``size`` bytes from ``address`` on are read or written, as far as they are SRAM."""
        self.liveness.advance()
        for start, length, first in self._banks if self._is_measured and size else ():
            if start <= address < start + length:
                inside = min(size, start + length - address)
                if store:
                    self.liveness.write(first + address - start, inside)
                elif self.liveness.read(first + address - start, inside):
                    _note_stray(self._unwritten, pc, address)
                return

    def outcomes(self, run: Sequence[Instruction]) -> int:
        """What the instructions of a run did, of those that began since ``forget_outcomes``."""
        outcome = position = 0
        for instruction in run if self.is_active else ():
            width = outcome_bits(instruction)
            if position + width > ALL_BITS:
                break
            skipped = DIVISION_SKIPPED if width == DIVISION_BITS else SKIPPED
            if width:
                outcome |= self._outcomes.get(instruction.address, skipped) << position
            position += width
        return outcome

    def forget_outcomes(self) -> None:
        """A run is over."""
        self._outcomes.clear()

    def _place(self, address: int) -> int:
        """The number of a byte of SRAM."""
        found = (first + address - start for start, size, first in self._banks if 0 <= address - start < size)
        return next(found, 0)

    def set_heap(self, start: int, end: int) -> None:
        """Addresses [start, end) in one bank of SRAM are the heap, and so is what was before."""
        if any(low <= start < end <= low + size for low, size, _ in self._banks):
            self.liveness.set_heap(self._place(start), self._place(start) + end - start)

    def high_water(self, part: SramRegion) -> int:
        """End of the highest byte written of ``part``, relative to its start."""
        for start, length, first in self._banks:
            if start <= part.start < start + length:
                return self.liveness.high_water(first + part.start - start, part.data.nbytes)
        return 0

    def count(self) -> tuple[MemoryCount, LiveFigures]:
        """Figures up to now, for the run and by layer."""
        figures = self.liveness.measure()
        return (
            MemoryCount(
                touched_bytes=figures.touched_bytes,
                live_peak_bytes=figures.live_peak_bytes,
                unread_bytes=figures.unread_bytes,
                unwritten=tuple(self._unwritten.values()),
                null_reads=tuple(self._null_reads.values()),
                stream_hash=self._hash,
                region_live_peaks=figures.region_live_peaks if self._banks else (),
                heap_live_peak_bytes=figures.heap_live_peak_bytes,
                live=figures.live if self._banks else (),
            ),
            figures,
        )

    def close(self) -> None:
        """Remove the hook."""
        if self._hook is not None:
            self._uc.hook_del(self._hook)
            self._hook = None

    def _is_tracked(self, address: int) -> bool:
        return any(start <= address < start + length for start, length, _ in self._banks)

    def _is_refused(self, pending: _Pending) -> bool:
        """Whether the core faults instead of making the access (Arm DDI 0403E, A3.2.1)."""
        access, pc, address = pending.access, pending.pc, pending.address
        why = Stop.NONE
        is_null = access.base != PC and address < self._null_end
        if is_null and self._null_stops:
            why = Stop.NULL
        elif is_null:
            _note_stray(self._null_reads, pc, address)
        if address % access.unit and (access.aligned or self.traps_unaligned):
            why = Stop.UNALIGNED
        if why is not Stop.NONE:
            self.is_over = True
            self._refuse(StopState(why, address, pc))
        return why is not Stop.NONE

    def _on_instruction(self, _uc: Uc, pc: int, size: int, _user: object) -> None:
        self.settle()
        if not self.is_active or self.is_over:
            return
        code = _code_at(self._code, pc, size)
        it = self._it if pc == self._it_address else 0
        access = decode_access(code) if code else None
        executed = not it & 15 or condition_holds(it >> 4, int(self._uc.reg_read(arm_const.UC_ARM_REG_XPSR)))
        if executed:
            self._outcomes[pc] = self._outcome(code)
        if access is not None and executed:
            self._pending = _Pending(pc, self._address(pc, access), access)
        opens_it = len(code) == 2 and code[1] == 0xBF and code[0] & 15 != 0
        self._it = code[0] if opens_it else advance_it(it)
        self._it_address = pc + size

    def _outcome(self, code: bytes) -> int:
        """Of an instruction that begins to execute."""
        if not code or decode_one(code, 0).kind is not Class.DIVIDE:
            return EXECUTED
        word = int.from_bytes(code[:2], "little") << 16 | int.from_bytes(code[2:], "little")
        dividend, divisor = (int(self._uc.reg_read(_REGISTERS[word >> n & 15])) for n in (16, 0))
        signed = not word >> 21 & 1  # Arm DDI 0403E, A7.7.127 and A7.7.195
        return division_outcome(dividend, divisor, signed=signed)

    def _address(self, pc: int, access: Access) -> int:
        base = pc + 4 & ~3 if access.base == PC else int(self._uc.reg_read(_REGISTERS[access.base]))
        if access.index >= 0:
            base += int(self._uc.reg_read(_REGISTERS[access.index])) << access.shift
        return base + access.offset & 0xFFFFFFFF


def _note_stray(reads: dict[int, StrayRead], pc: int, address: int) -> None:
    if pc in reads:
        reads[pc] = StrayRead(pc, reads[pc].address, reads[pc].count + 1)
    elif len(reads) < MAXIMUM_STRAYS:
        reads[pc] = StrayRead(pc, address, 1)


def _code_at(regions: Sequence[CodeRegion], pc: int, size: int) -> bytes:
    for region in regions:
        if region.start <= pc and pc + size <= region.start + region.data.nbytes:
            return bytes(region.data[pc - region.start : pc - region.start + size])
    return b""
