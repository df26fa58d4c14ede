"""The Schedule document: in which order, and in which pieces, the operators of a network run.

A schedule is a list of stages that cover all operators in execution order. Stages are named by operator
indices as stored in the model file, both ends included.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import msgspec

from mcusim.compiler import camera, spatial, tiles
from mcusim.errors import ScheduleError, UsageError
from mcusim.network.graph import Graph, Operator

FORMAT = "mcusim.schedule"
VERSION = 1

InputIn = Literal["sram", "flash", "camera"]
Mode = Literal["op", "patch", "stream", "bands", "ctile", "se2"]

_PATCH_SPEC = re.compile(r"patch:(\d+)x(\d+)@(\d+)")
_BANDS_SPEC = re.compile(r"bands:(\d+)@(\d+)")


class Stage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Operators ``first`` to ``last``.

    Mode "op": one after the other, each as a whole. Mode "patch": all of them for one patch of the last
    one's output after another; ``grid`` is (rows, columns) of patches. Mode "stream": they advance together
    row by row, and of every tensor between them only the rows that are still needed exist; a depthwise
    convolution of stride 1 makes ``chunk`` (1 or 2) rows at a time. Mode "bands": a stream for one of
    ``bands`` vertical bands of the last output after another. Mode "ctile": an inverted residual block for
    ``channels`` of its expanded channels at a time, for one of ``bands`` horizontal bands of its output after
    another, or a 1x1 convolution with the pool behind it; ``chunk`` as in a stream. Mode "se2": gates of
    squeeze-excites are computed ahead, each by a stream that ends with the mean it is made from, then
    everything as a stream, or in ``bands``; what leads to a mean is computed again.
    """

    first: int
    last: int
    mode: Mode
    grid: tuple[int, int] | None = None
    bands: int = 1
    chunk: int = 1
    channels: int = 0


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """``input_in``: where the network's input lies when an inference starts; a camera delivers it while the
    first stage, a stream, goes on."""

    format: Literal["mcusim.schedule"] = "mcusim.schedule"
    version: Literal[1] = 1
    name: str
    input_in: InputIn = "sram"
    stages: tuple[Stage, ...]


def parse_spec(
    spec: str,
    graph: Graph,
    input_in: InputIn | None = None,
    sram_bytes: int | None = None,
    clock_hz: float | None = None,
) -> Schedule:
    """What ``spec`` means for ``graph``: layer, stream, bands:N@K, patch:RxC@K, auto, auto:sram=SIZE,
    auto:ms=TIME, or a JSON file's path.

    ``input_in`` overrides what a file says; the default is "sram". ``sram_bytes`` is what auto may use,
    ``clock_hz`` the clock at which auto:ms counts.
    Raises UsageError if ``spec`` is not of these forms, ScheduleError if the network cannot be run so.
    """
    if spec == "layer":
        schedule = layer_schedule(graph)
    elif match := _PATCH_SPEC.fullmatch(spec):
        rows, columns, last = (int(group) for group in match.groups())
        schedule = patch_schedule(graph, (rows, columns), last)
    elif spec == "stream" or _BANDS_SPEC.fullmatch(spec):
        schedule = _streamed(spec, graph, input_in or "sram")
    elif spec.startswith("auto"):
        schedule = _automatic(spec, graph, input_in or "sram", sram_bytes, clock_hz)
    elif spec.endswith(".json"):
        schedule = load(Path(spec))
    else:
        raise UsageError(
            f"schedule {spec!r} is not layer, stream, bands:NUMBER@OPERATOR, patch:ROWSxCOLUMNS@OPERATOR, "
            "auto, auto:sram=SIZE, auto:ms=TIME or a .json file"
        )
    if input_in is not None:
        schedule = msgspec.structs.replace(schedule, input_in=input_in)
    validate(schedule, graph)
    return schedule


