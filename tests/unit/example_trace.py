"""A small, complete trace for tests of what reads traces."""

from __future__ import annotations

import msgspec

from mcusim.trace import (
    ChipInfo,
    Exit,
    Firmware,
    Function,
    Host,
    Layer,
    Memory,
    Region,
    TimingInfo,
    Totals,
    Trace,
)


def layer(index: int, op: str, cycles: int, macs: int, *, calls: int = 1, stage: int = 0) -> Layer:
    return Layer(
        index=index,
        name=f"tensor_{index}",
        op=op,
        symbol=f"layer_{index:03d}",
        calls=calls,
        cycles=cycles,
        instructions=cycles // 2,
        macs=macs,
        touched_bytes=3000,
        live_peak_bytes=0,
        stack_bytes=96,
        shape_in=(1, 8, 8, 4),
        shape_out=(1, 8, 8, 16),
        stage=stage,
    )


def function(name: str, cycles: int) -> Function:
    return Function(
        name=name, file="kernel.c", line=7, calls=3, cycles_self=cycles, cycles_total=cycles, instructions=9
    )


def trace() -> Trace:
    """Two layers of 900,000 and 90,000 cycles and 10,000 cycles outside; 100 MHz, so 10 ms."""
    return Trace(
        firmware=Firmware(
            path="out/small.elf",
            sha256="0" * 64,
            text_bytes=4096,
            flash_bytes=65536,
            static_sram_bytes=128,
            build={},
        ),
        chip=ChipInfo(
            name="stm32f412zg", clock_hz=100_000_000, wait_states=0, sram_bytes=256 << 10, flash_bytes=1 << 20
        ),
        timing=TimingInfo(model="m5", version=1, error="known to about 1 %"),
        exit=Exit(reason="exit", code=0),
        totals=Totals(cycles=1_000_000, instructions=400_000, seconds=0.01, macs=250_000),
        memory=Memory(
            sram_peak_bytes=26_272,
            static_bytes=128,
            arena_bytes=24_576,
            scratch_bytes=1024,
            stack_bytes=544,
            heap_bytes=0,
            input_bytes=6912,
            stack_chain=("main", "layer_000", "conv"),
            regions=(Region(name="sram", size=256 << 10, high_water_bytes=26_272),),
        ),
        layers=(layer(0, "CONV_2D", 900_000, 200_000), layer(3, "FULLY_CONNECTED", 90_000, 50_000)),
        functions=(function("conv", 800_000), function("dense", 80_000)),
        schedule={"name": "layer"},
        host=Host(seconds=0.1, mcusim_version="0.1.0"),
    )


def changed(**fields: object) -> Trace:
    """``trace()`` with some of its fields replaced."""
    return msgspec.structs.replace(trace(), **fields)
