"""docs/kernels.md: what every kernel reaches on every shape, against which figure, and what is left."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kernels import HEAD, Row, Run

from mcusim.network.graph import OpKind
from mcusim.timing.document import table

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "kernels.md"

INTRODUCTION = """# Kernels

What the kernels of the firmware cost, measured on networks of MLPerf Tiny and of MCUNet, layer by layer at
zero wait states, beside the cycles that their schedules cannot do without. Written by
`MCUSIM_MODELS=... python benchmarks/kernels.py --write docs/kernels.md`, which also prints a table for every
network; `--optimise size`, `--rounding single` and `--prune` show other choices.

## Aims

What the project aims at for each kind, and what its shapes reach: the worst, all of them together, and the
best. MAC/cycle: the more the better; cycles an element: the fewer.

"""

SHAPES = """
## Shapes

Every kernel on every shape, each once. Of its cycles: `inputs` widen or transpose them for multiplication,
`loads` bring operands in the inner loop, `MACs` multiply, with what unpacks the weights, `requant` makes
outputs of sums and stores them; all as counted in the heads of the kernels' sources. `left` is what remains:
loops, calls, borders, instruction fetch. `code`: bytes of the kernel with all that it calls, in the network
that the row is from. `once`: one rounding, where it is proved to give the outputs of the reference's two.