def _streamed(spec: str, graph: Graph, input_in: InputIn) -> Schedule:
    # The partition is made of this module's documents.
    from mcusim.compiler.partition import bands_schedule, stream_schedule

    match = _BANDS_SPEC.fullmatch(spec)
    if match is None:
        return stream_schedule(graph, input_in)
    bands, last = (int(group) for group in match.groups())
    head = Stage(first=graph.operators[0].index, last=last, mode="bands", bands=bands)
    _validate_pieces(graph, head)
    return bands_schedule(graph, bands, last, input_in)


def _automatic(
    spec: str, graph: Graph, input_in: InputIn, sram_bytes: int | None, clock_hz: float | None
) -> Schedule:
    # It plans schedules, which are this module's documents.
    from mcusim.compiler.automatic import automatic_schedule, cycles_of, limit_of, timely_schedule

    wanted = cycles_of(spec, clock_hz)
    if wanted is not None:
        return timely_schedule(graph, input_in, wanted, spec)
    return automatic_schedule(graph, input_in, limit_of(spec, sram_bytes), spec)


def layer_schedule(graph: Graph) -> Schedule:
    """Every operator as a whole, in execution order."""
    operators = graph.operators
    return Schedule(name="layer", stages=(_op_stage(operators[0], operators[-1]),))


def patch_schedule(graph: Graph, grid: tuple[int, int], last: int) -> Schedule:
    """Operators up to index ``last`` in ``grid`` patches, the rest as a whole.

    Raises ScheduleError if ``last`` is no operator of the network.
    """
    operators = graph.operators
    position = position_of(graph, last)
    stages = [Stage(first=operators[0].index, last=last, mode="patch", grid=grid)]
    if position + 1 < len(operators):
        stages.append(_op_stage(operators[position + 1], operators[-1]))
    return Schedule(name=f"patch:{grid[0]}x{grid[1]}@{last}", stages=tuple(stages))


