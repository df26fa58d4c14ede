"""What moving the receptive field of a patch stage changes: before and after, planned and run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from mcusim.chips import Chip
from mcusim.compiler.analysis import operator_macs, schedule_macs
from mcusim.compiler.memory_plan import plan_memory
from mcusim.compiler.schedule import InputIn, parse_spec, position_of
from mcusim.compiler.stages import stages_of
from mcusim.errors import UsageError
from mcusim.network import ZOO_PREFIX, geometry, zoo
from mcusim.network.graph import Graph
from mcusim.network.zoo.blocks import Block
from mcusim.network.zoo.redistribution import Redistribution, redistribute, stage_end
from mcusim.parallel import run_all
from mcusim.sweep.document import Figures
from mcusim.sweep.measure import measure
from mcusim.sweep.points import Clock, Point, Source


@dataclass(frozen=True)
class Side:
    """A network under its patch schedule. ``field``: height and width of the image that one patch needs, in
    pixels; ``stage_factor`` and ``mac_factor``: MACs of the stage and of the network over those layer by
    layer; ``measured`` is None, with the reason in ``refusal``, where it was not run."""

    network: str
    schedule: str
    blocks: tuple[Block, ...]
    stage_blocks: int
    field: tuple[int, int]
    macs: int
    stage_factor: float
    mac_factor: float
    sram_bytes: int
    weight_bytes: int
    measured: Figures | None = None
    refusal: str = ""


def compare(
    specification: str, count: int, grid: tuple[int, int], chip: Chip, input_in: InputIn
) -> tuple[Side, Side]:
    """The zoo network ``specification`` ("zoo:mobilenet_v2?width=0.5") with ``grid`` patches over its first
    ``count`` blocks, as it is and redistributed, planned.

    Raises UsageError if it is no network of inverted residuals or already redistributed, ScheduleError if its
    patch stage cannot end there.
    """
    name, _, query = specification.removeprefix(ZOO_PREFIX).partition("?")
    architecture = zoo.ARCHITECTURES.get(name)
    if not specification.startswith(ZOO_PREFIX) or architecture is None or architecture.table is None:
        able = ", ".join(key for key, known in zoo.ARCHITECTURES.items() if known.table)
        raise UsageError(
            f"{specification} has no blocks to redistribute; the zoo's networks with such are {able}"
        )
    values = architecture.values(query)
    if values["redistribute"]:
        raise UsageError(f"{specification} is redistributed already")
    width, table = float(values["width"]), architecture.table
    moved = redistribute(table, count, width, int(values["resolution"]))
    spec = f"{ZOO_PREFIX}{name}?" + "&".join(filter(None, (query, f"redistribute={count}")))
    return (
        _side(specification, Redistribution(table, count), width, grid, chip, input_in),
        _side(spec, moved, width, grid, chip, input_in),
    )


def run(
    sides: tuple[Side, Side], chip: Chip, input_in: InputIn, watch: Callable[[int], None] = lambda _: None
) -> tuple[Side, Side]:
    """``sides`` built and run on ``chip``, on all cores; ``watch`` is told how many are done."""
    points = [Point(Source(side.network), chip, Clock(), Source(side.schedule), input_in) for side in sides]
    results = [result for result, _ in run_all(measure, points, watch=watch)]
    before, after = (
        replace(side, measured=result.figures, refusal=result.refusal)
        for side, result in zip(sides, results, strict=True)
    )
    return before, after


def _side(
    network: str,
    state: Redistribution,
    width: float,
    grid: tuple[int, int],
    chip: Chip,
    input_in: InputIn,
) -> Side:
    graph = zoo.build(network.removeprefix(ZOO_PREFIX))
    last = stage_end(state.table, state.stage_blocks, width)
    spec = f"patch:{grid[0]}x{grid[1]}@{last}"
    schedule = parse_spec(spec, graph, input_in, chip.sram.size)
    (stage,) = stages_of(graph, schedule)
    rows, columns = (part[graph.inputs[0]] for part in (stage.geometry.rows, stage.geometry.columns))
    operators = graph.operators[: position_of(graph, last) + 1]
    return Side(
        network=network,
        schedule=spec,
        blocks=state.table.blocks,
        stage_blocks=state.stage_blocks,
        field=(max(span.size for span in rows), max(span.size for span in columns)),
        macs=geometry.total_macs(graph),
        stage_factor=sum(operator_macs(graph, op, stage) for op in operators)
        / sum(geometry.macs(graph, op) for op in operators),
        mac_factor=schedule_macs(graph, schedule) / geometry.total_macs(graph),
        sram_bytes=plan_memory(graph, schedule).sram_bytes,
        weight_bytes=_weights(graph),
    )


def _weights(graph: Graph) -> int:
    return sum(geometry.weight_bytes(graph, op) for op in graph.operators)
