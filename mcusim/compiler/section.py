"""The layer section of an image, from the program that it was emitted from."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from mcusim.compiler import names
from mcusim.compiler.program import Program
from mcusim.compiler.schedule import Schedule
from mcusim.compiler.stages import calls_of
from mcusim.layer_section import ArenaEntry, LayerEntry, LayerSection, Location, TensorPort
from mcusim.network import geometry
from mcusim.network.graph import Operator


def layer_section(program: Program, schedule: Schedule, build: dict[str, Any]) -> LayerSection:
    """What the image says of its network. ``build`` is recorded as it is."""
    graph, plan = program.graph, program.plan
    return LayerSection(
        network=graph.name,
        invoke=names.INVOKE,
        inputs=tuple(_port(program, index) for index in graph.inputs),
        outputs=tuple(_port(program, index) for index in graph.outputs),
        arena=ArenaEntry(
            symbol=names.ARENA,
            bytes=plan.arena_bytes,
            input_bytes=plan.input_bytes,
            scratch_symbol=names.SCRATCH,
            scratch_bytes=plan.scratch_bytes,
        ),
        layers=tuple(
            _layer(program, schedule, position, op)
            for position, op in enumerate(graph.operators)
            if op.index in program.lowered
        ),
        schedule=msgspec.json.decode(msgspec.json.encode(schedule)),
        build=build,
    )


def _location(program: Program, tensor: int) -> Location:
    symbol, offset = names.location_of(program, tensor)
    size = program.graph.tensors[tensor].bytes
    if tensor == program.ranges.camera:
        size = program.ranges.buffers[tensor].bytes
    return Location(symbol=symbol, offset=offset, bytes=size)


def _port(program: Program, index: int) -> TensorPort:
    tensor = program.graph.tensors[index]
    location = _location(program, index)
    memory: Literal["sram", "flash", "camera"] = "sram" if location.symbol == names.ARENA else "flash"
    return TensorPort(
        name=tensor.name,
        shape=tensor.shape,
        dtype=tensor.dtype,
        scale=tensor.quantisation.scale if tensor.quantisation else 1.0,
        zero_point=tensor.quantisation.zero_point if tensor.quantisation else 0,
        location=location,
        memory="camera" if index == program.ranges.camera else memory,
    )


def _layer(program: Program, schedule: Schedule, position: int, op: Operator) -> LayerEntry:
    graph = program.graph
    output = graph.output_of(op)
    patched = program.ranges.stage_at(position)
    macs, calls = geometry.macs(graph, op), 1
    if patched is not None:
        pixels = output.shape[1] * output.shape[2]
        macs = macs // pixels * patched.geometry.pixels(output.index)
        calls = calls_of(graph, patched, op)
    whole = patched is None or position == patched.last
    return LayerEntry(
        index=op.index,
        name=output.name,
        op=op.kind,
        symbol=names.layer_symbol(op),
        shape_in=graph.input_of(op).shape,
        shape_out=output.shape,
        macs=macs,
        calls=calls,
        stage=stage_number(program, schedule, position),
        output=_location(program, output.index) if whole else None,
    )


def stage_number(program: Program, schedule: Schedule, position: int) -> int:
    """Which stage of the schedule runs the operator at ``position`` of the execution order."""
    indices = [op.index for op in program.graph.operators]
    ends = [indices.index(stage.last) for stage in schedule.stages]
    return next(number for number, end in enumerate(ends) if position <= end)
