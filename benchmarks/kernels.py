"""Cycles of every kernel on every shape of the reference networks, beside the bound that it aims at.

Run: MCUSIM_MODELS=... python benchmarks/kernels.py [MODEL...]; --write docs/kernels.md writes the document.

A bound counts the instructions that the kernel's schedule cannot do without (kernel_bounds.py); "left" is the
share of the cycles that it does not explain. Code: bytes of the kernel and of what it calls.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from kernel_bounds import Bound, Work, kernel_of

from mcusim import chips, image, network
from mcusim.compiler.build import build
from mcusim.compiler.lowering import LoweredOp, Options, lower
from mcusim.compiler.schedule import parse_spec
from mcusim.network.geometry import macs
from mcusim.network.graph import Graph, Operator, OpKind
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


ROUNDING = {"conv", "conv_1x1", *(f"depthwise_{n}x{n}_s{s}" for n in (3, 5, 7) for s in (1, 2))}
"""Kernels that round once where that is exact."""


@dataclass(frozen=True)
class Row:
    """An operator as it ran: its kernel, [height, width, channels] in and out, window, cycles, and the bytes
    of code of its kernel."""

    index: int
    kind: OpKind
    kernel: str
    shape_in: str
    shape_out: str
    window: tuple[int, int]
    stride: int
    cycles: int
    code_bytes: int
    work: Work

    @property
    def bound(self) -> Bound | None:
        bound = kernel_of(self.kernel).bound
        return bound(self.work) if bound is not None else None

    @property
    def name(self) -> str:
        """The kernel's, and how often it rounds where that differs."""
        plain = self.kernel.removeprefix("mcu_").removesuffix("_once")
        if plain not in ROUNDING:
            return plain
        return f"{plain} {'twice' if self.work.rounds_twice else 'once'}"

    @property
    def rate(self) -> float:
        """Multiply-accumulates a cycle."""
        return self.work.macs / self.cycles

    def cells(self) -> tuple[str, ...]:
        """What a table shows of it, from the kernel's name on."""
        bound = self.bound
        parts = ["-"] * 5
        if bound is not None:
            figures = (bound.inputs, bound.loads, bound.multiplies, bound.requantisation)
            parts = [f"{figure / self.cycles:.0%}" for figure in figures]
            parts.append(f"{1 - bound.cycles / self.cycles:.0%}")
        return (
            self.name,
            self.shape_in,
            self.shape_out,
            f"{self.cycles:,}",
            f"{self.rate:.2f}" if self.work.macs else "-",
            f"{self.cycles / self.work.outputs:.1f}",
            *parts,
            f"{self.code_bytes:,}",
        )


HEAD = (
    *("kernel", "in", "out", "cycles", "MAC/c", "c/output"),
    *("inputs", "loads", "MACs", "requant", "left", "code"),
)
WIDTHS = (22, 12, 12, 11, 6, 9, 7, 6, 6, 8, 6, 6)


@dataclass(frozen=True)
class Run:
    """A network layer by layer: its operators, and the whole."""

    name: str
    rows: tuple[Row, ...]
    cycles: int
    code_bytes: int
    flash_bytes: int


def work_of(graph: Graph, op: Operator, lowered: LoweredOp) -> Work:
    output = graph.output_of(op)
    window = op.attributes.window
    return Work(
        inputs=graph.input_of(op).elements,
        outputs=output.elements,
        macs=macs(graph, op),
        pixels=output.elements // output.shape[-1],
        window_rows=window.kernel_h if window else 1,
        rounds_twice="mcu_one_twice" in lowered.params or ".once = 0" in lowered.params,
    )


def row(graph: Graph, op: Operator, options: Options, cycles: int, code: Counter[str]) -> Row:
    lowered, window = lower(graph, op, options), op.attributes.window
    return Row(
        index=op.index,
        kind=op.kind,
        kernel=lowered.kernel,
        shape_in="x".join(map(str, graph.input_of(op).shape[1:])),
        shape_out="x".join(map(str, graph.output_of(op).shape[1:])),
        window=(window.kernel_h, window.kernel_w) if window else (1, 1),
        stride=window.stride_h if window else 1,
        cycles=cycles,
        code_bytes=sum(code[source] for source in kernel_of(lowered.kernel).sources),
        work=work_of(graph, op, lowered),
    )


def code_by_source(elf: image.Image) -> Counter[str]:
    """Bytes of linked functions by the source file they are defined in, without its ending."""
    sizes: Counter[str] = Counter()
    for function in elf.functions:
        file, _ = elf.lines.at(function.start)
        sizes[PurePosixPath(file).stem] += function.end - function.start
    return sizes


def measure(model: Path, options: Options, *, pruned: bool = False) -> Run:
    """Build a network layer by layer and run it; raises SystemExit if it fails."""
    graph = network.load(model)
    if pruned:
        graph = prune(graph).graph
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "network.elf"
        built = build(graph, parse_spec("layer", graph), chips.load(CHIP), out=out, options=options)
        result = simulate(built.elf, CHIP, memory=False)
        code = code_by_source(image.load(built.elf))
    if result.error is not None:
        raise SystemExit(f"{model.name}: {result.error}")
    cycles = {layer.index: layer.cycles for layer in result.trace.layers}
    operators = [op for op in graph.operators if cycles.get(op.index)]
    return Run(
        graph.name,
        tuple(row(graph, op, options, cycles[op.index], code) for op in operators),
        result.trace.totals.cycles,
        result.trace.firmware.text_bytes,
        result.trace.firmware.flash_bytes,
    )


def line(cells: tuple[str, ...]) -> str:
    """Names to the left, figures to the right."""
    name, *figures = cells
    padded = [f"{figure:>{width}}" for figure, width in zip(figures, WIDTHS[1:], strict=True)]
    return " ".join([f"{name:<{WIDTHS[0]}}", *padded])


def report(run: Run) -> str:
    """All operators of a network, and its total."""
    return "\n".join(
        [
            *(f"{each.index:>4} {line(each.cells())}" for each in run.rows),
            f"     {run.name}: {run.cycles / 1e6:.3f} Mcycles, {run.code_bytes:,} bytes of code, "
            f"{run.flash_bytes:,} of flash\n",
        ]
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="Cycles of every kernel beside its bound.")
    parser.add_argument("models", nargs="*", default=MODELS, metavar="MODEL")
    parser.add_argument("--optimise", choices=("speed", "size"), default="speed")
    parser.add_argument("--rounding", choices=("double", "single"), default="double")
    parser.add_argument("--prune", action="store_true", help="without the channels that carry nothing")
    parser.add_argument("--write", type=Path, metavar="FILE", help="also as docs/kernels.md")
    arguments = parser.parse_args()
    options = Options(arguments.optimise, arguments.rounding)
    folder = os.environ.get("MCUSIM_MODELS")
    if not folder:
        sys.stderr.write("set MCUSIM_MODELS to the folder of reference networks\n")
        return 2
    sys.stdout.write(f"  op {line(HEAD)}\n")
    runs = []
    for name in arguments.models:
        runs.append(measure(Path(folder) / f"{name}.tflite", options, pruned=arguments.prune))
        sys.stdout.write(report(runs[-1]))
    if arguments.write is not None:
        from kernels_document import document

        arguments.write.write_text(document(runs), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