"""


@dataclass(frozen=True)
class Aim:
    """A kind of operator, the figure to reach (at least so many MACs a cycle, or at most so many cycles an
    element), and what stands in the way where it is missed."""

    title: str
    figure: float
    covers: Callable[[Row], bool]
    left: str
    elements: Callable[[Row], int] | None = None

    def amount(self, row: Row) -> int:
        return self.elements(row) if self.elements is not None else row.work.macs

    def cells(self, rows: Sequence[Row]) -> tuple[str, ...]:
        """A line of the table of aims."""
        amounts = [(self.amount(row), row.cycles) for row in rows]
        together = (sum(amount for amount, _ in amounts), sum(cycles for _, cycles in amounts))
        rates = [amount / cycles for amount, cycles in amounts]
        shown = (min(rates), together[0] / together[1], max(rates))
        if self.elements is not None:
            cells = tuple(f"{1 / rate:.1f}" for rate in shown)
            reached = sum(1 / rate <= self.figure for rate in rates)
            return self.title, f"{self.figure:g} cycles an element", *cells, f"{reached} of {len(rates)}"
        reached = sum(round(rate, 2) >= self.figure for rate in rates)
        cells = tuple(f"{rate:.2f}" for rate in shown)
        return self.title, f"{self.figure:.2f} MAC/cycle", *cells, f"{reached} of {len(rates)}"


def _kernel(*names: str) -> Callable[[Row], bool]:
    wanted = {f"mcu_{name}" for name in names}
    return lambda row: row.kernel.removesuffix("_once") in wanted


def _channels(row: Row) -> int:
    return int(row.shape_in.rpartition("x")[2])


def _conv(row: Row, least: int, most: int = 1 << 30) -> bool:
    square = row.window == (3, 3)
    return row.kind is OpKind.CONV_2D and square and least <= _channels(row) <= most


def _pointwise(row: Row, least: int, most: int = 1 << 30) -> bool:
    pixels = row.kind is OpKind.CONV_2D and row.work.pixels > 1
    return pixels and row.window == (1, 1) and least <= _channels(row) <= most


AIMS = (
    Aim(
        "1x1, 48 channels and more",
        0.80,
        lambda row: _pointwise(row, 48),
        "Two pixels of four channels take 15 cycles for 16 MACs (LDR x4, SXTB16 x2, SMLAD x8 and a NOP), "
        "which is 1.07. Around the products a block takes 40 cycles, and its requantisation 32 with one "
        "rounding and 64 with two; where there are 16 outputs, widening the inputs (1.6 cycles an "
        "element) weighs as well. Outputs that are no multiple of four (18 channels) compute a block of "
        "which a half is thrown away.",
    ),
    Aim(
        "1x1, 16 channels",
        0.55,
        lambda row: _pointwise(row, 16, 16),
        "Four quads a block: 120 cycles of products, and two thirds of that again for requantisation and "
        "setting out; with 8 outputs also the widening of inputs.",
    ),
    Aim(
        "3x3, 16 channels and more",
        0.85,
        lambda row: _conv(row, 16),
        "With 16 channels a window is widened (LDR, SXTB16 x2, STR x2: 1.6 cycles an element) for 16 "
        "outputs only: 460 cycles for 4,608 MACs. Then 75 cycles a block of requantisation (SMMLAR or "
        "SMMLA, SSAT, BFI) and of setting out, 100 with two roundings, and windows at the border, whose "
        "runs are copied first, about 100 cycles each, for two in sixteen pairs.",
    ),
    Aim(
        "3x3, 3 channels",
        0.60,
        lambda row: _conv(row, 1, 4),
        "Rows of nine bytes are seldom aligned: every other load takes a cycle more, and the ninth byte "
        "goes on its own (LDRSB, STRH): 130 cycles a pair of windows. 27 products are filled up to 28. "
        "With 8 outputs a pair of windows costs 865 cycles: 420 of products, 150 of requantisation and of "
        "setting out blocks, 130 of widening, 165 of calls and of finding windows, which 16 outputs "
        "share. A single channel has a word for each row of three bytes, filled up with a product that is "
        "zero.",
    ),
    Aim(
        "depthwise 3x3, stride 1",
        0.40,
        _kernel("depthwise_3x3_s1"),
        "Two by two outputs take 63 cycles with one rounding: 24 of multiplication (SMLAD, SMLABT, "
        "SMLATB), 12 of loads, 6 of storing single bytes (two STRB with a register for an offset take 2 "
        "cycles), 8 of requantisation (SMMLA, SSAT), 13 of VMOV and of the loop. Transposing the inputs "
        "(LDR x2, PKHBT, PKHTB, SXTB16 x4, STR x4) costs 2.6 cycles an output where a call has eight "
        "rows, and 5.2 where it has two, as where outputs are written over inputs. Maps of 3x3 and 5x5 "
        "compute rows and columns that are thrown away, and share 60 cycles of setting out a channel "
        "among few outputs.",
    ),
    Aim(
        "depthwise 3x3, stride 2",
        0.28,
        _kernel("depthwise_3x3_s2"),
        "Each output needs four inputs to be transposed, 12 cycles of 33, nearly as much as its five "
        "multiplications, its loads and its requantisation together. Small maps share the setting out of "
        "a channel, 40 cycles, among few outputs, which are computed in fours.",
    ),
    Aim(
        "depthwise 5x5",
        0.55,
        _kernel("depthwise_5x5_s1", "depthwise_5x5_s2"),
        "Five outputs of a pair of rows take 8 cycles a column: LDR x2 (3 cycles) and SMLAD x5. The sixth "
        "row of three pairs is padding, so that 15 SMLAD make 25 MACs. Rows that lie in the padding are "
        "left out, but counted as MACs. Maps of 3x3 outputs compute five columns for three.",
    ),
    Aim(
        "depthwise 7x7",
        0.60,
        _kernel("depthwise_7x7_s1", "depthwise_7x7_s2"),
        "As 5x5; with a stride of 2 an output needs four inputs to be transposed, and columns are loaded "
        "anew for odd taps.",
    ),
    Aim(
        "dense",
        0.72,
        lambda row: row.kernel == "mcu_conv_1x1" and row.work.pixels == 1,
        "A single pixel takes 19 cycles for 16 MACs (LDR x6, SXTB16 x4, SMLAD x8). The rest is widening, "
        "and a layer of two to twelve outputs costs about 1,500 cycles whatever it computes, most of them "
        "in calls.",
    ),
    Aim(
        "ADD",
        10,
        _kernel("add_linear"),
        "",
        elements=lambda row: row.work.outputs,
    ),
    Aim(
        "average pool",
        2,
        _kernel("average_pool"),
        "With nine elements an output, 44 cycles for eight means (AND, SSUB16, SXTAH, UMULL, ORR) and 40 "
        "of setting out eight channels come on 72 elements; their sums take 1.1 cycles an element (LDR "
        "x4, SXTAB16 x8 for sixteen).",
        elements=lambda row: row.work.inputs,
    ),
)


def distinct(runs: Sequence[Run]) -> list[Row]:
    """Every kernel on every shape, once, ordered by kernel; of equal ones the first."""
    found: dict[tuple[str, ...], Row] = {}
    for run in runs:
        for row in run.rows:
            found.setdefault((*row.cells()[:3], str(row.window)), row)
    return sorted(found.values(), key=lambda row: row.cells()[0])


def _wrapped(item: str) -> str:
    return textwrap.fill(item, width=118, subsequent_indent="  ", break_on_hyphens=False)


def document(runs: Sequence[Run]) -> str:
    """The whole of docs/kernels.md."""
    rows = distinct(runs)
    covered = [(aim, [row for row in rows if aim.covers(row)]) for aim in AIMS]
    head = ("kind", "aim", "worst", "together", "best", "shapes that reach it")
    aims = table(head, [aim.cells(of_kind) for aim, of_kind in covered if of_kind])
    lefts = "\n".join(_wrapped(f"* *{aim.title}*: {aim.left}") for aim in AIMS if aim.left)
    totals = table(
        ("network", "Mcycles", "code", "flash"),
        [
            (run.name, f"{run.cycles / 1e6:.3f}", f"{run.code_bytes:,}", f"{run.flash_bytes:,}")
            for run in runs
        ],
    )
    way = f"\nWhat is left, and which instructions stand in the way:\n\n{lefts}\n"
    return (
        INTRODUCTION
        + aims
        + way
        + "\n## Networks\n\nWhole inferences, every channel computed, input in SRAM; bytes.\n\n"
        + totals
        + SHAPES
        + table(HEAD, [row.cells() for row in rows])
    )