def load(path: Path) -> Schedule:
    """Raises ScheduleError if ``path`` cannot be read or is not a schedule of a known version."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Schedule)
    except OSError as error:
        raise ScheduleError(f"{path}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ScheduleError(f"{path}: not an mcusim schedule of version {VERSION} ({error})") from error


def dump(schedule: Schedule) -> bytes:
    """Indented JSON, one trailing newline."""
    return msgspec.json.format(msgspec.json.encode(schedule), indent=2) + b"\n"


def position_of(graph: Graph, index: int) -> int:
    """Where in execution order the operator numbered ``index`` stands. Raises ScheduleError if nowhere."""
    for position, op in enumerate(graph.operators):
        if op.index == index:
            return position
    numbers = [op.index for op in graph.operators]
    known = f"{min(numbers)} to {max(numbers)}"
    raise ScheduleError(f"{graph.name} has no operator {index} (its operators are {known}, as stored)")


def stage_operators(graph: Graph, stage: Stage) -> tuple[Operator, ...]:
    """The operators of one stage in execution order. Raises ScheduleError as ``position_of``."""
    return graph.operators[position_of(graph, stage.first) : position_of(graph, stage.last) + 1]


def validate(schedule: Schedule, graph: Graph) -> None:
    """Raises ScheduleError unless the stages cover the network in order and each of them can be."""
    expected = 0
    for stage in schedule.stages:
        first, last = position_of(graph, stage.first), position_of(graph, stage.last)
        if first != expected or last < first:
            raise ScheduleError(
                f"stages must follow one another: {stage.first} to {stage.last} does not start right "
                "behind the one before it"
            )
        expected = last + 1
        if stage.mode not in ("op", "se2"):
            _validate_pieces(graph, stage)
    if expected != len(graph.operators):
        raise ScheduleError(f"the schedule leaves out operators from {graph.operators[expected].index} on")
    if schedule.input_in == "camera":
        head = schedule.stages[0]
        camera.check_camera(graph, head.mode if head.bands == 1 else "bands", position_of(graph, head.last))
    if any(stage.mode == "se2" for stage in schedule.stages):
        # What it makes of a schedule is one of this module's documents.
        from mcusim.compiler.passes import unfold

        passes, streams = unfold(graph, schedule)
        validate(streams, passes)


def patch_ends(graph: Graph, first: int = 0, mode: Mode = "patch") -> tuple[int, ...]:
    """Operators (indices as stored) that may end a patch stage, or one of another ``mode`` than "op", which
    starts at position ``first``: everything up to there can be computed in pieces, and one tensor made by the
    stage is live behind it."""
    ends: list[int] = []
    for position in range(first, len(graph.operators)):
        op = graph.operators[position]
        if not _may_contain(graph, op, mode):
            break
        if spatial.live_behind(graph, first, position) == {op.outputs[0]}:
            ends.append(op.index)
    return tuple(ends)


def _may_contain(graph: Graph, op: Operator, mode: Mode) -> bool:
    return spatial.is_spatial(graph, op) if mode == "patch" else spatial.has_rows(graph, op)


def _op_stage(first: Operator, last: Operator) -> Stage:
    return Stage(first=first.index, last=last.index, mode="op")


def _validate_pieces(graph: Graph, stage: Stage) -> None:
    operators = stage_operators(graph, stage)
    if stage.mode == "ctile":
        _validate_tiles(graph, stage, operators)
    for op in operators:
        if not _may_contain(graph, op, stage.mode):
            pieces = "patches" if stage.mode == "patch" else "rows"
            raise ScheduleError(
                f"operator {op.index} ({op.kind}) cannot be computed in {pieces}; "
                f"{_ends_sentence(graph, stage)}"
            )
    first = position_of(graph, stage.first)
    output = operators[-1].outputs[0]
    live = spatial.live_behind(graph, first, first + len(operators) - 1)
    if live != {output}:
        raise ScheduleError(
            f"{len(live)} tensors are live behind operator {stage.last}, but a {stage.mode} stage leaves "
            f"exactly one; {_ends_sentence(graph, stage)}"
        )
    if stage.mode == "patch":
        _validate_grid(stage, spatial.extent(graph.tensors[output]))
    elif stage.mode != "ctile" and not 1 <= stage.bands <= spatial.extent(graph.tensors[output]).width:
        raise ScheduleError(f"{stage.bands} bands cannot be cut from the output of operator {stage.last}")
    elif stage.chunk not in (1, 2):
        raise ScheduleError(f"a stage of mode {stage.mode} makes 1 or 2 rows at a time, not {stage.chunk}")


def _validate_grid(stage: Stage, size: spatial.Extent) -> None:
    if stage.grid is None or min(stage.grid) < 1:
        raise ScheduleError(f"the patch stage ending at operator {stage.last} needs at least 1x1 patches")
    rows, columns = stage.grid
    if rows > size.height or columns > size.width:
        raise ScheduleError(
            f"{rows}x{columns} patches are more than operator {stage.last}'s output has pixels "
            f"({size.height}x{size.width})"
        )


def _validate_tiles(graph: Graph, stage: Stage, operators: tuple[Operator, ...]) -> None:
    is_head = len(operators) == 2
    block = tiles.tile_head(graph, operators) if is_head else tiles.tile_block(graph, operators)
    most = tiles.expanded_channels(graph, block.expand)
    if not 1 <= stage.channels <= most or stage.channels % tiles.CHANNEL_BLOCK:
        raise ScheduleError(
            f"a tile of operator {block.expand.index} has a multiple of {tiles.CHANNEL_BLOCK} channels, at "
            f"most {most}, not {stage.channels}"
        )
    rows = spatial.extent(graph.output_of(operators[-1])).height
    if isinstance(block, tiles.TileHead):
        if stage.bands != 1:
            raise ScheduleError(f"operator {stage.last} pools everything and cannot be cut into bands")
    elif (
        not 1 <= stage.bands <= rows or (stage.bands - 1) * tiles.band_rows(graph, block, stage.bands) >= rows
    ):
        raise ScheduleError(
            f"{rows} rows of operator {stage.last} cannot be cut into {stage.bands} bands of as many rows"
        )


def _ends_sentence(graph: Graph, stage: Stage) -> str:
    ends = patch_ends(graph, position_of(graph, stage.first), stage.mode)
    if not ends:
        return f"no operator of this network may end a {stage.mode} stage that starts there"
    return f"a {stage.mode} stage may end at operator " + ", ".join(str(index) for index in ends)
