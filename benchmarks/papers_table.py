"""What is published of schedules, what is planned of the same here, and what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from mcusim import chips, network
from mcusim.cli.sweep import parse_clock
from mcusim.compiler.analysis import mac_factor, published_peak
from mcusim.compiler.schedule import InputIn, parse_spec
from mcusim.network.graph import Graph, Operator, OpKind
from mcusim.network.prune import prune
from mcusim.sweep.document import Figures
from mcusim.sweep.points import Point, Source

INPUT_IN: InputIn = "flash"
"""Nowhere in these tables does the image lie in SRAM: the publications do not count it during patches."""


class Publication(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``opened``: what of it could be read when the figures were checked."""

    title: str
    opened: str


class Blocks(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Published KiB of the first blocks of a network, layer by layer, and of all in patches."""

    network: str
    source: str
    kib: tuple[float, ...]
    schedule: str
    patched_kib: float


class Reduction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What patches are said to save of the peak and to add to the MACs."""

    network: str
    schedule: str
    published: str


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A schedule to build and run; ``published_kib`` is the peak that was published of it, 0 if none."""

    schedule: str
    published_kib: float = 0


class Series(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Schedules of one network on one chip; ``clock`` as for ``mcusim sweep``. ``on_chip``: the published
    peaks were measured on a chip too."""

    title: str
    network: str
    chip: str
    clock: str
    on_chip: bool
    points: tuple[Wanted, ...]


class FrontierPoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Peak bytes for a number of MACs, over those layer by layer."""

    bytes: int
    mac_factor: float


class Frontier(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was published of a network of one of the ``measured`` series."""

    network: str
    points: tuple[FrontierPoint, ...]


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that is published, from ``papers/published.toml``."""

    sources: dict[str, Publication]
    blocks: Blocks
    reduction: tuple[Reduction, ...]
    measured: tuple[Series, ...]
    frontier: Frontier


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """``counted_bytes``: peak by MCUNetV2's rules, 0 for schedules that they do not cover. ``mac_factor``:
    MACs over those layer by layer."""

    counted_bytes: int
    mac_factor: float


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """How many times less the peak is, by MCUNetV2's rules, and MACs over those layer by layer."""

    saved: float
    mac_factor: float


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """The plan and the ``figures`` of the run, None if the schedule cannot be: then ``refusal`` says why."""

    schedule: str
    planned: Planned | None
    figures: Figures | None
    refusal: str = ""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the document shows of this project, in the order of the table. ``blocks``: bytes of
    every published block."""

    blocks: tuple[int, ...]
    patched: Planned
    reduction: tuple[Ratio, ...]
    rows: tuple[tuple[Row, ...], ...]


def load_table(path: Path) -> Table:
    """Raises OSError or msgspec.DecodeError for a table that is not there or not one."""
    return msgspec.toml.decode(path.read_bytes(), type=Table)


def load_graph(name: str) -> Graph:
    """The network as it would be built."""
    return prune(network.load(name)).graph


def block_bytes(graph: Graph) -> tuple[int, ...]:
    """Per block of a network of inverted residuals, the first convolution being one, the largest sum of an
    ordinary convolution's input and output: what figure 1 of MCUNetV2 shows."""
    return tuple(
        max(graph.input_of(op).bytes + graph.output_of(op).bytes for op in block if op.kind is OpKind.CONV_2D)
        for block in _blocks(graph)
    )


def _blocks(graph: Graph) -> Iterator[tuple[Operator, ...]]:
    """The first convolution, then every inverted residual with its ADD."""
    makers = {output: op.kind for op in graph.operators for output in op.outputs}
    block: list[Operator] = []
    for position, op in enumerate(graph.operators):
        block.append(op)
        projects = op.kind is OpKind.CONV_2D and makers.get(op.inputs[0]) is OpKind.DEPTHWISE_CONV_2D
        following = graph.operators[position + 1].kind if position + 1 < len(graph.operators) else None
        if position == 0 or op.kind is OpKind.ADD or (projects and following is not OpKind.ADD):
            yield tuple(block)
            block = []


def plan(graph: Graph, spec: str, sram_bytes: int | None = None) -> Planned:
    """What ``spec`` needs of ``graph`` with the image in flash; ``sram_bytes`` is what "auto" may use."""
    schedule = parse_spec(spec, graph, INPUT_IN, sram_bytes)
    covered = spec == "layer" or spec.startswith("patch:")
    return Planned(
        counted_bytes=published_peak(graph, schedule) if covered else 0,
        mac_factor=mac_factor(graph, schedule),
    )


def ratio(wanted: Reduction) -> Ratio:
    """The planned counterpart of a published reduction."""
    graph = load_graph(wanted.network)
    schedule = parse_spec(wanted.schedule, graph, INPUT_IN)
    peak = published_peak(graph, parse_spec("layer", graph, INPUT_IN))
    return Ratio(
        saved=peak / published_peak(graph, schedule),
        mac_factor=mac_factor(graph, schedule),
    )


def points(series: Series) -> list[Point]:
    """What a sweep measures for ``series``."""
    chip, clock = chips.load(series.chip), parse_clock(series.clock)
    return [
        Point(Source(series.network), chip, clock, Source(wanted.schedule), INPUT_IN)
        for wanted in series.points
    ]
