"""Runs assembled programs with a core attached to a bare engine: code, some SRAM, nothing else."""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from assembler import ORIGIN, assemble
from unicorn import UC_ARCH_ARM, UC_MODE_MCLASS, UC_MODE_THUMB, UC_PROT_ALL, Uc, arm_const

from mcusim import core
from mcusim.core.interface import CodeRegion, CoreSpec, FunctionRange, SramRegion, Stop, TrackedBank, Watch
from mcusim.timing.flash import FlashTiming
from mcusim.timing.pipeline import DEFAULT_VARIANT

Prefer = Literal["native", "twin"]
SRAM, SRAM_SIZE = 0x20000000, 0x4000
STACK_TOP = SRAM + SRAM_SIZE
RETURN = 0x8000
"""Where programs return to; never executed."""


@dataclass(frozen=True)
class Program:
    """Code with its functions, which are the symbols that do not start with an underscore."""

    code: bytes
    symbols: Mapping[str, int]

    def functions(self, watches: Mapping[str, Watch] | None = None) -> list[FunctionRange]:
        """Each function reaches up to the next."""
        names = [n for n in self.symbols if n and n[0].isalpha()]
        names.sort(key=lambda name: self.symbols[name])
        ends = [self.symbols[name] for name in names[1:]] + [ORIGIN + len(self.code)]
        return [
            FunctionRange(self.symbols[name], end, (watches or {}).get(name, Watch.NOTHING))
            for name, end in zip(names, ends, strict=True)
        ]


def build(text: str, folder: Path) -> Program:
    """Assemble a program."""
    code, symbols = assemble(text, folder)
    return Program(code, symbols)


@dataclass
class Bench:
    """An engine with a core. ``sram`` is the memory that the engine and the core share."""

    program: Program
    prefer: Prefer
    watches: Mapping[str, Watch] = field(default_factory=dict)
    stack_limit: int = 0
    cycle_limit: int = 0
    model: str = DEFAULT_VARIANT
    surveyed: Sequence[FlashTiming] = ()
    cuts: Sequence[int] = ()
    areas: Sequence[tuple[int, int]] = ()
    hash_accesses: bool = False

    def __post_init__(self) -> None:
        self.sram = (ctypes.c_uint8 * SRAM_SIZE)()
        self.uc = Uc(UC_ARCH_ARM, UC_MODE_THUMB | UC_MODE_MCLASS)
        self.uc.ctl_set_cpu_model(arm_const.UC_CPU_ARM_CORTEX_M4)
        self.uc.mem_map(ORIGIN, 0x8000, UC_PROT_ALL)
        self.uc.mem_write(ORIGIN, self.program.code)
        self.uc.mem_map_ptr(SRAM, SRAM_SIZE, UC_PROT_ALL, ctypes.addressof(self.sram))
        spec = CoreSpec(
            self.model,
            [CodeRegion(ORIGIN, memoryview(self.program.code))],
            self._regions(),
            self.program.functions(self.watches),
            self.stack_limit,
            self.cycle_limit,
            [TrackedBank((SRAM,), memoryview(self.sram).cast("B"))],
            surveyed=self.surveyed,
            areas=self.areas,
            hash_accesses=self.hash_accesses,
        )
        self.core = core.create(self.uc, spec, self.prefer)

    def _regions(self) -> list[SramRegion]:
        """SRAM, cut at so many bytes from its start."""
        whole, edges = memoryview(self.sram).cast("B"), [0, *self.cuts, SRAM_SIZE]
        return [SramRegion(SRAM + low, whole[low:high]) for low, high in itertools.pairwise(edges)]

    def at(self, name: str) -> int:
        """Address of a symbol."""
        return self.program.symbols[name]

    def begin(self, name: str) -> None:
        """Set the registers for a call of ``name`` that returns to RETURN."""
        self.uc.reg_write(arm_const.UC_ARM_REG_SP, STACK_TOP)
        self.uc.reg_write(arm_const.UC_ARM_REG_LR, RETURN | 1)
        self.core.begin(self.at(name), STACK_TOP, RETURN)

    def go(self, address: int) -> None:
        """Let the engine run until something stops it."""
        while True:
            try:
                self.uc.emu_start(address | 1, 0)
            finally:
                address = self.uc.reg_read(arm_const.UC_ARM_REG_PC)
                self.core.pause(address & ~1)
            if self.core.stop_state().stop is not Stop.AGAIN:
                return
            self.core.resume()

    def call(self, name: str, *arguments: int) -> None:
        """Call ``name`` with up to four arguments, until something stops it."""
        for index, value in enumerate(arguments):
            self.uc.reg_write(arm_const.UC_ARM_REG_R0 + index, value)
        self.begin(name)
        self.go(self.at(name))

    def proceed(self) -> None:
        """Go on where the core stopped."""
        self.core.resume()
        self.go(self.uc.reg_read(arm_const.UC_ARM_REG_PC))


def tree(bench: Bench) -> Sequence[tuple[str, int]]:
    """The call tree: path of names and number of calls, in order of paths."""
    names = {address: name for name, address in bench.program.symbols.items() if name and name[0].isalpha()}
    nodes = bench.core.counts().nodes
    rows = []
    for node in nodes:
        path, at = [names[node.function]], node.parent
        while at >= 0:
            path.append(names[nodes[at].function])
            at = nodes[at].parent
        rows.append(("/".join(reversed(path)), node.calls))
    return sorted(rows)
