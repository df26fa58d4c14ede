"""Cycles of every kernel on every shape of the reference networks, beside the bound that it aims at.

Run: MCUSIM_MODELS=... python benchmarks/kernels.py [MODEL...]

A bound counts the instructions that the kernel's schedule cannot do without (loads, multiplications,
requantisation, as stated in the head of its source) and leaves out loops, calls, borders and instruction
fetch. The last column is the share of the measured cycles that it explains. Code is that of the kernel's own
function; loops that several kernels call count in the total.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mcusim import chips, network
from mcusim.compiler.build import build
from mcusim.compiler.lowering import LoweredOp, Options, lower
from mcusim.compiler.schedule import parse_spec
from mcusim.network.geometry import macs
from mcusim.network.graph import Graph, Operator
from mcusim.network.prune import prune
from mcusim.simulate import simulate

CHIP = "stm32l4r5"
MODELS = (
    "vww_96_int8",
    "person_detect",
    "pretrainedResnet_quant",
    "kws_ref_model",
    "ad01_int8",
    "mcunet_vww",
    "mcunet_detection",
    "str_ww_ref_model",
)


@dataclass(frozen=True)
class Work:
    """What an operator has to do: elements in and out, multiply-accumulates, pixels out, and whether its
    outputs take two roundings."""

    inputs: int
    outputs: int
    macs: int
    pixels: int
    rounds_twice: bool


def matrix_bound(work: Work) -> float:
    """gemm.c: 15 cycles for 16 MACs of pixel pairs, 19 of single pixels; 4 or 8 for an output's rounding."""
    step = 15 if work.pixels > 1 else 19
    return work.macs * step / 16 + work.outputs * (8 if work.rounds_twice else 4)


def planes_bound(size: int, stride: int) -> float:
    """depthwise_planes.c, an output: 8 cycles a tap of five outputs and pair of rows and 4 of first columns,
    36 of requantisation and stores; 2 cycles an element of the strip."""
    pairs = (size + 1) // 2
    return (pairs * (8 * size + 4 * stride) + 36) / 5 + 2 * stride**2


BOUNDS: dict[str, Callable[[Work], float]] = {
    "mcu_conv": matrix_bound,
    "mcu_conv_1x1": matrix_bound,
    "mcu_depthwise_3x3_s1": lambda work: work.outputs * 20.0,
    "mcu_depthwise_3x3_s2": lambda work: work.outputs * 35.0,
    "mcu_depthwise_5x5_s1": lambda work: work.outputs * planes_bound(5, 1),
    "mcu_depthwise_5x5_s2": lambda work: work.outputs * planes_bound(5, 2),
    "mcu_depthwise_7x7_s1": lambda work: work.outputs * planes_bound(7, 1),
    "mcu_depthwise_7x7_s2": lambda work: work.outputs * planes_bound(7, 2),
    "mcu_add_linear": lambda work: work.outputs * 6.5,
    "mcu_average_pool": lambda work: work.inputs * 1.3,
    "mcu_max_pool": lambda work: work.inputs * 1.5,
}


def work_of(graph: Graph, op: Operator, lowered: LoweredOp) -> Work:
    output = graph.output_of(op)
    return Work(
        inputs=graph.input_of(op).elements,
        outputs=output.elements,
        macs=macs(graph, op),
        pixels=output.elements // output.shape[-1],
        rounds_twice="mcu_one_twice" in lowered.params,
    )


def line(graph: Graph, op: Operator, cycles: int, code: Mapping[str, int], options: Options) -> str:
    """One row of the table; ``code``: bytes by function."""
    lowered = lower(graph, op, options)
    kernel, work = lowered.kernel, work_of(graph, op, lowered)
    shape = "x".join(map(str, graph.input_of(op).shape[1:]))
    result = "x".join(map(str, graph.output_of(op).shape[1:]))
    rate = f"{work.macs / cycles:.2f}" if work.macs else "-"
    bound = BOUNDS[kernel](work) if kernel in BOUNDS else None
    share = f"{bound:>12,.0f} {bound / cycles:>6.0%}" if bound is not None else f"{'-':>12} {'-':>6}"
    return (
        f"{op.index:>4} {kernel:<22} {shape:>12} {result:>12} {cycles:>12,} {rate:>6} "
        f"{cycles / work.outputs:>9.1f} {share} {code[kernel]:>6,}"
    )


def table(model: Path, options: Options, *, pruned: bool) -> list[str]:
    """All operators of a network, layer by layer, and its total."""
    graph = network.load(model)
    if pruned:
        graph = prune(graph).graph
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "network.elf"
        built = build(graph, parse_spec("layer", graph), chips.load(CHIP), out=out, options=options)
        result = simulate(built.elf, CHIP, memory=False)
    if result.error is not None:
        raise SystemExit(f"{model.name}: {result.error}")
    cycles = {layer.index: layer.cycles for layer in result.trace.layers}
    firmware = result.trace.firmware
    symbols = firmware.flash.symbols if firmware.flash else ()
    code = {symbol.name: symbol.bytes for symbol in symbols if symbol.part == "text"}
    rows = [line(graph, op, cycles[op.index], code, options) for op in graph.operators if op.index in cycles]
    total = result.trace.totals.cycles
    return [
        *rows,
        f"     {graph.name}: {total / 1e6:.3f} Mcycles, {firmware.text_bytes:,} bytes of code, "
        f"{firmware.flash_bytes:,} of flash",
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description="Cycles of every kernel beside its bound.")
    parser.add_argument("models", nargs="*", default=MODELS, metavar="MODEL")
    parser.add_argument("--optimise", choices=("speed", "size"), default="speed")
    parser.add_argument("--rounding", choices=("double", "single"), default="double")
    parser.add_argument("--prune", action="store_true", help="without the channels that carry nothing")
    arguments = parser.parse_args()
    options = Options(arguments.optimise, arguments.rounding)
    folder = os.environ.get("MCUSIM_MODELS")
    if not folder:
        sys.stderr.write("set MCUSIM_MODELS to the folder of reference networks\n")
        return 2
    sys.stdout.write(
        f"{'op':>4} {'kernel':<22} {'in':>12} {'out':>12} {'cycles':>12} {'MAC/c':>6} {'c/output':>9} "
        f"{'bound':>12} {'share':>6} {'code':>6}\n"
    )
    for name in arguments.models:
        rows = table(Path(folder) / f"{name}.tflite", options, pruned=arguments.prune)
        sys.stdout.write("\n".join([*rows, ""]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
